// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of a namespace in /proc/sys/net/ipv4/vs/.
 *
 * Names and defaults are those of the LVS release for Linux 2.6.32 where it had
 * them.
 */
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "fnat.h"

static int fnat_port_min = 1;
static int fnat_port_max = 65535;
static int fnat_tries_max = IPVS_FNAT_LADDR_MAX;
static int fnat_kind_min = 253;
static int fnat_kind_max = 254;
static int fnat_rate_max = 1000000;

static const struct fnat_sysctl fnat_sysctl_default = {
	.timestamp_remove = 1,
	.mss_adjust = 1,
	.conn_reused = 1,
	.toa = 1,
	.toa_v6_kind = 254,
	.seq_rebase = 1,
	.lport_min = 5000,
	.lport_max = 65535,
	.lport_tries = 10000,
	.expire_rst = 1,
	.expire_rst_rate = 10000,
};

#define FNAT_KNOB(_name, _field, _min, _max) {				\
	.procname = _name,						\
	.data = (void *)offsetof(struct fnat_sysctl, _field),		\
	.maxlen = sizeof(int),						\
	.mode = 0644,							\
	.proc_handler = proc_dointvec_minmax,				\
	.extra1 = _min,							\
	.extra2 = _max,							\
}

#define FNAT_SWITCH(_name, _field) \
	FNAT_KNOB(_name, _field, SYSCTL_ZERO, SYSCTL_ONE)

static const struct ctl_table fnat_sysctl_template[] = {
	FNAT_SWITCH("fullnat_timestamp_remove_entry", timestamp_remove),
	FNAT_SWITCH("fullnat_mss_adjust_entry", mss_adjust),
	FNAT_SWITCH("fullnat_conn_reused_entry", conn_reused),
	FNAT_SWITCH("fullnat_toa_entry", toa),
	FNAT_KNOB("fullnat_toa_v6_kind", toa_v6_kind, &fnat_kind_min,
		  &fnat_kind_max),
	FNAT_SWITCH("fullnat_seq_rebase_entry", seq_rebase),
	FNAT_KNOB("fullnat_lport_min", lport_min, &fnat_port_min,
		  &fnat_port_max),
	FNAT_KNOB("fullnat_lport_max", lport_max, &fnat_port_min,
		  &fnat_port_max),
	FNAT_KNOB("fullnat_lport_tries", lport_tries, SYSCTL_ONE,
		  &fnat_tries_max),
	FNAT_SWITCH("conn_expire_tcp_rst", expire_rst),
	FNAT_KNOB("conn_expire_tcp_rst_rate", expire_rst_rate, SYSCTL_ZERO,
		  &fnat_rate_max),
	FNAT_SYSCTL_END
};

int fnat_sysctl_init(struct fnat_net *fn)
{
	size_t count = ARRAY_SIZE(fnat_sysctl_template);
	struct ctl_table *entry, *table;

	fn->sysctl = fnat_sysctl_default;
	table = kmemdup(fnat_sysctl_template, sizeof(fnat_sysctl_template),
			GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	for (entry = table; entry < table + count && entry->procname; entry++)
		entry->data += (unsigned long)&fn->sysctl;
	/* As with the kernel's own: nothing for unprivileged namespaces. */
	if (fn->net->user_ns != &init_user_ns)
		count = 0;
	fn->sysctl_table = table;
	fn->sysctl_header = fnat_register_sysctl(fn->net, "net/ipv4/vs", table,
						 count);
	if (!fn->sysctl_header) {
		kfree(table);
		return -ENOMEM;
	}
	return 0;
}

void fnat_sysctl_exit(struct fnat_net *fn)
{
	unregister_net_sysctl_table(fn->sysctl_header);
	kfree(fn->sysctl_table);
}
