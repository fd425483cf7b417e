/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that this is built for: 6.1, 6.12, and
 * prepared for 7.2.
 *
 * No other file looks at the kernel's version.
 */
#ifndef _FNAT_COMPAT_H
#define _FNAT_COMPAT_H

#include <linux/version.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>

/* Before 6.5 the GSO helpers were declared in linux/skbuff.h. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif

/* Since 6.12 the unaligned accessors belong to no architecture. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* Since 6.6 sysctl tables have a size, before they had an empty last entry. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define FNAT_SYSCTL_END
#define fnat_register_sysctl(net, path, table, count) \
	register_net_sysctl_sz(net, path, table, count)
#else
#define FNAT_SYSCTL_END { }

static inline struct ctl_table_header *
fnat_register_sysctl(struct net *net, const char *path, struct ctl_table *table,
		     size_t count)
{
	if (!count)
		table[0].procname = NULL;
	return register_net_sysctl(net, path, table);
}
#endif

/* Lock of the IPVS configuration: global and static, then global, then one per
 * namespace.  For ctl.inc.c, which sees the first one.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define FNAT_CONFIG_MUTEX(ipvs) (&(ipvs)->service_mutex)
#else
#define FNAT_CONFIG_MUTEX(ipvs) (&__ip_vs_mutex)
#endif

/* Since 6.10 dst_rt6_info() finds out by itself what a cast told before (the
 * 6.1 series has it, too, by a later backport).
 */
#define fnat_rt6_info(dst) container_of(dst, struct rt6_info, dst)

/* Since 6.6 a dump's attributes are in a struct genl_info. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define fnat_dump_attrs(cb) (genl_dumpit_info(cb)->info.attrs)
#else
#define fnat_dump_attrs(cb) (genl_dumpit_info(cb)->attrs)
#endif

#endif /* _FNAT_COMPAT_H */
