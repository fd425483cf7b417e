// 0030: put a new connection into our own table, too.
//
// Why: FULLNAT connections are found by both of their tuples in a table of ours; they stay in the kernel's table for
// ipvsadm, flush and drop_entry.  Only the call at the end of ip_vs_conn_new() is exchanged: the others rehash connections
// of FTP and templates, which are never extended.
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing: the build fails.  Find where ip_vs_conn_new() makes the connection visible.
//
// expect: ip_vs_conn.c 1 ip_vs_fnat_conn_hash
@@
identifier cp;
@@
 ip_vs_conn_new(...)
 {
 <...
-ip_vs_conn_hash(cp);
+ip_vs_fnat_conn_hash(cp);
 ...>
 }
