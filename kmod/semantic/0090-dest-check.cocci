// 0090: refuse FULLNAT destinations that could not work.
//
// Why: only TCP and UDP are translated, the destination must be of the service's family and must not be this host.
// Kernels: 6.1, 6.12, 7.2 (two callers each: netlink and the old socket options).
// Matches nothing, or another number of callers: the build fails.  A third way to add destinations needs the check, too.
//
// expect: ip_vs_ctl.c 2 ip_vs_fnat_add_dest
// expect: ip_vs_ctl.c 2 ip_vs_fnat_edit_dest
@@
expression svc, udest;
@@
(
-ip_vs_add_dest(svc, udest)
+ip_vs_fnat_add_dest(svc, udest)
|
-ip_vs_edit_dest(svc, udest)
+ip_vs_fnat_edit_dest(svc, udest)
)
