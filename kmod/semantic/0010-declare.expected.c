#include <linux/skbuff.h>
#include <net/ip_vs.h>
#include "ip_vs_fnat.h"

int unrelated(void);
