// 0020: allocate a FULLNAT connection with its extension, its local address and its port.
//
// Why: all that can fail for a FULLNAT connection happens here, so that the kernel's own error path serves.  `flags` is
// passed by address: the mark of an extended connection is set before it is copied into the connection.  The message about
// memory goes through us as well, because the usual reason of a refusal is that all local ports are taken.
// Kernels: 6.1, 6.12, 7.2 (which takes and gives back a place under conn_max around the allocation).
// Matches nothing: the allocation has another spelling; the build fails.  Add the spelling.
//
// expect: ip_vs_conn.c 1 ip_vs_fnat_conn_alloc
// expect: ip_vs_conn.c 1 ip_vs_fnat_conn_refused
@@
symbol ip_vs_conn_cachep;
@@
 ip_vs_conn_new(...)
 {
 <...
-kmem_cache_alloc(ip_vs_conn_cachep, GFP_ATOMIC)
+ip_vs_fnat_conn_alloc(ip_vs_conn_cachep, p, dest, daddr, dport, &flags)
 ...>
 }

@@
expression list arguments;
@@
 ip_vs_conn_new(...)
 {
 <...
-IP_VS_ERR_RL(arguments);
+ip_vs_fnat_conn_refused(dest);
 ...>
 }
