// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: their slab, the table that finds them from both sides, and their
 * end.
 *
 * Locks: each bucket is guarded by one of FNAT_LOCKS spinlocks, held for one
 * insertion or removal only and taken with bottom halves off; no other lock is
 * taken inside.  Readers use RCU.
 */
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <net/dst.h>

#include "fnat.h"

#define FNAT_LOCKS	1024
#define FNAT_BITS_MIN	8
#define FNAT_BITS_MAX	27

static int fnat_tab_bits;
module_param(fnat_tab_bits, int, 0444);
MODULE_PARM_DESC(fnat_tab_bits,
		 "Buckets of the FULLNAT table as a power of 2 (8..27); 0: by memory, one per 16 KB");

static struct hlist_head *fnat_tab __read_mostly;
static u32 fnat_tab_mask __read_mostly;
static hsiphash_key_t fnat_tab_key __read_mostly;
static spinlock_t fnat_tab_locks[FNAT_LOCKS] ____cacheline_aligned_in_smp;
static struct kmem_cache *fnat_conn_cachep __read_mostly;

static u32 fnat_hash(u32 salt, int af, u8 proto,
		     const union nf_inet_addr *saddr, __be16 sport,
		     const union nf_inet_addr *daddr, __be16 dport)
{
	u32 ports = (__force u32)sport << 16 | (__force u32)dport;

	salt ^= proto;
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6) {
		u32 words[] = {
			saddr->all[0], saddr->all[1],
			saddr->all[2], saddr->all[3],
			daddr->all[0], daddr->all[1],
			daddr->all[2], daddr->all[3],
			ports, salt,
		};

		return hsiphash(words, sizeof(words), &fnat_tab_key);
	}
#endif
	return hsiphash_4u32((__force u32)saddr->ip, (__force u32)daddr->ip,
			     ports, salt, &fnat_tab_key);
}

/* Whether packets of this tuple belong to the connection in this direction. */
static bool fnat_match(const struct ip_vs_conn *cp, enum fnat_dir dir, int af,
		       u8 proto, const union nf_inet_addr *saddr, __be16 sport,
		       const union nf_inet_addr *daddr, __be16 dport)
{
	const struct fnat_ext *ext = fnat_ext(cp);

	if (cp->af != af || cp->protocol != proto)
		return false;
	if (dir == FNAT_REQUEST)
		return cp->cport == sport && cp->vport == dport &&
		       ip_vs_addr_equal(af, &cp->caddr, saddr) &&
		       ip_vs_addr_equal(af, &cp->vaddr, daddr);
	return cp->dport == sport && ext->lport == dport &&
	       ip_vs_addr_equal(af, &cp->daddr, saddr) &&
	       ip_vs_addr_equal(af, &ext->laddr, daddr);
}

/*
 * Find the session of a packet, and the way the packet is going.  Under RCU;
 * the connection may be at its end, so whoever keeps or changes it must get a
 * reference first.
 */
struct ip_vs_conn *fnat_lookup(const struct fnat_net *fn,
			       const struct netns_ipvs *ipvs, int af,
			       u8 proto, const union nf_inet_addr *saddr,
			       __be16 sport, const union nf_inet_addr *daddr,
			       __be16 dport, enum fnat_dir *dir)
{
	u32 hash = fnat_hash(fn->salt, af, proto, saddr, sport, daddr, dport);
	struct fnat_node *node;

	hlist_for_each_entry_rcu(node, &fnat_tab[hash & fnat_tab_mask], link) {
		struct ip_vs_conn *cp;

		if (node->hash != hash)
			continue;
		cp = fnat_conn(container_of(node, struct fnat_ext,
					    node[node->dir]));
		if (cp->ipvs == ipvs &&
		    fnat_match(cp, node->dir, af, proto, saddr, sport, daddr,
			       dport)) {
			*dir = node->dir;
			return cp;
		}
	}
	return NULL;
}

static spinlock_t *fnat_lock(u32 hash)
{
	return &fnat_tab_locks[hash % FNAT_LOCKS];
}

static void fnat_node_link(struct fnat_node *node, enum fnat_dir dir, u32 hash)
{
	node->hash = hash;
	node->dir = dir;
	spin_lock_bh(fnat_lock(hash));
	hlist_add_head_rcu(&node->link, &fnat_tab[hash & fnat_tab_mask]);
	spin_unlock_bh(fnat_lock(hash));
}

static void fnat_node_unlink(struct fnat_node *node)
{
	spin_lock_bh(fnat_lock(node->hash));
	hlist_del_rcu(&node->link);
	spin_unlock_bh(fnat_lock(node->hash));
}

void fnat_conn_link(struct ip_vs_conn *cp)
{
	struct fnat_ext *ext = fnat_ext(cp);
	u32 salt = fnat_net(cp->ipvs->net)->salt;

	fnat_node_link(&ext->node[FNAT_REQUEST], FNAT_REQUEST,
		       fnat_hash(salt, cp->af, cp->protocol, &cp->caddr,
				 cp->cport, &cp->vaddr, cp->vport));
	fnat_node_link(&ext->node[FNAT_REPLY], FNAT_REPLY,
		       fnat_hash(salt, cp->af, cp->protocol, &cp->daddr,
				 cp->dport, &ext->laddr, ext->lport));
}

static bool fnat_wanted(const struct ip_vs_dest *dest, unsigned int flags)
{
	/* Templates never forward.  What another director announces has a
	 * local address that is not ours.
	 */
	return dest && !(flags & (IP_VS_CONN_F_TEMPLATE | IP_VS_CONN_F_SYNC)) &&
	       (atomic_read(&dest->conn_flags) & IP_VS_CONN_F_FWD_MASK) ==
		       IP_VS_CONN_F_FULLNAT;
}

/* Patch 0020: everything that can fail for a FULLNAT session fails here. */
struct ip_vs_conn *ip_vs_fnat_conn_alloc(struct kmem_cache *stock,
					 const struct ip_vs_conn_param *p,
					 struct ip_vs_dest *dest,
					 const union nf_inet_addr *daddr,
					 __be16 dport, unsigned int *flags)
{
	struct ip_vs_service *svc;
	struct ip_vs_conn *cp;
	struct fnat_net *fn;

	if (likely(!fnat_wanted(dest, *flags)))
		return kmem_cache_alloc(stock, GFP_ATOMIC);

	fn = fnat_net(p->ipvs->net);
	svc = rcu_dereference(dest->svc);
	if (!svc || p->af != dest->af ||
	    (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)) {
		fnat_count(fn, FULLNAT_DROP);
		return NULL;
	}
	cp = kmem_cache_alloc(fnat_conn_cachep, GFP_ATOMIC);
	if (!cp) {
		fnat_count(fn, FULLNAT_NO_MEMORY);
		return NULL;
	}
	memset(fnat_ext(cp), 0, sizeof(struct fnat_ext));
	if (fnat_laddr_bind(fn, svc, p->protocol, daddr, dport, fnat_ext(cp))) {
		kmem_cache_free(fnat_conn_cachep, cp);
		return NULL;
	}
	fnat_count(fn, FULLNAT_CONN_ALLOC);
	/* Replies must find it, so one packet is not its whole life. */
	*flags = (*flags | FNAT_F_EXT) & ~IP_VS_CONN_F_ONE_PACKET;
	return cp;
}

/* Patch 0020: the reason of a FULLNAT session's refusal has been counted. */
void ip_vs_fnat_conn_refused(const struct ip_vs_dest *dest)
{
	if (!fnat_wanted(dest, 0))
		pr_err_ratelimited("IPVS: no memory for a connection\n");
}

/* Patch 0040, in an RCU callback. */
void ip_vs_fnat_conn_free(struct kmem_cache *stock, struct ip_vs_conn *cp)
{
	if (likely(!fnat_is_ext(cp))) {
		kmem_cache_free(stock, cp);
		return;
	}
	/* Usually gone with ip_vs_fnat_conn_expire(); a packet that was on its
	 * way may have looked the route up once more.
	 */
	dst_release(rcu_dereference_protected(fnat_ext(cp)->dst, 1));
	kmem_cache_free(fnat_conn_cachep, cp);
}

/* Whether it is the timer that ends this established connection, and not a
 * flush, the end of the namespace or of the module: these do not wait.
 */
static bool fnat_died_of_age(const struct fnat_net *fn,
			     const struct ip_vs_conn *cp)
{
	return cp->protocol == IPPROTO_TCP &&
	       cp->state == IP_VS_TCP_S_ESTABLISHED &&
	       time_before_eq(cp->timer.expires, jiffies) && cp->timeout &&
	       cp->ipvs->enable && !READ_ONCE(fn->dying);
}

/* Patch 0050: nobody has a reference, and nobody can get one. */
void ip_vs_fnat_conn_expire(struct ip_vs_conn *cp)
{
	struct fnat_ext *ext;
	struct fnat_net *fn;

	if (likely(!fnat_is_ext(cp)))
		return;
	ext = fnat_ext(cp);
	fn = fnat_net(cp->ipvs->net);
	fnat_node_unlink(&ext->node[FNAT_REQUEST]);
	fnat_node_unlink(&ext->node[FNAT_REPLY]);
	if (fn->sysctl.expire_rst && fnat_died_of_age(fn, cp))
		fnat_reset_both(fn, cp);
	fnat_laddr_unbind(ext);
	dst_release((__force struct dst_entry *)xchg((__force void **)&ext->dst,
						     NULL));
	fnat_count(fn, FULLNAT_CONN_FREE);
}

/* Patch 0080 */
void ip_vs_fnat_sync_conn(struct netns_ipvs *ipvs, struct ip_vs_conn *cp,
			  int pkts)
{
	if (!fnat_is_ext(cp))
		ip_vs_sync_conn(ipvs, cp, pkts);
}

/*
 * Show sessions from bucket *@bucket on, of which the first *@skip have been
 * shown, until @show returns an error, and remember where that was.
 */
int fnat_conns_walk(unsigned long *bucket, unsigned long *skip,
		    int (*show)(struct ip_vs_conn *cp, void *arg), void *arg)
{
	for (; *bucket <= fnat_tab_mask; ++*bucket, *skip = 0) {
		struct fnat_node *node;
		unsigned long number = 0;
		int err = 0;

		if (hlist_empty(&fnat_tab[*bucket]))
			continue;
		rcu_read_lock();
		hlist_for_each_entry_rcu(node, &fnat_tab[*bucket], link) {
			struct fnat_ext *ext;

			if (node->dir != FNAT_REQUEST || number++ < *skip)
				continue;
			ext = container_of(node, struct fnat_ext,
					   node[FNAT_REQUEST]);
			err = show(fnat_conn(ext), arg);
			if (err)
				break;
			++*skip;
		}
		rcu_read_unlock();
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

unsigned int fnat_table_size(void)
{
	return fnat_tab_mask + 1;
}

/* Sum up over all namespaces; that they change meanwhile is fine. */
u64 fnat_conns_count(void)
{
	struct net *net;
	u64 count = 0;

	rcu_read_lock();
	for_each_net_rcu(net) {
		const struct fnat_net *fn = fnat_net(net);

		if (!fn)
			continue;
		count += fnat_stats_sum(fn, IPVS_FNAT_STAT_FULLNAT_CONN_ALLOC);
		count -= fnat_stats_sum(fn, IPVS_FNAT_STAT_FULLNAT_CONN_FREE);
	}
	rcu_read_unlock();
	return count;
}

static u32 fnat_choose_bits(void)
{
	int bits = fnat_tab_bits;

	if (!bits)
		bits = ilog2(totalram_pages()) + PAGE_SHIFT - 14;
	return clamp(bits, FNAT_BITS_MIN, FNAT_BITS_MAX);
}

int fnat_conns_init(void)
{
	size_t buckets = 1UL << fnat_choose_bits();
	unsigned int number;

	fnat_tab = kvcalloc(buckets, sizeof(*fnat_tab), GFP_KERNEL);
	if (!fnat_tab)
		return -ENOMEM;
	fnat_tab_mask = buckets - 1;
	get_random_bytes(&fnat_tab_key, sizeof(fnat_tab_key));
	for (number = 0; number < FNAT_LOCKS; number++)
		spin_lock_init(&fnat_tab_locks[number]);

	fnat_conn_cachep = kmem_cache_create("ip_vs_conn_fnat",
					     sizeof(struct ip_vs_conn) +
						     sizeof(struct fnat_ext),
					     0, SLAB_HWCACHE_ALIGN, NULL);
	if (!fnat_conn_cachep) {
		kvfree(fnat_tab);
		return -ENOMEM;
	}
	return 0;
}

/* The connections of every namespace are gone, their RCU callbacks have run. */
void fnat_conns_exit(void)
{
	kmem_cache_destroy(fnat_conn_cachep);
	kvfree(fnat_tab);
}
