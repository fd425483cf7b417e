// 0100: more locks for the kernel's connection table.
//
// Why: 32 locks for a table of millions are what many CPUs meet at first when connections come and go.
// Kernels: 6.1, 6.12.  From 7.0 on the table has a lock per bucket; there is nothing to change.
// Matches nothing on an older kernel: the build fails.
//
// until: 7.0
// expect: ip_vs_conn.c 1 #define CT_LOCKARRAY_BITS 10
@@
@@
-#define CT_LOCKARRAY_BITS 5
+#define CT_LOCKARRAY_BITS 10
