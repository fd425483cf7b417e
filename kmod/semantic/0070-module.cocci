// 0070: begin and end with the module.
//
// Why: our per-namespace data must outlive the connections of a namespace and our hooks must end before them.  The kernel
// calls the exits of a namespace in reverse order of registration, so our data is registered before the kernel's (with the
// connection table) and our hooks after it (with netlink).
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing: the build fails.
//
// expect: ip_vs_core.c 1 ip_vs_fnat_conn_init
// expect: ip_vs_core.c 2 ip_vs_fnat_conn_cleanup
// expect: ip_vs_core.c 1 ip_vs_fnat_register
// expect: ip_vs_core.c 1 ip_vs_fnat_unregister
@@
@@
 ip_vs_init(...)
 {
 <...
(
-ip_vs_conn_init()
+ip_vs_fnat_conn_init()
|
-ip_vs_conn_cleanup()
+ip_vs_fnat_conn_cleanup()
|
-ip_vs_register_nl_ioctl()
+ip_vs_fnat_register()
)
 ...>
 }

@@
@@
 ip_vs_cleanup(...)
 {
 <...
(
-ip_vs_unregister_nl_ioctl()
+ip_vs_fnat_unregister()
|
-ip_vs_conn_cleanup()
+ip_vs_fnat_conn_cleanup()
)
 ...>
 }
