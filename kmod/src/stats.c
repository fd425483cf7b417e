// SPDX-License-Identifier: GPL-2.0-only
/* Counters of a namespace, per CPU, and /proc/net/ip_vs_ext_stats. */
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "fnat.h"

#define FNAT_STAT(_upper, _lower) \
	[IPVS_FNAT_STAT_##_upper] = _lower

static const char *const fnat_stat_names[] = {
	FNAT_STAT(FULLNAT_ADD_TOA_OK, "fullnat_add_toa_ok"),
	FNAT_STAT(FULLNAT_ADD_TOA_FAIL_LEN, "fullnat_add_toa_fail_len"),
	FNAT_STAT(FULLNAT_ADD_TOA_HEAD_FULL, "fullnat_add_toa_head_full"),
	FNAT_STAT(FULLNAT_ADD_TOA_FAIL_MEM, "fullnat_add_toa_fail_mem"),
	FNAT_STAT(FULLNAT_ADD_TOA_FAIL_PROTO, "fullnat_add_toa_fail_proto"),
	FNAT_STAT(FULLNAT_STRIP_TOA, "fullnat_strip_toa"),
	FNAT_STAT(FULLNAT_CONN_REUSED, "fullnat_conn_reused"),
	FNAT_STAT(FULLNAT_CONN_REUSED_CLOSE, "fullnat_conn_reused_close"),
	FNAT_STAT(FULLNAT_CONN_REUSED_TIMEWAIT, "fullnat_conn_reused_timewait"),
	FNAT_STAT(FULLNAT_CONN_REUSED_FINWAIT, "fullnat_conn_reused_finwait"),
	FNAT_STAT(FULLNAT_CONN_REUSED_CLOSEWAIT,
		  "fullnat_conn_reused_closewait"),
	FNAT_STAT(FULLNAT_CONN_REUSED_LASTACK, "fullnat_conn_reused_lastack"),
	FNAT_STAT(FULLNAT_CONN_REUSED_ESTAB, "fullnat_conn_reused_estab"),
	FNAT_STAT(FULLNAT_CONN_ALLOC, "fullnat_conn_alloc"),
	FNAT_STAT(FULLNAT_CONN_FREE, "fullnat_conn_free"),
	FNAT_STAT(FULLNAT_NO_LADDR, "fullnat_no_laddr"),
	FNAT_STAT(FULLNAT_PORT_CONFLICT, "fullnat_port_conflict"),
	FNAT_STAT(FULLNAT_PORT_EXHAUSTED, "fullnat_port_exhausted"),
	FNAT_STAT(FULLNAT_NO_MEMORY, "fullnat_no_memory"),
	FNAT_STAT(FULLNAT_ICMP_IN, "fullnat_icmp_in"),
	FNAT_STAT(FULLNAT_ICMP_OUT, "fullnat_icmp_out"),
	FNAT_STAT(FULLNAT_DROP, "fullnat_drop"),
	FNAT_STAT(RST_IN_ESTABLISHED, "rst_in_established"),
	FNAT_STAT(RST_OUT_ESTABLISHED, "rst_out_established"),
	FNAT_STAT(RST_LIMITED, "rst_limited"),
};

static u64 fnat_stat_cpu(const struct fnat_net *fn, enum ipvs_fnat_stat number,
			 int cpu)
{
	return READ_ONCE(per_cpu_ptr(fn->stats, cpu)->count[number]);
}

u64 fnat_stats_sum(const struct fnat_net *fn, enum ipvs_fnat_stat number)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += fnat_stat_cpu(fn, number, cpu);
	return sum;
}

static int fnat_stats_show(struct seq_file *seq, void *v)
{
	const struct fnat_net *fn = fnat_net(seq_file_single_net(seq));
	unsigned int number;
	int cpu;

	seq_printf(seq, "%-30s ", "");
	for_each_online_cpu(cpu)
		seq_printf(seq, "%s%-9d", "      CPU", cpu);
	seq_putc(seq, '\n');
	for (number = 0; number < ARRAY_SIZE(fnat_stat_names); number++) {
		seq_printf(seq, "%-30s:", fnat_stat_names[number]);
		for_each_online_cpu(cpu)
			seq_printf(seq, "%18llu",
				   fnat_stat_cpu(fn, number, cpu));
		seq_putc(seq, '\n');
	}
	return 0;
}

int fnat_stats_init(struct fnat_net *fn)
{
	BUILD_BUG_ON(ARRAY_SIZE(fnat_stat_names) != __IPVS_FNAT_STAT_MAX);

	fn->stats = alloc_percpu(struct fnat_stats);
	if (!fn->stats)
		return -ENOMEM;
	if (proc_create_net_single("ip_vs_ext_stats", 0444, fn->net->proc_net,
				   fnat_stats_show, NULL))
		return 0;
	free_percpu(fn->stats);
	return -ENOMEM;
}

void fnat_stats_exit(struct fnat_net *fn)
{
	remove_proc_entry("ip_vs_ext_stats", fn->net->proc_net);
	free_percpu(fn->stats);
}
