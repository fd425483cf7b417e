// 0080: do not announce extended connections to the backup director.
//
// Why: the synchronisation protocol has no room for local address, port and sequence offsets; a backup with a stock kernel
// would install connections that it cannot forward.
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing: the build fails.  ip_vs_sync.c itself is left alone: it announces the template of a connection that came
// through here.
//
// expect: ip_vs_conn.c 1 ip_vs_fnat_sync_conn
// expect: ip_vs_core.c 1 ip_vs_fnat_sync_conn
@@
expression ipvs, cp, count;
@@
-ip_vs_sync_conn(ipvs, cp, count)
+ip_vs_fnat_sync_conn(ipvs, cp, count)
