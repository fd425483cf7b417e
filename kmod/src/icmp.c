// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP errors about packets that we sent.
 *
 * The packet that an error quotes is one of ours; it must become the one that
 * the receiver of the error sent, or the receiver ignores it: addresses, ports,
 * and the sequence number.  From the server's side a size limit is lowered,
 * because we made the client's packet larger.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "fnat.h"

/* Ports and sequence number: what every error quotes of TCP. */
#define FNAT_QUOTED	8

struct fnat_quote {
	const union nf_inet_addr *saddr, *daddr;
	__be16 sport, dport;
	u32 delta;
};

/* What the receiver of the error had sent. */
static void fnat_quote_original(const struct ip_vs_conn *cp, enum fnat_dir dir,
				struct fnat_quote *quote)
{
	const struct fnat_ext *ext = fnat_ext(cp);

	if (dir == FNAT_REQUEST) {
		/* The server's packet, whose number we did not change. */
		quote->saddr = &cp->daddr;
		quote->sport = cp->dport;
		quote->daddr = &ext->laddr;
		quote->dport = ext->lport;
		quote->delta = 0;
	} else {
		quote->saddr = &cp->caddr;
		quote->sport = cp->cport;
		quote->daddr = &cp->vaddr;
		quote->dport = cp->vport;
		quote->delta = READ_ONCE(ext->delta);
	}
}

static void fnat_quote_l4(struct sk_buff *skb, const struct ip_vs_conn *cp,
			  const struct fnat_quote *quote, unsigned int off)
{
	__be16 *ports = (__be16 *)(skb->data + off);

	ports[0] = quote->sport;
	ports[1] = quote->dport;
	if (cp->protocol == IPPROTO_TCP && skb->len >= off + FNAT_QUOTED) {
		u8 *seq = (u8 *)(ports + 2);

		put_unaligned_be32(get_unaligned_be32(seq) - quote->delta, seq);
	}
}

static bool fnat_icmp4(struct sk_buff *skb, const struct ip_vs_conn *cp,
		       enum fnat_dir dir, unsigned int toff,
		       const struct ip_vs_iphdr *ciph,
		       const struct fnat_quote *quote, unsigned int lower)
{
	struct icmphdr *icmph = (struct icmphdr *)(skb->data + toff);
	struct iphdr *cih = (struct iphdr *)(icmph + 1);
	const struct fnat_ext *ext = fnat_ext(cp);
	struct iphdr *iph = ip_hdr(skb);

	/* It may have been in a fragment before, and somebody else's. */
	if (cih->ihl * 4 != ciph->len - ciph->off)
		return false;
	iph->saddr = dir == FNAT_REQUEST ? ext->laddr.ip : cp->vaddr.ip;
	iph->daddr = dir == FNAT_REQUEST ? cp->daddr.ip : cp->caddr.ip;
	ip_send_check(iph);
	cih->saddr = quote->saddr->ip;
	cih->daddr = quote->daddr->ip;
	ip_send_check(cih);
	fnat_quote_l4(skb, cp, quote, ciph->len);
	if (lower && icmph->type == ICMP_DEST_UNREACH &&
	    icmph->code == ICMP_FRAG_NEEDED) {
		u16 mtu = ntohs(icmph->un.frag.mtu);

		if (mtu > lower + IPV4_MIN_MTU)
			icmph->un.frag.mtu = htons(mtu - lower);
	}
	icmph->checksum = 0;
	icmph->checksum = csum_fold(skb_checksum(skb, toff, skb->len - toff,
						 0));
	return true;
}

#ifdef CONFIG_IP_VS_IPV6
static bool fnat_icmp6(struct sk_buff *skb, const struct ip_vs_conn *cp,
		       enum fnat_dir dir, unsigned int toff,
		       const struct ip_vs_iphdr *ciph,
		       const struct fnat_quote *quote, unsigned int lower)
{
	struct icmp6hdr *icmph = (struct icmp6hdr *)(skb->data + toff);
	struct ipv6hdr *cih = (struct ipv6hdr *)(skb->data + ciph->off);
	const struct fnat_ext *ext = fnat_ext(cp);
	struct ipv6hdr *iph = ipv6_hdr(skb);
	unsigned int size = skb->len - toff;

	iph->saddr = dir == FNAT_REQUEST ? ext->laddr.in6 : cp->vaddr.in6;
	iph->daddr = dir == FNAT_REQUEST ? cp->daddr.in6 : cp->caddr.in6;
	cih->saddr = quote->saddr->in6;
	cih->daddr = quote->daddr->in6;
	fnat_quote_l4(skb, cp, quote, ciph->len);
	if (lower && icmph->icmp6_type == ICMPV6_PKT_TOOBIG) {
		u32 mtu = ntohl(icmph->icmp6_mtu);

		if (mtu > lower + IPV6_MIN_MTU)
			icmph->icmp6_mtu = htonl(mtu - lower);
		else if (mtu > IPV6_MIN_MTU)
			icmph->icmp6_mtu = htonl(IPV6_MIN_MTU);
	}
	icmph->icmp6_cksum = 0;
	icmph->icmp6_cksum = csum_ipv6_magic(&iph->saddr, &iph->daddr, size,
					     IPPROTO_ICMPV6,
					     skb_checksum(skb, toff, size, 0));
	return true;
}
#endif

/* Rewrite an error at @toff that quotes the packet of @ciph. */
bool fnat_icmp_rewrite(struct fnat_net *fn, struct sk_buff *skb,
		       struct ip_vs_conn *cp, enum fnat_dir dir,
		       unsigned int toff, struct ip_vs_iphdr *ciph)
{
	unsigned int size = min_t(unsigned int, skb->len,
				  ciph->len + FNAT_QUOTED);
	unsigned int lower = dir == FNAT_REPLY ? fnat_toa_size(fn, cp) : 0;
	struct fnat_quote quote;
	bool done;

	if (size < ciph->len + 4 || skb_ensure_writable(skb, size))
		return false;
	fnat_quote_original(cp, dir, &quote);
#ifdef CONFIG_IP_VS_IPV6
	if (cp->af == AF_INET6)
		done = fnat_icmp6(skb, cp, dir, toff, ciph, &quote, lower);
	else
#endif
		done = fnat_icmp4(skb, cp, dir, toff, ciph, &quote, lower);
	skb->ip_summed = CHECKSUM_NONE;
	if (dir == FNAT_REQUEST)
		fnat_count(fn, FULLNAT_ICMP_IN);
	else
		fnat_count(fn, FULLNAT_ICMP_OUT);
	return done;
}
