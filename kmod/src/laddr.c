// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local addresses: the set of each service, whose turn it is, and what each has
 * done.
 *
 * The set of a service is an array that is exchanged as a whole, under the
 * configuration lock; packets read it under RCU.  An address lives as long as
 * it is in the set or a session uses it.
 */
#include <linux/slab.h>

#include "fnat.h"

static void fnat_laddr_put(struct fnat_laddr *local)
{
	if (refcount_dec_and_test(&local->refs))
		kfree_rcu(local, rcu);
}

static void fnat_no_port(struct fnat_net *fn, struct ip_vs_service *svc,
			 const char *what)
{
	unsigned long last = atomic_long_read(&fn->warned);

	/* Once a minute at most: the counters tell the rest. */
	if (last && time_before(jiffies, last + 60 * HZ))
		return;
	if (atomic_long_cmpxchg(&fn->warned, last, jiffies | 1) != last)
		return;
	if (svc->fwmark)
		pr_warn("IPVS: FWM %u: %s, sessions are refused\n",
			svc->fwmark, what);
	else if (svc->af == AF_INET6)
		pr_warn("IPVS: [%pI6c]:%u: %s, sessions are refused\n",
			&svc->addr.in6, ntohs(svc->port), what);
	else
		pr_warn("IPVS: %pI4:%u: %s, sessions are refused\n",
			&svc->addr.ip, ntohs(svc->port), what);
}

/*
 * Give a new session a local address and a port towards its destination.
 * Under RCU.
 */
int fnat_laddr_bind(struct fnat_net *fn, struct ip_vs_service *svc, u8 proto,
		    const union nf_inet_addr *daddr, __be16 dport,
		    struct fnat_ext *ext)
{
	struct fnat_service *fs = fnat_service(svc);
	struct fnat_laddrs *set = rcu_dereference(fs->set);
	u32 number, start, tries;

	if (!set || !set->count) {
		fnat_count(fn, FULLNAT_NO_LADDR);
		fnat_no_port(fn, svc, "no local addresses");
		return -EADDRNOTAVAIL;
	}
	start = atomic_inc_return(&fs->turn);
	tries = min_t(u32, set->count, READ_ONCE(fn->sysctl.lport_tries));
	for (number = 0; number < tries; number++) {
		struct fnat_laddr *local = set->laddr[(start + number) %
						      set->count];
		int port = fnat_pool_take(fn, local, proto, daddr, dport,
					  &ext->pool);

		/* Out of the set meanwhile, and gone: as if it had been. */
		if (port >= 0 && !refcount_inc_not_zero(&local->refs)) {
			fnat_pool_give(ext->pool, htons(port));
			continue;
		}
		if (port >= 0) {
			ip_vs_addr_set(local->af, &ext->laddr, &local->addr);
			ext->lport = htons(port);
			ext->local = local;
			ext->est_timeout = READ_ONCE(fs->est_timeout);
			atomic_inc(&local->conns);
			atomic64_inc(&local->allocs);
			return 0;
		}
		if (port == -ENOMEM) {
			fnat_count(fn, FULLNAT_NO_MEMORY);
			return port;
		}
		atomic64_inc(&local->conflicts);
		fnat_count(fn, FULLNAT_PORT_CONFLICT);
	}
	fnat_count(fn, FULLNAT_PORT_EXHAUSTED);
	fnat_no_port(fn, svc, "no free port at any local address");
	return -EADDRINUSE;
}

void fnat_laddr_unbind(struct fnat_ext *ext)
{
	fnat_pool_give(ext->pool, ext->lport);
	atomic_dec(&ext->local->conns);
	fnat_laddr_put(ext->local);
}

static struct fnat_laddrs *fnat_laddrs_alloc(u32 count)
{
	struct fnat_laddrs *set;

	set = kvzalloc(struct_size(set, laddr, count), GFP_KERNEL);
	if (set)
		set->count = count;
	return set;
}

static struct fnat_laddrs *fnat_laddrs_of(struct fnat_service *fs)
{
	/* The configuration lock is another one in each kernel series. */
	return rcu_dereference_protected(fs->set, 1);
}

static void fnat_laddrs_exchange(struct fnat_service *fs,
				 struct fnat_laddrs *fresh)
{
	struct fnat_laddrs *old = fnat_laddrs_of(fs);

	fs->changes++;
	rcu_assign_pointer(fs->set, fresh);
	if (old)
		kvfree_rcu(old, rcu);
}

static int fnat_laddr_index(const struct fnat_laddrs *set, u16 af,
			    const union nf_inet_addr *addr)
{
	u32 number;

	for (number = 0; set && number < set->count; number++)
		if (ip_vs_addr_equal(af, &set->laddr[number]->addr, addr))
			return number;
	return -ENOENT;
}

/* Under the configuration lock. */
int fnat_laddr_add(struct fnat_service *fs, const union nf_inet_addr *addr)
{
	struct fnat_laddrs *old = fnat_laddrs_of(fs), *fresh;
	u32 count = old ? old->count : 0;
	struct fnat_laddr *local;

	if (fnat_laddr_index(old, fs->svc.af, addr) >= 0)
		return -EEXIST;
	if (count >= IPVS_FNAT_LADDR_MAX)
		return -ENOSPC;
	local = kzalloc(sizeof(*local), GFP_KERNEL);
	fresh = fnat_laddrs_alloc(count + 1);
	if (!local || !fresh) {
		kfree(local);
		kvfree(fresh);
		return -ENOMEM;
	}
	ip_vs_addr_set(fs->svc.af, &local->addr, addr);
	local->af = fs->svc.af;
	refcount_set(&local->refs, 1);
	if (old)
		memcpy(fresh->laddr, old->laddr,
		       count * sizeof(fresh->laddr[0]));
	fresh->laddr[count] = local;
	fnat_laddrs_exchange(fs, fresh);
	return 0;
}

/* Under the configuration lock. */
int fnat_laddr_del(struct fnat_service *fs, const union nf_inet_addr *addr)
{
	struct fnat_laddrs *old = fnat_laddrs_of(fs), *fresh = NULL;
	int index = fnat_laddr_index(old, fs->svc.af, addr);
	struct fnat_laddr *local;
	u32 number, at = 0;

	if (index < 0)
		return index;
	local = old->laddr[index];
	if (old->count > 1) {
		fresh = fnat_laddrs_alloc(old->count - 1);
		if (!fresh)
			return -ENOMEM;
		for (number = 0; number < old->count; number++)
			if (number != index)
				fresh->laddr[at++] = old->laddr[number];
	}
	fnat_laddrs_exchange(fs, fresh);
	fnat_laddr_put(local);
	return 0;
}

/* Patch 0060 */
struct ip_vs_service *ip_vs_fnat_service_alloc(void)
{
	struct fnat_service *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	return fs ? &fs->svc : NULL;
}

/* Patch 0060: no packet can see the service any longer. */
void ip_vs_fnat_service_free(struct ip_vs_service *svc)
{
	struct fnat_service *fs = fnat_service(svc);
	struct fnat_laddrs *set = fnat_laddrs_of(fs);
	u32 number;

	for (number = 0; set && number < set->count; number++)
		fnat_laddr_put(set->laddr[number]);
	kvfree(set);
	kfree(fs);
}
