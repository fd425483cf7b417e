// 0040: return a connection to the cache that it came from.
//
// Why: extended connections have a slab cache of their own.
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing, or more than once: the build fails.  A second place that frees connections is one to look at.
//
// expect: ip_vs_conn.c 1 ip_vs_fnat_conn_free
@@
symbol ip_vs_conn_cachep;
expression cp;
@@
-kmem_cache_free(ip_vs_conn_cachep, cp)
+ip_vs_fnat_conn_free(ip_vs_conn_cachep, cp)
