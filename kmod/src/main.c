// SPDX-License-Identifier: GPL-2.0-only
/*
 * FULLNAT for IPVS: beginning and end, of the module and of a namespace.
 *
 * The kernel ends what belongs to a namespace in reverse order of registration:
 *
 *	registered by			ends
 *	ip_vs_fnat_conn_init()		fnat_net: pools, settings	last
 *	the kernel's ip_vs_init()	services, connections
 *	ip_vs_fnat_register()		our hooks			first
 *
 * and the module unregisters them in that order, too.
 */
#include <linux/module.h>
#include <net/net_namespace.h>

#include "fnat.h"

unsigned int fnat_net_id __read_mostly;

static int __net_init fnat_net_init(struct net *net)
{
	struct fnat_net *fn = fnat_net(net);
	int err;

	fn->net = net;
	fn->salt = get_random_u32();
	atomic_long_set(&fn->warned, 0);
	err = fnat_stats_init(fn);
	if (err)
		return err;
	err = fnat_pools_init(fn);
	if (err)
		goto err_stats;
	err = fnat_sysctl_init(fn);
	if (err)
		goto err_pools;
	return 0;

err_pools:
	fnat_pools_exit(fn);
err_stats:
	fnat_stats_exit(fn);
	return err;
}

static void __net_exit fnat_net_exit(struct net *net)
{
	struct fnat_net *fn = fnat_net(net);

	fnat_sysctl_exit(fn);
	fnat_pools_exit(fn);
	fnat_stats_exit(fn);
}

static struct pernet_operations fnat_net_ops = {
	.init = fnat_net_init,
	.exit = fnat_net_exit,
	.id = &fnat_net_id,
	.size = sizeof(struct fnat_net),
};

static void __net_exit fnat_hooks_exit(struct net *net)
{
	struct fnat_net *fn = fnat_net(net);

	WRITE_ONCE(fn->dying, true);
	fnat_hooks_unregister(fn);
}

static struct pernet_operations fnat_hooks_ops = {
	.exit = fnat_hooks_exit,
};

/* Patch 0070, in the place of ip_vs_conn_init(). */
int __init ip_vs_fnat_conn_init(void)
{
	int err;

	err = fnat_conns_init();
	if (err)
		return err;
	err = register_pernet_subsys(&fnat_net_ops);
	if (err)
		goto err_conns;
	err = ip_vs_conn_init();
	if (err)
		goto err_net;
	return 0;

err_net:
	unregister_pernet_subsys(&fnat_net_ops);
err_conns:
	fnat_conns_exit();
	return err;
}

/* Patch 0070, in the place of ip_vs_conn_cleanup(), which waits for the RCU
 * callbacks that free connections.
 */
void ip_vs_fnat_conn_cleanup(void)
{
	ip_vs_conn_cleanup();
	unregister_pernet_subsys(&fnat_net_ops);
	rcu_barrier(); /* pools */
	fnat_conns_exit();
}

/* Patch 0070, in the place of ip_vs_register_nl_ioctl(). */
int __init ip_vs_fnat_register(void)
{
	int err;

	fnat_tcp_init();
	err = ip_vs_register_nl_ioctl();
	if (err)
		return err;
	err = register_pernet_device(&fnat_hooks_ops);
	if (err)
		goto err_ioctl;
	err = fnat_netlink_register();
	if (err)
		goto err_hooks;
	pr_info("IPVS: FULLNAT ready (size=%u)\n", fnat_table_size());
	return 0;

err_hooks:
	unregister_pernet_device(&fnat_hooks_ops);
err_ioctl:
	ip_vs_unregister_nl_ioctl();
	return err;
}

/* Patch 0070, in the place of ip_vs_unregister_nl_ioctl(). */
void ip_vs_fnat_unregister(void)
{
	fnat_netlink_unregister();
	unregister_pernet_device(&fnat_hooks_ops);
	ip_vs_unregister_nl_ioctl();
}
