// SPDX-License-Identifier: GPL-2.0-only
/*
 * Port pools: one for each (local address, destination, protocol).
 *
 * A port is taken only towards one destination, so a local address serves as
 * many sessions as it has ports with each real server.  Pools belong to the
 * namespace: two services may use the same address and destination.
 *
 * A pool is found by a resizable hash table under RCU.  Its reference count is
 * the number of ports taken, and one for being in the table; a pool that has
 * been idle for a while is taken out and freed.
 */
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "fnat.h"

#define FNAT_POOL_IDLE	(60 * HZ)

struct fnat_pool_key {
	union nf_inet_addr laddr;
	union nf_inet_addr daddr;
	__be16 dport;
	u8 proto;
	u8 af;
};

struct fnat_pool {
	struct rhash_head node;
	struct fnat_pool_key key;
	refcount_t refs;
	unsigned long used; /* when, in jiffies */
	struct portmap map;
	struct rcu_head rcu;
};

static const struct rhashtable_params fnat_pool_params = {
	.key_len = sizeof(struct fnat_pool_key),
	.key_offset = offsetof(struct fnat_pool, key),
	.head_offset = offsetof(struct fnat_pool, node),
	.automatic_shrinking = true,
};

static void fnat_pool_free(struct fnat_pool *pool)
{
	portmap_destroy(&pool->map);
	kfree(pool);
}

static void fnat_pool_free_rcu(struct rcu_head *head)
{
	fnat_pool_free(container_of(head, struct fnat_pool, rcu));
}

/* Return the pool with a reference, made if there is none. */
static struct fnat_pool *fnat_pool_get(struct fnat_net *fn,
				       const struct fnat_pool_key *key)
{
	struct fnat_pool *pool, *other;

	pool = rhashtable_lookup_fast(&fn->pools, key, fnat_pool_params);
	if (likely(pool && refcount_inc_not_zero(&pool->refs)))
		return pool;

	pool = kzalloc(sizeof(*pool), GFP_ATOMIC | __GFP_NOWARN);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->key = *key;
	pool->used = jiffies;
	refcount_set(&pool->refs, 2);
	other = rhashtable_lookup_get_insert_fast(&fn->pools, &pool->node,
						  fnat_pool_params);
	if (!other)
		return pool;
	kfree(pool);
	if (IS_ERR(other))
		return ERR_CAST(other);
	/* Another CPU was faster; one that is being freed counts as full. */
	if (!refcount_inc_not_zero(&other->refs))
		return ERR_PTR(-ENOSPC);
	return other;
}

/* Under RCU: take a port and with it a reference to the pool. */
int fnat_pool_take(struct fnat_net *fn, const struct fnat_laddr *local,
		   u8 proto, const union nf_inet_addr *daddr, __be16 dport,
		   struct fnat_pool **pool_p)
{
	struct fnat_pool_key key = {
		.dport = dport, .proto = proto, .af = local->af,
	};
	int low = READ_ONCE(fn->sysctl.lport_min);
	int high = READ_ONCE(fn->sysctl.lport_max);
	struct fnat_pool *pool;
	int port = -ENOSPC;

	ip_vs_addr_set(local->af, &key.laddr, &local->addr);
	ip_vs_addr_set(local->af, &key.daddr, daddr);
	pool = fnat_pool_get(fn, &key);
	if (IS_ERR(pool))
		return PTR_ERR(pool) == -ENOSPC ? -ENOSPC : -ENOMEM;
	/* Ours and the table's reference are no ports. */
	if (low <= high && refcount_read(&pool->refs) - 2 < high - low + 1)
		port = portmap_take(&pool->map, low, high,
				    raw_smp_processor_id(), nr_cpu_ids);
	if (port < 0) {
		refcount_dec(&pool->refs);
		return port;
	}
	*pool_p = pool;
	return port;
}

void fnat_pool_give(struct fnat_pool *pool, __be16 port)
{
	portmap_give(&pool->map, ntohs(port));
	WRITE_ONCE(pool->used, jiffies);
	/* The table's own reference is left, so this is never the last. */
	refcount_dec(&pool->refs);
}

/* Free pools that nobody has used for a while. */
static void fnat_pools_work(struct work_struct *work)
{
	struct fnat_net *fn = container_of(to_delayed_work(work),
					   struct fnat_net, pools_work);
	struct rhashtable_iter iter;
	struct fnat_pool *pool;

	rhashtable_walk_enter(&fn->pools, &iter);
	rhashtable_walk_start(&iter);
	while ((pool = rhashtable_walk_next(&iter)) != NULL) {
		if (IS_ERR(pool))
			continue; /* resized meanwhile: some are seen twice */
		if (time_before(jiffies,
				READ_ONCE(pool->used) + FNAT_POOL_IDLE) ||
		    !refcount_dec_if_one(&pool->refs))
			continue;
		rhashtable_remove_fast(&fn->pools, &pool->node,
				       fnat_pool_params);
		call_rcu(&pool->rcu, fnat_pool_free_rcu);
	}
	rhashtable_walk_stop(&iter);
	rhashtable_walk_exit(&iter);
	queue_delayed_work(system_power_efficient_wq, &fn->pools_work,
			   FNAT_POOL_IDLE / 2);
}

int fnat_pools_init(struct fnat_net *fn)
{
	INIT_DEFERRABLE_WORK(&fn->pools_work, fnat_pools_work);
	return rhashtable_init(&fn->pools, &fnat_pool_params);
}

static void fnat_pool_bury(void *item, void *arg)
{
	struct fnat_pool *pool = item;
	unsigned int *leaked = arg;

	*leaked += refcount_read(&pool->refs) - 1;
	fnat_pool_free(pool);
}

/* The sessions of the namespace are gone. */
void fnat_pools_exit(struct fnat_net *fn)
{
	unsigned int leaked = 0;

	cancel_delayed_work_sync(&fn->pools_work);
	rhashtable_free_and_destroy(&fn->pools, fnat_pool_bury, &leaked);
	WARN(leaked, "IPVS: %u local ports have not been given back\n", leaked);
}
