#include <linux/skbuff.h>
#include <net/ip_vs.h>

int unrelated(void);
