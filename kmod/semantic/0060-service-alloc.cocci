// 0060: give each service room for its local addresses.
//
// Why: struct ip_vs_service is not ours to change; ours contains it (container_of), so it is allocated and freed by us.
// Kernels: 6.1 and 6.12 (kzalloc), 7.2 (kzalloc_obj).
// Matches nothing: the allocation has another spelling; the build fails.  Add the spelling.
//
// expect: ip_vs_ctl.c 1 ip_vs_fnat_service_alloc
// expect: ip_vs_ctl.c 1 ip_vs_fnat_service_free
@@
@@
 ip_vs_add_service(...)
 {
 <...
(
-kzalloc(sizeof(struct ip_vs_service), GFP_KERNEL)
+ip_vs_fnat_service_alloc()
|
-kzalloc_obj(struct ip_vs_service)
+ip_vs_fnat_service_alloc()
)
 ...>
 }

@@
identifier svc;
@@
 ip_vs_service_free(...)
 {
 <...
-kfree(svc);
+ip_vs_fnat_service_free(svc);
 ...>
 }
