// 0010: let the patched files see the hooks' declarations.
//
// Why: the later patches call functions that live in src/.  They are declared in one header of ours, after net/ip_vs.h,
// whose types they use.
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing: the kernel includes net/ip_vs.h in another way; the build fails.  Find the new include and anchor on it.
//
// expect: ip_vs_conn.c 1 #include "ip_vs_fnat.h"
// expect: ip_vs_core.c 1 #include "ip_vs_fnat.h"
// expect: ip_vs_ctl.c 1 #include "ip_vs_fnat.h"
// expect: ip_vs_xmit.c 1 #include "ip_vs_fnat.h"
@@
@@
 #include <net/ip_vs.h>
+#include "ip_vs_fnat.h"
