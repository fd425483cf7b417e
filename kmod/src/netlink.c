// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family IPVS_FNAT.  What it promises is written in
 * include/uapi/linux/ip_vs_fnat.h.
 *
 * All that speaks of services runs under the kernel's own configuration lock.
 */
#include <linux/inetdevice.h>
#include <net/addrconf.h>
#include <net/genetlink.h>
#include <net/route.h>

#include "fnat.h"

static struct genl_family fnat_family;

/* Not const: the policy of older kernels has no room for that. */
static struct netlink_range_validation fnat_timeout_range = {
	.max = IPVS_FNAT_TIMEOUT_MAX,
};

static const struct nla_policy fnat_laddr_policy[] = {
	[IPVS_FNAT_LADDR_AF] = { .type = NLA_U16 },
	[IPVS_FNAT_LADDR_ADDR] = NLA_POLICY_RANGE(NLA_BINARY, 4, 16),
};

/* All policies are as long as the family has attributes: that is what netlink
 * takes for the length of one that says 0.
 */
static const struct nla_policy fnat_no_policy[IPVS_FNAT_A_MAX + 1] = {};

static const struct nla_policy fnat_service_policy[IPVS_FNAT_A_MAX + 1] = {
	[IPVS_FNAT_A_SERVICE] = { .type = NLA_NESTED },
	[IPVS_FNAT_A_LADDR] = NLA_POLICY_NESTED(fnat_laddr_policy),
	[IPVS_FNAT_A_EST_TIMEOUT] = NLA_POLICY_FULL_RANGE(NLA_U32,
							  &fnat_timeout_range),
};

/*
 * Services
 */

/* Return the service that the attributes name, with the lock held, or an error
 * without it.
 */
static struct fnat_service *fnat_lock_service(struct net *net,
					      struct nlattr *nest)
{
	struct netns_ipvs *ipvs = net_ipvs(net);
	struct ip_vs_service *svc;

	if (!nest)
		return ERR_PTR(-EINVAL);
	fnat_config_lock(ipvs);
	svc = fnat_find_service(ipvs, nest);
	if (!IS_ERR(svc))
		return fnat_service(svc);
	fnat_config_unlock(ipvs);
	return ERR_CAST(svc);
}

static struct fnat_service *fnat_lock_named(struct genl_info *info)
{
	struct fnat_service *fs;

	fs = fnat_lock_service(genl_info_net(info),
			       info->attrs[IPVS_FNAT_A_SERVICE]);
	if (fs == ERR_PTR(-ESRCH))
		GENL_SET_ERR_MSG(info, "no such service");
	else if (IS_ERR(fs))
		GENL_SET_ERR_MSG(info, "service is not named properly");
	return fs;
}

static void fnat_unlock_service(struct fnat_service *fs)
{
	fnat_config_unlock(fs->svc.ipvs);
}

/*
 * Answers
 */

static struct sk_buff *fnat_answer(struct genl_info *info, void **header)
{
	struct sk_buff *msg = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);

	if (!msg)
		return NULL;
	*header = genlmsg_put_reply(msg, info, &fnat_family, 0,
				    info->genlhdr->cmd);
	if (*header)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int fnat_get_info(struct sk_buff *skb, struct genl_info *info)
{
	static const u32 features = IPVS_FNAT_F_IPV4 |
#ifdef CONFIG_IP_VS_IPV6
		IPVS_FNAT_F_IPV6 |
#endif
		IPVS_FNAT_F_TCP | IPVS_FNAT_F_UDP | IPVS_FNAT_F_TOA;
	struct sk_buff *msg;
	void *header;

	msg = fnat_answer(info, &header);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, IPVS_FNAT_A_ABI, IPVS_FNAT_ABI) ||
	    nla_put_u32(msg, IPVS_FNAT_A_FEATURES, features) ||
	    nla_put_u32(msg, IPVS_FNAT_A_TABLE_SIZE, fnat_table_size()) ||
	    nla_put_u64_64bit(msg, IPVS_FNAT_A_CONNS, fnat_conns_count(),
			      IPVS_FNAT_A_PAD)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);
}

static int fnat_get_stats(struct sk_buff *skb, struct genl_info *info)
{
	const struct fnat_net *fn = fnat_net(genl_info_net(info));
	struct nlattr *nest;
	struct sk_buff *msg;
	unsigned int number;
	void *header;

	msg = fnat_answer(info, &header);
	if (!msg)
		return -ENOMEM;
	nest = nla_nest_start(msg, IPVS_FNAT_A_STATS);
	if (!nest)
		goto full;
	for (number = 0; number < __IPVS_FNAT_STAT_MAX; number++)
		if (nla_put_u64_64bit(msg, number + 2,
				      fnat_stats_sum(fn, number), 1))
			goto full;
	nla_nest_end(msg, nest);
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);

full:
	nlmsg_free(msg);
	return -EMSGSIZE;
}

/*
 * Local addresses
 */

static bool fnat_is_unicast(u16 af, const union nf_inet_addr *addr)
{
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6) {
		int type = ipv6_addr_type(&addr->in6);

		return (type & IPV6_ADDR_UNICAST) &&
		       !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL |
				 IPV6_ADDR_MAPPED | IPV6_ADDR_COMPATv4));
	}
#endif
	return !ipv4_is_multicast(addr->ip) && !ipv4_is_lbcast(addr->ip) &&
	       !ipv4_is_zeronet(addr->ip) && !ipv4_is_loopback(addr->ip);
}

static int fnat_parse_laddr(const struct fnat_service *fs,
			    struct genl_info *info, union nf_inet_addr *addr)
{
	struct nlattr *attrs[IPVS_FNAT_LADDR_ATTR_MAX + 1];
	u16 af = fs->svc.af;
	int err;

	if (!info->attrs[IPVS_FNAT_A_LADDR])
		return -EINVAL;
	err = nla_parse_nested(attrs, ARRAY_SIZE(fnat_laddr_policy) - 1,
			       info->attrs[IPVS_FNAT_A_LADDR],
			       fnat_laddr_policy, info->extack);
	if (err)
		return err;
	if (!attrs[IPVS_FNAT_LADDR_AF] || !attrs[IPVS_FNAT_LADDR_ADDR])
		return -EINVAL;
	if (nla_get_u16(attrs[IPVS_FNAT_LADDR_AF]) != af)
		return -EAFNOSUPPORT;
	if (af == AF_INET6 && nla_len(attrs[IPVS_FNAT_LADDR_ADDR]) != 16)
		return -EINVAL;
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, nla_data(attrs[IPVS_FNAT_LADDR_ADDR]),
	       af == AF_INET6 ? 16 : 4);
	return 0;
}

static int fnat_new_laddr(struct sk_buff *skb, struct genl_info *info)
{
	struct fnat_service *fs = fnat_lock_named(info);
	union nf_inet_addr addr;
	int err;

	if (IS_ERR(fs))
		return PTR_ERR(fs);
	err = fnat_parse_laddr(fs, info, &addr);
	if (!err && !fnat_is_unicast(fs->svc.af, &addr))
		err = -EADDRNOTAVAIL;
	if (!err)
		err = fnat_hooks_register(fnat_net(genl_info_net(info)));
	if (!err)
		err = fnat_laddr_add(fs, &addr);
	fnat_unlock_service(fs);
	return err;
}

static int fnat_del_laddr(struct sk_buff *skb, struct genl_info *info)
{
	struct fnat_service *fs = fnat_lock_named(info);
	union nf_inet_addr addr;
	int err;

	if (IS_ERR(fs))
		return PTR_ERR(fs);
	err = fnat_parse_laddr(fs, info, &addr);
	if (!err)
		err = fnat_laddr_del(fs, &addr);
	fnat_unlock_service(fs);
	return err;
}

static bool fnat_is_local(struct net *net, const struct fnat_laddr *local)
{
#ifdef CONFIG_IP_VS_IPV6
	if (local->af == AF_INET6)
		return ipv6_chk_addr(net, &local->addr.in6, NULL, 0);
#endif
	return inet_addr_type(net, local->addr.ip) == RTN_LOCAL;
}

static int fnat_fill_laddr(struct sk_buff *msg, struct net *net,
			   struct fnat_laddr *local)
{
	const struct fnat_sysctl *sysctl = &fnat_net(net)->sysctl;
	int ports = READ_ONCE(sysctl->lport_max) -
		    READ_ONCE(sysctl->lport_min) + 1;
	struct nlattr *nest = nla_nest_start(msg, IPVS_FNAT_A_LADDR);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u16(msg, IPVS_FNAT_LADDR_AF, local->af) ||
	    nla_put(msg, IPVS_FNAT_LADDR_ADDR, sizeof(local->addr),
		    &local->addr) ||
	    nla_put_u32(msg, IPVS_FNAT_LADDR_FLAGS,
			fnat_is_local(net, local) ? IPVS_FNAT_LADDR_F_LOCAL :
						    0) ||
	    nla_put_u32(msg, IPVS_FNAT_LADDR_CONNS,
			atomic_read(&local->conns)) ||
	    nla_put_u64_64bit(msg, IPVS_FNAT_LADDR_ALLOCS,
			      atomic64_read(&local->allocs),
			      IPVS_FNAT_LADDR_PAD) ||
	    nla_put_u64_64bit(msg, IPVS_FNAT_LADDR_CONFLICTS,
			      atomic64_read(&local->conflicts),
			      IPVS_FNAT_LADDR_PAD) ||
	    nla_put_u32(msg, IPVS_FNAT_LADDR_PORTS, max(ports, 0)))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static void *fnat_dump_header(struct sk_buff *msg, struct netlink_callback *cb,
			      u8 command)
{
	void *header;

	header = genlmsg_put(msg, NETLINK_CB(cb->skb).portid,
			     cb->nlh->nlmsg_seq, &fnat_family, NLM_F_MULTI,
			     command);
	if (header)
		genl_dump_check_consistent(cb, header);
	return header;
}

static int fnat_dump_laddrs(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct nlattr **attrs = fnat_dump_attrs(cb);
	struct net *net = sock_net(msg->sk);
	struct fnat_laddrs *set;
	struct fnat_service *fs;

	fs = fnat_lock_service(net, attrs[IPVS_FNAT_A_SERVICE]);
	if (IS_ERR(fs))
		return PTR_ERR(fs);
	/* Only exchanged under the lock that we hold. */
	set = rcu_dereference_protected(fs->set, 1);
	cb->seq = fs->changes;
	while (set && cb->args[0] < set->count) {
		void *header = fnat_dump_header(msg, cb,
						IPVS_FNAT_CMD_GET_LADDR);

		if (!header)
			break;
		if (fnat_fill_laddr(msg, net, set->laddr[cb->args[0]])) {
			genlmsg_cancel(msg, header);
			break;
		}
		genlmsg_end(msg, header);
		cb->args[0]++;
	}
	fnat_unlock_service(fs);
	return msg->len;
}

/*
 * A service's own settings
 */

static int fnat_set_service(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *timeout = info->attrs[IPVS_FNAT_A_EST_TIMEOUT];
	struct fnat_service *fs = fnat_lock_named(info);

	if (IS_ERR(fs))
		return PTR_ERR(fs);
	if (timeout)
		WRITE_ONCE(fs->est_timeout, nla_get_u32(timeout) * HZ);
	fnat_unlock_service(fs);
	return 0;
}

static int fnat_get_service(struct sk_buff *skb, struct genl_info *info)
{
	struct fnat_laddrs *set;
	struct fnat_service *fs;
	u32 timeout, count;
	struct sk_buff *msg;
	void *header;

	fs = fnat_lock_named(info);
	if (IS_ERR(fs))
		return PTR_ERR(fs);
	set = rcu_dereference_protected(fs->set, 1);
	count = set ? set->count : 0;
	timeout = fs->est_timeout / HZ;
	fnat_unlock_service(fs);

	msg = fnat_answer(info, &header);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, IPVS_FNAT_A_EST_TIMEOUT, timeout) ||
	    nla_put_u32(msg, IPVS_FNAT_A_LADDR_COUNT, count)) {
		nlmsg_free(msg);
		return -EMSGSIZE;
	}
	genlmsg_end(msg, header);
	return genlmsg_reply(msg, info);
}

static int fnat_set_acl(struct sk_buff *skb, struct genl_info *info)
{
	return -EOPNOTSUPP;
}

/*
 * Sessions
 */

/* @service: only its sessions, if @only. */
struct fnat_conn_dump {
	struct sk_buff *msg;
	struct netlink_callback *cb;
	struct netns_ipvs *ipvs;
	bool only;
	u16 af;
	u16 protocol;
	union nf_inet_addr addr;
	__be16 port;
};

static int fnat_fill_conn(struct sk_buff *msg, struct ip_vs_conn *cp)
{
	const struct fnat_ext *ext = fnat_ext(cp);
	struct nlattr *nest = nla_nest_start(msg, IPVS_FNAT_A_CONN);
	long left = READ_ONCE(cp->timer.expires) - jiffies;

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u16(msg, IPVS_FNAT_CONN_AF, cp->af) ||
	    nla_put_u16(msg, IPVS_FNAT_CONN_PROTOCOL, cp->protocol) ||
	    nla_put(msg, IPVS_FNAT_CONN_CADDR, 16, &cp->caddr) ||
	    nla_put_be16(msg, IPVS_FNAT_CONN_CPORT, cp->cport) ||
	    nla_put(msg, IPVS_FNAT_CONN_VADDR, 16, &cp->vaddr) ||
	    nla_put_be16(msg, IPVS_FNAT_CONN_VPORT, cp->vport) ||
	    nla_put(msg, IPVS_FNAT_CONN_LADDR, 16, &ext->laddr) ||
	    nla_put_be16(msg, IPVS_FNAT_CONN_LPORT, ext->lport) ||
	    nla_put(msg, IPVS_FNAT_CONN_DADDR, 16, &cp->daddr) ||
	    nla_put_be16(msg, IPVS_FNAT_CONN_DPORT, cp->dport) ||
	    nla_put_string(msg, IPVS_FNAT_CONN_STATE, ip_vs_state_name(cp)) ||
	    nla_put_u32(msg, IPVS_FNAT_CONN_EXPIRES,
			left > 0 ? jiffies_to_msecs(left) : 0) ||
	    nla_put_u32(msg, IPVS_FNAT_CONN_FLAGS, cp->flags & 0xffff))
		return -EMSGSIZE;
	nla_nest_end(msg, nest);
	return 0;
}

static bool fnat_conn_wanted(const struct fnat_conn_dump *dump,
			     const struct ip_vs_conn *cp)
{
	if (cp->ipvs != dump->ipvs)
		return false;
	return !dump->only ||
	       (cp->af == dump->af && cp->protocol == dump->protocol &&
		cp->vport == dump->port &&
		ip_vs_addr_equal(cp->af, &cp->vaddr, &dump->addr));
}

static int fnat_show_conn(struct ip_vs_conn *cp, void *arg)
{
	struct fnat_conn_dump *dump = arg;
	void *header;

	if (!fnat_conn_wanted(dump, cp))
		return 0;
	header = fnat_dump_header(dump->msg, dump->cb, IPVS_FNAT_CMD_GET_CONN);
	if (!header)
		return -EMSGSIZE;
	if (fnat_fill_conn(dump->msg, cp)) {
		genlmsg_cancel(dump->msg, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->msg, header);
	return 0;
}

static int fnat_dump_filter(struct fnat_conn_dump *dump, struct net *net,
			    struct nlattr *nest)
{
	struct fnat_service *fs;
	int err = 0;

	if (!nest)
		return 0;
	fs = fnat_lock_service(net, nest);
	if (IS_ERR(fs))
		return PTR_ERR(fs);
	if (fs->svc.fwmark)
		err = -EOPNOTSUPP;
	dump->only = true;
	dump->af = fs->svc.af;
	dump->protocol = fs->svc.protocol;
	dump->addr = fs->svc.addr;
	dump->port = fs->svc.port;
	fnat_unlock_service(fs);
	return err;
}

static int fnat_dump_conns(struct sk_buff *msg, struct netlink_callback *cb)
{
	struct nlattr **attrs = fnat_dump_attrs(cb);
	struct net *net = sock_net(msg->sk);
	struct fnat_conn_dump dump = {
		.msg = msg, .cb = cb, .ipvs = net_ipvs(net),
	};
	unsigned long bucket = cb->args[0], skip = cb->args[1];
	int err;

	err = fnat_dump_filter(&dump, net, attrs[IPVS_FNAT_A_SERVICE]);
	if (err)
		return err;
	fnat_conns_walk(&bucket, &skip, fnat_show_conn, &dump);
	cb->args[0] = bucket;
	cb->args[1] = skip;
	return msg->len;
}

/*
 * The family
 */

#define FNAT_DO(_command, _doit, _policy)		\
	{						\
		.cmd = IPVS_FNAT_CMD_##_command,	\
		.flags = GENL_ADMIN_PERM,		\
		.doit = _doit,				\
		.policy = _policy,			\
		.maxattr = ARRAY_SIZE(_policy) - 1,	\
	}

#define FNAT_DUMP(_command, _dumpit, _policy)		\
	{						\
		.cmd = IPVS_FNAT_CMD_##_command,	\
		.flags = GENL_ADMIN_PERM,		\
		.dumpit = _dumpit,			\
		.policy = _policy,			\
		.maxattr = ARRAY_SIZE(_policy) - 1,	\
	}

static const struct genl_ops fnat_ops[] = {
	FNAT_DO(GET_INFO, fnat_get_info, fnat_no_policy),
	FNAT_DO(NEW_LADDR, fnat_new_laddr, fnat_service_policy),
	FNAT_DO(DEL_LADDR, fnat_del_laddr, fnat_service_policy),
	FNAT_DUMP(GET_LADDR, fnat_dump_laddrs, fnat_service_policy),
	FNAT_DO(SET_SERVICE, fnat_set_service, fnat_service_policy),
	FNAT_DO(GET_SERVICE, fnat_get_service, fnat_service_policy),
	FNAT_DO(SET_ACL, fnat_set_acl, fnat_service_policy),
	FNAT_DUMP(GET_CONN, fnat_dump_conns, fnat_service_policy),
	FNAT_DO(GET_STATS, fnat_get_stats, fnat_no_policy),
};

static struct genl_family fnat_family __ro_after_init = {
	.name = IPVS_FNAT_GENL_NAME,
	.version = IPVS_FNAT_GENL_VERSION,
	.maxattr = IPVS_FNAT_A_MAX,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = fnat_ops,
	.n_ops = ARRAY_SIZE(fnat_ops),
};

int __init fnat_netlink_register(void)
{
	return genl_register_family(&fnat_family);
}

void fnat_netlink_unregister(void)
{
	genl_unregister_family(&fnat_family);
}
