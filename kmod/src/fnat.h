/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * FULLNAT for IPVS: what the files of this directory share.
 *
 * A session translates client:cport -> vip:vport into lip:lport -> rip:rport,
 * where the local address lip is one of those given to the service.  It is a
 * struct ip_vs_conn of a larger slab, with ours behind it:
 *
 *	+---------------+------------------+
 *	| ip_vs_conn    | fnat_ext         |   cp->flags has FNAT_F_EXT
 *	+---------------+------------------+
 *
 * It is in the kernel's table like any other, and twice in our own: under the
 * tuple of packets from the client (FNAT_REQUEST) and under that of packets
 * from the server (FNAT_REPLY).
 *
 * Lifetimes.  Lookups are under RCU and take no reference; whoever changes the
 * connection's state takes one.  When the last is gone the connection is
 * unlinked and gives back port, local address and route (conn.c); its memory
 * follows an RCU grace period later.  Port pools belong to the namespace, are
 * shared by services, and are freed when they have been idle (pool.c).  Local
 * addresses belong to a service and to the sessions that use them (laddr.c).
 *
 * Read in this order: main, hook.inc, xmit.inc, tcp, conn, laddr, pool,
 * portmap; then icmp, rst, sysctl, stats, netlink.
 */
#ifndef _FNAT_H
#define _FNAT_H

#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/workqueue.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netns/generic.h>

#include <linux/ip_vs_fnat.h>

#include "compat.h"
#include "ip_vs_fnat.h"
#include "portmap.h"

/* Set for life in cp->flags of a connection from our slab.  Not the forwarding
 * method: that is rewritten when a connection is bound to another destination.
 * Bits above 15 never travel in synchronisation messages.
 */
#define FNAT_F_EXT	BIT(24)

enum fnat_dir {
	FNAT_REQUEST,	/* from the client, to be sent to the server */
	FNAT_REPLY,	/* from the server, to be sent to the client */
};

/* Bits of fnat_ext.flags, changed under cp->lock. */
enum {
	FNAT_EXT_ISN	= 1 << 0, /* client_isn and delta are valid */
	FNAT_EXT_FIRST	= 1 << 1, /* server_first is valid */
	FNAT_EXT_END	= 1 << 2, /* server_end and server_ack are valid */
};

struct fnat_node {
	struct hlist_node link;
	u32 hash;
	u8 dir;
};

/*
 * @node:	  of our table, by direction.
 * @delta:	  added to the client's sequence numbers on their way to the
 *		  server.
 * @client_isn:	  initial sequence number that @delta was made for.
 * @server_first: number of the first byte of data that the server sends; while
 *		  a client acknowledges this one, the server has not had its
 *		  address for sure (TOA).
 * @server_end, @server_ack: what client and server expect next, in the
 *		  server's numbers, for resets.
 * @est_timeout:  in jiffies, 0: that of the namespace.
 * @dst:	  route to the client.
 *
 * 120 bytes: with struct ip_vs_conn 408 of the 448 that the slab gives it.
 */
struct fnat_ext {
	struct fnat_node node[2];
	union nf_inet_addr laddr;
	__be16 lport;
	u16 flags;
	u32 delta;
	u32 client_isn;
	u32 server_first;
	u32 server_end;
	u32 server_ack;
	u32 est_timeout;
	u32 dst_cookie;
	struct fnat_laddr *local;
	struct fnat_pool *pool;
	struct dst_entry __rcu *dst;
};

static inline struct fnat_ext *fnat_ext(const struct ip_vs_conn *cp)
{
	return (struct fnat_ext *)(cp + 1);
}

static inline struct ip_vs_conn *fnat_conn(const struct fnat_ext *ext)
{
	return (struct ip_vs_conn *)ext - 1;
}

static inline bool fnat_is_ext(const struct ip_vs_conn *cp)
{
	return cp->flags & FNAT_F_EXT;
}

/* Settings of a namespace: /proc/sys/net/ipv4/vs/ (sysctl.c). */
struct fnat_sysctl {
	int timestamp_remove;
	int mss_adjust;
	int conn_reused;
	int toa;
	int toa_v6_kind;
	int seq_rebase;
	int lport_min;
	int lport_max;
	int lport_tries;
	int expire_rst;
	int expire_rst_rate;
};

struct fnat_stats {
	u64 count[__IPVS_FNAT_STAT_MAX];
};

/*
 * What we know of a network namespace.
 *
 * @hooked:	our netfilter hooks are registered (by configuration lock).
 * @salt:	tells namespaces apart in the hash.
 * @dying:	the namespace ends: no resets for sessions that end with it.
 * @pools, @pools_work: port pools and who frees the idle ones.
 * @warned:	when the log last heard of exhausted addresses.
 * @rst_window, @rst_count: resets sent in this tenth of a second.
 */
struct fnat_net {
	struct net *net;
	bool hooked;
	bool dying;
	u32 salt;
	struct fnat_sysctl sysctl;
	struct ctl_table_header *sysctl_header;
	struct ctl_table *sysctl_table;
	struct fnat_stats __percpu *stats;
	struct rhashtable pools;
	struct delayed_work pools_work;
	atomic_long_t warned;
	unsigned long rst_window;
	atomic_t rst_count;
};

extern unsigned int fnat_net_id;

static inline struct fnat_net *fnat_net(const struct net *net)
{
	return net_generic(net, fnat_net_id);
}

#define fnat_count(fn, name) \
	this_cpu_inc((fn)->stats->count[IPVS_FNAT_STAT_##name])

/*
 * Take a packet out of connection tracking for the rest of its way, whatever
 * state it had: it knows one side of our sessions only, and would call the
 * other invalid.
 */
static inline void fnat_untrack(struct sk_buff *skb)
{
#if IS_ENABLED(CONFIG_NF_CONNTRACK)
	nf_reset_ct(skb);
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
#endif
}

/*
 * laddr.c
 */

/* @refs: the set that it is in, and the sessions that use it. */
struct fnat_laddr {
	union nf_inet_addr addr;
	u16 af;
	refcount_t refs;
	atomic_t conns;
	atomic64_t allocs;
	atomic64_t conflicts;
	struct rcu_head rcu;
};

struct fnat_laddrs {
	struct rcu_head rcu;
	u32 count;
	struct fnat_laddr *laddr[];
};

/* @svc must come first: the kernel frees nothing by itself, but for the reader.
 * @set:     local addresses, exchanged as a whole under the configuration lock.
 * @changes: how often that has been done.
 * @turn:    whose turn it is.
 */
struct fnat_service {
	struct ip_vs_service svc;
	struct fnat_laddrs __rcu *set;
	u32 changes;
	u32 est_timeout;
	atomic_t turn;
};

static inline struct fnat_service *fnat_service(struct ip_vs_service *svc)
{
	return container_of(svc, struct fnat_service, svc);
}

int fnat_laddr_bind(struct fnat_net *fn, struct ip_vs_service *svc, u8 proto,
		    const union nf_inet_addr *daddr, __be16 dport,
		    struct fnat_ext *ext);
void fnat_laddr_unbind(struct fnat_ext *ext);
int fnat_laddr_add(struct fnat_service *fs, const union nf_inet_addr *addr);
int fnat_laddr_del(struct fnat_service *fs, const union nf_inet_addr *addr);

/*
 * pool.c
 */
struct fnat_pool;

int fnat_pool_take(struct fnat_net *fn, const struct fnat_laddr *local,
		   u8 proto, const union nf_inet_addr *daddr, __be16 dport,
		   struct fnat_pool **pool);
void fnat_pool_give(struct fnat_pool *pool, __be16 port);
int fnat_pools_init(struct fnat_net *fn);
void fnat_pools_exit(struct fnat_net *fn);

/*
 * conn.c
 */
struct ip_vs_conn *fnat_lookup(const struct fnat_net *fn,
			       const struct netns_ipvs *ipvs, int af,
			       u8 proto, const union nf_inet_addr *saddr,
			       __be16 sport, const union nf_inet_addr *daddr,
			       __be16 dport, enum fnat_dir *dir);
void fnat_conn_link(struct ip_vs_conn *cp);
int fnat_conns_init(void);
void fnat_conns_exit(void);
unsigned int fnat_table_size(void);
u64 fnat_conns_count(void);
int fnat_conns_walk(unsigned long *bucket, unsigned long *skip,
		    int (*show)(struct ip_vs_conn *cp, void *arg), void *arg);

/*
 * hook.inc.c, in the unit of ip_vs_core.c
 */
int fnat_hooks_register(struct fnat_net *fn);
void fnat_hooks_unregister(struct fnat_net *fn);

/*
 * xmit.inc.c, in the unit of ip_vs_xmit.c
 */
int fnat_xmit(struct sk_buff *skb, struct ip_vs_conn *cp,
	      struct ip_vs_protocol *pp, struct ip_vs_iphdr *iph);
int fnat_xmit_drop(struct sk_buff *skb, struct ip_vs_conn *cp,
		   struct ip_vs_protocol *pp, struct ip_vs_iphdr *iph);
int fnat_xmit_reply(struct sk_buff *skb, struct ip_vs_conn *cp,
		    struct ip_vs_iphdr *iph);
int fnat_xmit_icmp(struct sk_buff *skb, struct ip_vs_conn *cp,
		   enum fnat_dir dir, struct ip_vs_iphdr *iph,
		   struct ip_vs_iphdr *ciph);

/*
 * conn.inc.c, in the unit of ip_vs_conn.c: ip_vs_fnat_conn_hash()
 * ctl.inc.c, in the unit of ip_vs_ctl.c
 */
struct ip_vs_service *fnat_find_service(struct netns_ipvs *ipvs,
					struct nlattr *nest);
void fnat_config_lock(struct netns_ipvs *ipvs);
void fnat_config_unlock(struct netns_ipvs *ipvs);

/*
 * tcp.c
 */
bool fnat_l4_request(struct fnat_net *fn, struct sk_buff *skb,
		     struct ip_vs_conn *cp, struct ip_vs_iphdr *iph,
		     const struct dst_entry *dst);
bool fnat_l4_reply(struct fnat_net *fn, struct sk_buff *skb,
		   struct ip_vs_conn *cp, struct ip_vs_iphdr *iph);
void fnat_tcp_syn(struct fnat_net *fn, struct ip_vs_conn *cp, u32 isn);
unsigned int fnat_toa_size(const struct fnat_net *fn,
			   const struct ip_vs_conn *cp);
void fnat_tcp_init(void);

/*
 * icmp.c
 */
bool fnat_icmp_rewrite(struct fnat_net *fn, struct sk_buff *skb,
		       struct ip_vs_conn *cp, enum fnat_dir dir,
		       unsigned int toff, struct ip_vs_iphdr *ciph);

/*
 * rst.c
 */
void fnat_reset_both(struct fnat_net *fn, struct ip_vs_conn *cp);

/*
 * sysctl.c, stats.c, netlink.c
 */
int fnat_sysctl_init(struct fnat_net *fn);
void fnat_sysctl_exit(struct fnat_net *fn);
int fnat_stats_init(struct fnat_net *fn);
void fnat_stats_exit(struct fnat_net *fn);
u64 fnat_stats_sum(const struct fnat_net *fn, enum ipvs_fnat_stat number);
int fnat_netlink_register(void);
void fnat_netlink_unregister(void);

#endif /* _FNAT_H */
