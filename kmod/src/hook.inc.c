// SPDX-License-Identifier: GPL-2.0-only
/*
 * FULLNAT, the part in ip_vs_core.c: where packets meet us.
 *
 * Virtual and local addresses both belong to this host, so packets of both
 * directions arrive at LOCAL_IN, already put together from fragments, and need
 * no forwarding.  Our hook is right before the kernel's two, and one lookup in
 * our table tells whether a packet is ours and which way it goes.
 *
 *	reply				translated and sent
 *	request, but no SYN		translated and sent
 *	SYN, or server is gone		left to ip_vs_in_hook(), which has the
 *					rules for it and ends in fnat_xmit()
 *	ICMP error for one of these	translated and sent
 *	anything else			not ours
 */
#include "fnat.h"

/* Whether the state machine would leave everything as it is.  Most packets are
 * of this kind; they need neither its lock nor a reference.
 */
static bool fnat_is_steady(const struct ip_vs_conn *cp,
			   const struct tcphdr *th)
{
	__be32 flags = tcp_flag_word(th);

	return cp->state == IP_VS_TCP_S_ESTABLISHED &&
	       (flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST |
			 TCP_FLAG_ACK)) == TCP_FLAG_ACK;
}

/*
 * Let a session without reference live on.  The timer is moved only when it is
 * a second off: a session may end a second early, or an eighth of a timeout
 * that is shorter.  After the last reference has gone, this does nothing.
 */
static void fnat_touch(struct ip_vs_conn *cp, unsigned long timeout)
{
	unsigned long slack = min_t(unsigned long, HZ, timeout / 8);
	unsigned long expires = jiffies + timeout;
	unsigned long late = expires - READ_ONCE(cp->timer.expires);

	if (cp->timeout != timeout)
		cp->timeout = timeout;
	if (late > slack)
		mod_timer_pending(&cp->timer, expires);
}

/* The service's own timeout, after the state machine has set the usual one. */
static void fnat_set_timeout(struct ip_vs_conn *cp)
{
	u32 timeout = fnat_ext(cp)->est_timeout;

	if (timeout && cp->protocol == IPPROTO_TCP &&
	    cp->state == IP_VS_TCP_S_ESTABLISHED)
		cp->timeout = timeout;
}

static unsigned int fnat_forward(struct sk_buff *skb, struct ip_vs_conn *cp,
				 struct ip_vs_protocol *pp, enum fnat_dir dir,
				 struct ip_vs_iphdr *iph)
{
	if (dir == FNAT_REPLY) {
		ip_vs_out_stats(cp, skb);
		return fnat_xmit_reply(skb, cp, iph);
	}
	ip_vs_in_stats(cp, skb);
	/* Who has sent more is not dropped under memory pressure. */
	if (atomic_read(&cp->in_pkts) <= 8)
		atomic_inc(&cp->in_pkts);
	return fnat_xmit(skb, cp, pp, iph);
}

/* Packets that may change the state of their session. */
static unsigned int fnat_forward_slow(struct sk_buff *skb,
				      struct ip_vs_conn *cp,
				      struct ip_vs_proto_data *pd,
				      enum fnat_dir dir,
				      struct ip_vs_iphdr *iph)
{
	unsigned int verdict;

	if (!__ip_vs_conn_get(cp))
		return NF_ACCEPT; /* it has just ended */
	ip_vs_set_state(cp, dir == FNAT_REPLY ? IP_VS_DIR_OUTPUT :
						IP_VS_DIR_INPUT,
			skb, pd, iph->len);
	fnat_set_timeout(cp);
	verdict = fnat_forward(skb, cp, pd->pp, dir, iph);
	ip_vs_conn_put(cp);
	return verdict;
}

static unsigned int fnat_tcp_udp(struct fnat_net *fn, struct netns_ipvs *ipvs,
				 struct sk_buff *skb, int af,
				 struct ip_vs_iphdr *iph)
{
	struct ip_vs_proto_data *pd;
	struct tcphdr _th, *th;
	struct ip_vs_conn *cp;
	unsigned long timeout;
	enum fnat_dir dir;

	/* Of UDP only the ports are looked at, which are in the same place. */
	th = skb_header_pointer(skb, iph->len,
				iph->protocol == IPPROTO_TCP ?
					sizeof(*th) : sizeof(struct udphdr),
				&_th);
	if (unlikely(!th))
		return NF_ACCEPT;
	cp = fnat_lookup(fn, ipvs, af, iph->protocol, &iph->saddr, th->source,
			 &iph->daddr, th->dest, &dir);
	if (!cp)
		return NF_ACCEPT;
	pd = ip_vs_proto_data_get(ipvs, iph->protocol);
	if (unlikely(!pd))
		return NF_ACCEPT;

	if (dir == FNAT_REQUEST) {
		if (!cp->dest || !(cp->dest->cflags & IP_VS_DEST_CF_AVAILABLE))
			return NF_ACCEPT;
		if (iph->protocol == IPPROTO_TCP && th->syn) {
			fnat_tcp_syn(fn, cp, ntohl(th->seq));
			return NF_ACCEPT;
		}
	}
	if (iph->protocol != IPPROTO_TCP || !fnat_is_steady(cp, th))
		return fnat_forward_slow(skb, cp, pd, dir, iph);
	timeout = fnat_ext(cp)->est_timeout;
	if (!timeout)
		timeout = pd->timeout_table[IP_VS_TCP_S_ESTABLISHED];
	fnat_touch(cp, timeout);
	return fnat_forward(skb, cp, pd->pp, dir, iph);
}

static bool fnat_is_icmp_error(const struct sk_buff *skb, int af,
			       const struct ip_vs_iphdr *iph)
{
	u8 _type, *type;

	/* The type comes first in both versions. */
	type = skb_header_pointer(skb, iph->len, sizeof(_type), &_type);
	if (!type)
		return false;
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6)
		return !(*type & ICMPV6_INFOMSG_MASK);
#endif
	return *type == ICMP_DEST_UNREACH || *type == ICMP_SOURCE_QUENCH ||
	       *type == ICMP_TIME_EXCEEDED || *type == ICMP_PARAMETERPROB;
}

/* The packet that an error quotes was sent by us, so its tuple backwards is
 * that of packets which take the way that the error has to take.
 */
static unsigned int fnat_icmp(struct fnat_net *fn, struct netns_ipvs *ipvs,
			      struct sk_buff *skb, int af,
			      struct ip_vs_iphdr *iph)
{
	/* Both headers have this size. */
	unsigned int offset = iph->len + sizeof(struct icmphdr);
	struct ip_vs_iphdr ciph = {};
	__be16 _ports[2], *ports;
	struct ip_vs_conn *cp;
	enum fnat_dir dir;

	BUILD_BUG_ON(sizeof(struct icmphdr) != sizeof(struct icmp6hdr));

	if (!fnat_is_icmp_error(skb, af, iph) ||
	    !ip_vs_fill_iph_skb_icmp(af, skb, offset, true, &ciph) ||
	    (ciph.protocol != IPPROTO_TCP && ciph.protocol != IPPROTO_UDP) ||
	    ciph.fragoffs)
		return NF_ACCEPT;
	if (af == AF_INET) {
		struct iphdr _cih, *cih;

		cih = skb_header_pointer(skb, offset, sizeof(_cih), &_cih);
		if (!cih || cih->version != 4 || cih->ihl < 5 ||
		    cih->frag_off & htons(IP_OFFSET))
			return NF_ACCEPT;
	}
	ports = skb_header_pointer(skb, ciph.len, sizeof(_ports), _ports);
	if (!ports)
		return NF_ACCEPT;
	cp = fnat_lookup(fn, ipvs, af, ciph.protocol, &ciph.daddr, ports[1],
			 &ciph.saddr, ports[0], &dir);
	if (!cp)
		return NF_ACCEPT;
	if (!ip_vs_checksum_common_check(skb, iph->len, iph->protocol, af))
		return NF_DROP;
	if (dir == FNAT_REPLY)
		ip_vs_out_stats(cp, skb);
	else
		ip_vs_in_stats(cp, skb);
	return fnat_xmit_icmp(skb, cp, dir, iph, &ciph);
}

static __always_inline unsigned int
fnat_hook(struct sk_buff *skb, const struct nf_hook_state *state, int af)
{
	struct netns_ipvs *ipvs = net_ipvs(state->net);
	struct fnat_net *fn = fnat_net(state->net);
	struct ip_vs_iphdr iph;

	if (skb->ipvs_property || skb->pkt_type != PACKET_HOST ||
	    unlikely(!skb_dst(skb)))
		return NF_ACCEPT;
	if (unlikely(!ipvs || !ipvs->enable || sysctl_backup_only(ipvs)))
		return NF_ACCEPT;
	if (unlikely(!ip_vs_fill_iph_skb(af, skb, false, &iph)))
		return NF_ACCEPT;
	if (af == AF_INET && unlikely(ip_is_fragment(ip_hdr(skb))))
		return NF_ACCEPT;
	if (af == AF_INET6 && unlikely(iph.fragoffs))
		return NF_ACCEPT;

	switch (iph.protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return fnat_tcp_udp(fn, ipvs, skb, af, &iph);
	case IPPROTO_ICMP:
		if (af == AF_INET)
			return fnat_icmp(fn, ipvs, skb, af, &iph);
		break;
	case IPPROTO_ICMPV6:
		if (af == AF_INET6)
			return fnat_icmp(fn, ipvs, skb, af, &iph);
		break;
	}
	return NF_ACCEPT;
}

static unsigned int fnat_hook4(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return fnat_hook(skb, state, AF_INET);
}

#ifdef CONFIG_IP_VS_IPV6
static unsigned int fnat_hook6(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	return fnat_hook(skb, state, AF_INET6);
}
#endif

/* Right before the kernel's ip_vs_out_hook() and ip_vs_in_hook(). */
static const struct nf_hook_ops fnat_hook_ops[] = {
	{
		.hook		= fnat_hook4,
		.pf		= NFPROTO_IPV4,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP_PRI_NAT_SRC - 3,
	},
#ifdef CONFIG_IP_VS_IPV6
	{
		.hook		= fnat_hook6,
		.pf		= NFPROTO_IPV6,
		.hooknum	= NF_INET_LOCAL_IN,
		.priority	= NF_IP6_PRI_NAT_SRC - 3,
	},
#endif
};

/* With the namespace's first local address, under the configuration lock: who
 * does not use FULLNAT does not pay for it.
 */
int fnat_hooks_register(struct fnat_net *fn)
{
	int err;

	if (fn->hooked)
		return 0;
	err = nf_register_net_hooks(fn->net, fnat_hook_ops,
				    ARRAY_SIZE(fnat_hook_ops));
	fn->hooked = !err;
	return err;
}

void fnat_hooks_unregister(struct fnat_net *fn)
{
	if (fn->hooked)
		nf_unregister_net_hooks(fn->net, fnat_hook_ops,
					ARRAY_SIZE(fnat_hook_ops));
	fn->hooked = false;
}
