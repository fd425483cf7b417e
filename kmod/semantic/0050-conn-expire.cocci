// 0050: take leave of an extended connection when its last reference is gone.
//
// Why: it leaves our table, resets both ends if it died of old age, and gives local address and port back.  At this place
// nobody can get a reference any longer, and the destination is still bound.
// Kernels: 6.1, 6.12, 7.2.
// Matches nothing: the build fails.  Find where ip_vs_conn_expire() knows that it was the last user.
//
// expect: ip_vs_conn.c 1 ip_vs_fnat_conn_expire
@@
identifier cp;
@@
 ip_vs_conn_expire(...)
 {
 <...
+ip_vs_fnat_conn_expire(cp);
 ip_vs_unbind_dest(cp);
 ...>
 }
