// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets for both ends of a session that has timed out, so that neither waits
 * for the other.
 *
 * A reset must carry exactly the number that its receiver expects next
 * (RFC 5961 section 3.2), which is known from the server's packets
 * (fnat_note_reply() in tcp.c).
 */
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>
#include <net/tcp.h>

#include "fnat.h"

struct fnat_reset {
	const union nf_inet_addr *saddr, *daddr;
	__be16 sport, dport;
	u32 seq;
};

/* At most @expire_rst_rate in a second, counted in tenths: many sessions may
 * end at once.
 */
static bool fnat_reset_allowed(struct fnat_net *fn)
{
	unsigned long window = READ_ONCE(fn->rst_window);
	unsigned long now = jiffies;

	if (time_after_eq(now, window + HZ / 10) &&
	    cmpxchg(&fn->rst_window, window, now) == window)
		atomic_set(&fn->rst_count, 0);
	if (atomic_inc_return(&fn->rst_count) <=
	    READ_ONCE(fn->sysctl.expire_rst_rate) / 10)
		return true;
	fnat_count(fn, RST_LIMITED);
	return false;
}

static struct sk_buff *fnat_reset_alloc(unsigned int header)
{
	struct sk_buff *skb;

	skb = alloc_skb(LL_MAX_HEADER + header + sizeof(struct tcphdr),
			GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	skb_put_zero(skb, header + sizeof(struct tcphdr));
	skb_set_transport_header(skb, header);
	skb->ipvs_property = 1;
	return skb;
}

static struct tcphdr *fnat_reset_tcp(struct sk_buff *skb,
				     const struct fnat_reset *reset)
{
	struct tcphdr *th = tcp_hdr(skb);

	th->source = reset->sport;
	th->dest = reset->dport;
	th->seq = htonl(reset->seq);
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	return th;
}

static bool fnat_reset4(struct net *net, const struct fnat_reset *reset)
{
	struct flowi4 fl4 = {
		.saddr = reset->saddr->ip,
		.daddr = reset->daddr->ip,
		.flowi4_proto = IPPROTO_TCP,
		.fl4_sport = reset->sport,
		.fl4_dport = reset->dport,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);
	struct sk_buff *skb;
	struct tcphdr *th;
	struct iphdr *iph;

	if (IS_ERR(rt))
		return false;
	skb = fnat_reset_alloc(sizeof(*iph));
	if (!skb) {
		ip_rt_put(rt);
		return false;
	}
	skb_dst_set(skb, &rt->dst);
	skb->protocol = htons(ETH_P_IP);
	iph = ip_hdr(skb);
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->frag_off = htons(IP_DF);
	iph->ttl = ip4_dst_hoplimit(&rt->dst);
	iph->protocol = IPPROTO_TCP;
	iph->saddr = reset->saddr->ip;
	iph->daddr = reset->daddr->ip;
	th = fnat_reset_tcp(skb, reset);
	th->check = csum_tcpudp_magic(iph->saddr, iph->daddr, sizeof(*th),
				      IPPROTO_TCP,
				      csum_partial(th, sizeof(*th), 0));
	fnat_untrack(skb);
	ip_local_out(net, NULL, skb);
	return true;
}

#ifdef CONFIG_IP_VS_IPV6
static bool fnat_reset6(struct net *net, const struct fnat_reset *reset)
{
	struct flowi6 fl6 = {
		.saddr = reset->saddr->in6,
		.daddr = reset->daddr->in6,
		.flowi6_proto = IPPROTO_TCP,
		.fl6_sport = reset->sport,
		.fl6_dport = reset->dport,
	};
	struct dst_entry *dst = ip6_route_output(net, NULL, &fl6);
	struct sk_buff *skb = NULL;
	struct ipv6hdr *iph;
	struct tcphdr *th;

	if (!dst->error)
		skb = fnat_reset_alloc(sizeof(*iph));
	if (!skb) {
		dst_release(dst);
		return false;
	}
	skb_dst_set(skb, dst);
	skb->protocol = htons(ETH_P_IPV6);
	iph = ipv6_hdr(skb);
	ip6_flow_hdr(iph, 0, 0);
	iph->payload_len = htons(sizeof(*th));
	iph->nexthdr = IPPROTO_TCP;
	iph->hop_limit = ip6_dst_hoplimit(dst);
	iph->saddr = reset->saddr->in6;
	iph->daddr = reset->daddr->in6;
	th = fnat_reset_tcp(skb, reset);
	th->check = csum_ipv6_magic(&iph->saddr, &iph->daddr, sizeof(*th),
				    IPPROTO_TCP,
				    csum_partial(th, sizeof(*th), 0));
	fnat_untrack(skb);
	ip6_local_out(net, NULL, skb);
	return true;
}
#endif

static bool fnat_reset_send(struct net *net, int af,
			    const struct fnat_reset *reset)
{
	bool sent;

	/* A flush comes here from a process, the timer from an interrupt. */
	local_bh_disable();
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6)
		sent = fnat_reset6(net, reset);
	else
#endif
		sent = fnat_reset4(net, reset);
	local_bh_enable();
	return sent;
}

void fnat_reset_both(struct fnat_net *fn, struct ip_vs_conn *cp)
{
	const struct fnat_ext *ext = fnat_ext(cp);
	const struct fnat_reset client = {
		.saddr = &cp->vaddr, .sport = cp->vport,
		.daddr = &cp->caddr, .dport = cp->cport,
		.seq = ext->server_end,
	};
	const struct fnat_reset server = {
		.saddr = &ext->laddr, .sport = ext->lport,
		.daddr = &cp->daddr, .dport = cp->dport,
		.seq = ext->server_ack,
	};

	if (!(ext->flags & FNAT_EXT_END))
		return;
	if (fnat_reset_allowed(fn) && fnat_reset_send(fn->net, cp->af, &client))
		fnat_count(fn, RST_IN_ESTABLISHED);
	if (fnat_reset_allowed(fn) && fnat_reset_send(fn->net, cp->af, &server))
		fnat_count(fn, RST_OUT_ESTABLISHED);
}
