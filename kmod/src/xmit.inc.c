// SPDX-License-Identifier: GPL-2.0-only
/*
 * FULLNAT, the part in ip_vs_xmit.c: routes, size checks, and the way out.
 *
 * Errors about a packet (too big, hops used up) go to its sender and quote it
 * as it came, so all checks come before the first change.
 */
#include "fnat.h"

static int fnat_drop(struct fnat_net *fn, struct sk_buff *skb)
{
	fnat_count(fn, FULLNAT_DROP);
	kfree_skb(skb);
	return NF_STOLEN;
}

static void fnat_set_addresses(struct sk_buff *skb, int af,
			       const union nf_inet_addr *saddr,
			       const union nf_inet_addr *daddr)
{
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6) {
		ipv6_hdr(skb)->saddr = saddr->in6;
		ipv6_hdr(skb)->daddr = daddr->in6;
		return;
	}
#endif
	ip_hdr(skb)->saddr = saddr->ip;
	ip_hdr(skb)->daddr = daddr->ip;
	ip_send_check(ip_hdr(skb));
}

static int fnat_send(struct sk_buff *skb, struct ip_vs_conn *cp)
{
	int pf = cp->af == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;

	/* Its size has been checked, or it may be cut. */
	skb->ignore_df = 1;
	skb->ipvs_property = 1;
	fnat_untrack(skb);
	ip_vs_drop_early_demux_sk(skb);
	skb_forward_csum(skb);
	if (skb->dev)
		skb_clear_tstamp(skb);
	NF_HOOK(pf, NF_INET_LOCAL_OUT, cp->ipvs->net, NULL, skb, NULL,
		skb_dst(skb)->dev, dst_output);
	return NF_STOLEN;
}

/*
 * Route a packet to the server, with all that goes with it: hops, size, errors
 * to the client.  A server on this host is refused: what it answers would not
 * come past us.
 */
static bool fnat_route_request(struct sk_buff *skb, struct ip_vs_conn *cp,
			       struct ip_vs_iphdr *iph)
{
#ifdef CONFIG_IP_VS_IPV6
	if (cp->af == AF_INET6)
		return __ip_vs_get_out_rt_v6(cp->ipvs, cp->af, skb, cp->dest,
					     &cp->daddr.in6, NULL, iph, 0,
					     IP_VS_RT_MODE_NON_LOCAL) == 0;
#endif
	return __ip_vs_get_out_rt(cp->ipvs, cp->af, skb, cp->dest,
				  cp->daddr.ip, IP_VS_RT_MODE_NON_LOCAL, NULL,
				  iph) == 0;
}

/*
 * The forwarding method's transmitter: from the client to the server.  Also
 * called by the kernel for SYNs, for clients on this host, and for ICMP errors
 * that pass it.
 */
int fnat_xmit(struct sk_buff *skb, struct ip_vs_conn *cp,
	      struct ip_vs_protocol *pp, struct ip_vs_iphdr *iph)
{
	struct fnat_net *fn = fnat_net(cp->ipvs->net);

	if (unlikely(ip_vs_iph_icmp(iph))) {
		struct ip_vs_iphdr outer;

		if (!ip_vs_fill_iph_skb(cp->af, skb, false, &outer))
			return fnat_drop(fn, skb);
		return fnat_xmit_icmp(skb, cp, FNAT_REQUEST, &outer, iph);
	}
	if (!fnat_route_request(skb, cp, iph) ||
	    !fnat_l4_request(fn, skb, cp, iph, skb_dst(skb)))
		return fnat_drop(fn, skb);
	fnat_set_addresses(skb, cp->af, &fnat_ext(cp)->laddr, &cp->daddr);
	return fnat_send(skb, cp);
}

/* For connections that another director has announced. */
int fnat_xmit_drop(struct sk_buff *skb, struct ip_vs_conn *cp,
		   struct ip_vs_protocol *pp, struct ip_vs_iphdr *iph)
{
	return fnat_drop(fnat_net(cp->ipvs->net), skb);
}

static struct dst_entry *fnat_find_route4(const struct ip_vs_conn *cp,
					  u32 mark)
{
	struct flowi4 fl4 = {
		.daddr = cp->caddr.ip,
		.saddr = cp->vaddr.ip,
		.flowi4_proto = cp->protocol,
		.fl4_sport = cp->vport,
		.fl4_dport = cp->cport,
		.flowi4_mark = mark,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(cp->ipvs->net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

#ifdef CONFIG_IP_VS_IPV6
static struct dst_entry *fnat_find_route6(const struct ip_vs_conn *cp,
					  u32 mark, u32 *cookie)
{
	struct flowi6 fl6 = {
		.daddr = cp->caddr.in6,
		.saddr = cp->vaddr.in6,
		.flowi6_proto = cp->protocol,
		.fl6_sport = cp->vport,
		.fl6_dport = cp->cport,
		.flowi6_mark = mark,
	};
	struct dst_entry *dst = ip6_route_output(cp->ipvs->net, NULL, &fl6);

	if (dst->error) {
		dst_release(dst);
		return NULL;
	}
	*cookie = rt6_get_cookie(fnat_rt6_info(dst));
	return dst;
}
#endif

static struct dst_entry *fnat_find_route(const struct ip_vs_conn *cp, u32 mark,
					 u32 *cookie)
{
#ifdef CONFIG_IP_VS_IPV6
	if (cp->af == AF_INET6)
		return fnat_find_route6(cp, mark, cookie);
#endif
	return fnat_find_route4(cp, mark);
}

/* Look the route to the client up and remember it. */
static struct dst_entry *fnat_renew_route(struct ip_vs_conn *cp, u32 mark)
{
	struct fnat_ext *ext = fnat_ext(cp);
	struct dst_entry *dst, *old;
	u32 cookie = 0;

	dst = fnat_find_route(cp, mark, &cookie);

	spin_lock_bh(&cp->lock);
	old = rcu_dereference_protected(ext->dst, lockdep_is_held(&cp->lock));
	/* Whoever reads the new route with the old cookie looks up again. */
	WRITE_ONCE(ext->dst_cookie, cookie);
	rcu_assign_pointer(ext->dst, dst);
	spin_unlock_bh(&cp->lock);
	dst_release(old);
	return dst;
}

/* Return the route to the client, valid under RCU. */
static struct dst_entry *fnat_reply_route(struct ip_vs_conn *cp, u32 mark)
{
	struct fnat_ext *ext = fnat_ext(cp);
	struct dst_entry *dst = rcu_dereference(ext->dst);

	if (likely(dst && dst_check(dst, READ_ONCE(ext->dst_cookie))))
		return dst;
	return fnat_renew_route(cp, mark);
}

/* Whether a reply is too big for its way; then its sender has been told. */
static bool fnat_reply_too_big(struct sk_buff *skb, int af, unsigned int mtu)
{
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6) {
		if (likely(!__mtu_check_toobig_v6(skb, mtu)))
			return false;
		icmpv6_send(skb, ICMPV6_PKT_TOOBIG, 0, mtu);
		return true;
	}
#endif
	if (likely(!(ip_hdr(skb)->frag_off & htons(IP_DF)) ||
		   !ip_vs_exceeds_mtu(skb, mtu)))
		return false;
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, htonl(mtu));
	return true;
}

static void fnat_exchange_route(struct sk_buff *skb, struct dst_entry *dst)
{
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, dst);
}

/* From the server to the client. */
int fnat_xmit_reply(struct sk_buff *skb, struct ip_vs_conn *cp,
		    struct ip_vs_iphdr *iph)
{
	struct fnat_net *fn = fnat_net(cp->ipvs->net);
	struct dst_entry *dst = fnat_reply_route(cp, skb->mark);

	if (unlikely(!dst) || !decrement_ttl(cp->ipvs, cp->af, skb) ||
	    fnat_reply_too_big(skb, cp->af, dst_mtu(dst)) ||
	    !fnat_l4_reply(fn, skb, cp, iph))
		return fnat_drop(fn, skb);
	fnat_set_addresses(skb, cp->af, &cp->vaddr, &cp->caddr);
	fnat_exchange_route(skb, dst);
	return fnat_send(skb, cp);
}

/*
 * An ICMP error about a packet that we sent: @dir is the way that it goes on,
 * @iph its own header, @ciph the one that it quotes.
 */
int fnat_xmit_icmp(struct sk_buff *skb, struct ip_vs_conn *cp,
		   enum fnat_dir dir, struct ip_vs_iphdr *iph,
		   struct ip_vs_iphdr *ciph)
{
	struct fnat_net *fn = fnat_net(cp->ipvs->net);

	if (dir == FNAT_REQUEST) {
		if (!fnat_route_request(skb, cp, ciph))
			return fnat_drop(fn, skb);
	} else {
		struct dst_entry *dst = fnat_reply_route(cp, skb->mark);

		if (!dst || !decrement_ttl(cp->ipvs, cp->af, skb))
			return fnat_drop(fn, skb);
		fnat_exchange_route(skb, dst);
	}
	if (!fnat_icmp_rewrite(fn, skb, cp, dir, iph->len, ciph))
		return fnat_drop(fn, skb);
	return fnat_send(skb, cp);
}
