// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP and UDP headers of translated packets.
 *
 * Client -> server:
 *
 *	SYN		timestamps removed: those of many clients would seem to
 *			jump behind one local address.  A new initial sequence
 *			number, which grows for each (local, server) tuple, so
 *			that the server takes the SYN even while it remembers
 *			the tuple in TIME_WAIT.  All later packets are moved by
 *			the same distance.
 *	any		a client address option that the client sent itself is
 *			blanked out.
 *	acknowledges	while the client has not acknowledged a byte of data,
 *	nothing yet	the server may have lost all before: its packets carry
 *			the client's address (TOA).
 *
 * Server -> client:
 *
 *	SYN+ACK		the MSS is lowered by the size of TOA.
 *	any		acknowledged numbers, selective ones, too, are moved
 *			back.
 *
 * Each of these has its switch in sysctl.c.
 *
 * Checksums are corrected by the difference between new and old words, summed
 * up separately for the pseudo header: of a packet that the hardware will
 * finish (CHECKSUM_PARTIAL) only that part is in the field.  Options are summed
 * as a whole, so that it does not matter where in a word they begin.
 */
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/dst.h>
#include <net/tcp.h>

#include "fnat.h"

/*
 * The client's address as a TCP option: kind, length, port, address, 8 bytes
 * for IPv4 and 20 for IPv6.  254 is kind and length 8 of the 2.6.32 release;
 * 253 is what one receiver expects for IPv6.
 */
enum {
	TOA_KIND_V4	= 254,
	TOA_KIND_OTHER	= 253,
	TOA_SIZE_V4	= 8,
	TOA_SIZE_V6	= 20,
	TCP_OPTIONS_MAX	= 40,
	/* NOP, NOP, timestamps: what most packets with options have. */
	TS_ALIGNED_SIZE	= 12,
};

static siphash_key_t fnat_isn_key __read_mostly;

void __init fnat_tcp_init(void)
{
	get_random_bytes(&fnat_isn_key, sizeof(fnat_isn_key));
}

/* How much larger packets to the server may get; 0 without TOA. */
unsigned int fnat_toa_size(const struct fnat_net *fn,
			   const struct ip_vs_conn *cp)
{
	if (cp->protocol != IPPROTO_TCP || !READ_ONCE(fn->sysctl.toa))
		return 0;
	return cp->af == AF_INET6 ? TOA_SIZE_V6 : TOA_SIZE_V4;
}

/*
 * Checksums
 */

struct fnat_diff {
	__wsum pseudo;	/* words of the pseudo header */
	__wsum rest;	/* words of header and options */
};

static __wsum fnat_diff2(__be16 from, __be16 to)
{
	return csum_sub((__force __wsum)to, (__force __wsum)from);
}

static __wsum fnat_diff4(__be32 from, __be32 to)
{
	return csum_sub((__force __wsum)to, (__force __wsum)from);
}

static void fnat_diff_address(struct fnat_diff *diff, int af,
			      const union nf_inet_addr *from,
			      const union nf_inet_addr *to)
{
	__wsum change;

#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6)
		change = csum_sub(csum_partial(to, 16, 0),
				  csum_partial(from, 16, 0));
	else
#endif
		change = fnat_diff4(from->ip, to->ip);
	diff->pseudo = csum_add(diff->pseudo, change);
}

static void fnat_diff_apply(const struct fnat_diff *diff,
			    const struct sk_buff *skb, __sum16 *check)
{
	__wsum sum;

	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		sum = csum_add(csum_unfold(*check), diff->pseudo);
		*check = ~csum_fold(sum);
		return;
	}
	sum = csum_add(~csum_unfold(*check), diff->pseudo);
	*check = csum_fold(csum_add(sum, diff->rest));
}

/* The four addresses and ports of a packet, which are in the same place in both
 * protocols.
 */
static void fnat_translate(struct ip_vs_conn *cp, enum fnat_dir dir,
			   __be16 ports[2], struct fnat_diff *diff)
{
	const struct fnat_ext *ext = fnat_ext(cp);
	__be16 source, dest;

	if (dir == FNAT_REQUEST) {
		fnat_diff_address(diff, cp->af, &cp->caddr, &ext->laddr);
		fnat_diff_address(diff, cp->af, &cp->vaddr, &cp->daddr);
		source = ext->lport;
		dest = cp->dport;
	} else {
		fnat_diff_address(diff, cp->af, &cp->daddr, &cp->vaddr);
		fnat_diff_address(diff, cp->af, &ext->laddr, &cp->caddr);
		source = cp->vport;
		dest = cp->cport;
	}
	diff->rest = csum_add(diff->rest, fnat_diff2(ports[0], source));
	diff->rest = csum_add(diff->rest, fnat_diff2(ports[1], dest));
	ports[0] = source;
	ports[1] = dest;
}

/*
 * Options
 */

/*
 * Return the option at @p of an area that ends at @end, and its size, which is
 * at least 2 and within the area; NULL at the area's end or if it is damaged.
 */
static u8 *fnat_option(u8 *p, const u8 *end, unsigned int *size)
{
	while (p < end && *p == TCPOPT_NOP)
		p++;
	if (end - p < 2 || *p == TCPOPT_EOL || p[1] < 2 || p[1] > end - p)
		return NULL;
	*size = p[1];
	return p;
}

#define fnat_for_each_option(p, th, size)				\
	for (p = fnat_option((u8 *)((th) + 1),				\
			     (u8 *)(th) + (th)->doff * 4, &(size)); p;	\
	     p = fnat_option(p + (size),				\
			     (u8 *)(th) + (th)->doff * 4, &(size)))

static __wsum fnat_options_sum(const struct tcphdr *th)
{
	return csum_partial(th + 1, th->doff * 4 - sizeof(*th), 0);
}

/* Whether timestamps are all that there is, as in most packets with options. */
static bool fnat_only_timestamps(const struct tcphdr *th)
{
	return th->doff * 4 == sizeof(*th) + TS_ALIGNED_SIZE &&
	       *(const __be32 *)(th + 1) ==
		       htonl(TCPOPT_NOP << 24 | TCPOPT_NOP << 16 |
			     TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP);
}

static bool fnat_is_toa(const u8 *option, unsigned int size)
{
	return (option[0] == TOA_KIND_V4 || option[0] == TOA_KIND_OTHER) &&
	       (size == TOA_SIZE_V4 || size == TOA_SIZE_V6);
}

/* Blank out what a client may not tell a server. */
static void fnat_options_request(struct fnat_net *fn, struct tcphdr *th,
				 struct fnat_diff *diff)
{
	bool timestamps = th->syn && READ_ONCE(fn->sysctl.timestamp_remove);
	__wsum before;
	unsigned int size;
	u8 *p;

	if (!th->syn && fnat_only_timestamps(th))
		return;
	before = fnat_options_sum(th);
	fnat_for_each_option(p, th, size) {
		if (p[0] == TCPOPT_TIMESTAMP && timestamps) {
			memset(p, TCPOPT_NOP, size);
		} else if (fnat_is_toa(p, size)) {
			memset(p, TCPOPT_NOP, size);
			fnat_count(fn, FULLNAT_STRIP_TOA);
		}
	}
	diff->rest = csum_add(diff->rest,
			      csum_sub(fnat_options_sum(th), before));
}

static void fnat_option_lower_mss(u8 *option, unsigned int size,
				  unsigned int by)
{
	u16 mss = get_unaligned_be16(option + 2);

	if (size == TCPOLEN_MSS && mss > by + TCP_MIN_MSS)
		put_unaligned_be16(mss - by, option + 2);
}

static void fnat_option_move_sack(u8 *option, unsigned int size, u32 delta)
{
	unsigned int at;

	for (at = 2; at + 4 <= size; at += 4)
		put_unaligned_be32(get_unaligned_be32(option + at) - delta,
				   option + at);
}

static void fnat_options_reply(struct fnat_net *fn, struct ip_vs_conn *cp,
			       struct tcphdr *th, struct fnat_diff *diff)
{
	u32 delta = READ_ONCE(fnat_ext(cp)->delta);
	unsigned int size, toa = 0;
	__wsum before;
	u8 *p;

	if (!th->syn && (!delta || fnat_only_timestamps(th)))
		return;
	if (th->syn && READ_ONCE(fn->sysctl.mss_adjust))
		toa = fnat_toa_size(fn, cp);
	before = fnat_options_sum(th);
	fnat_for_each_option(p, th, size) {
		if (p[0] == TCPOPT_MSS && th->syn)
			fnat_option_lower_mss(p, size, toa);
		else if (p[0] == TCPOPT_SACK)
			fnat_option_move_sack(p, size, delta);
	}
	diff->rest = csum_add(diff->rest,
			      csum_sub(fnat_options_sum(th), before));
}

/*
 * TOA
 */

static unsigned int fnat_toa_write(struct fnat_net *fn,
				   const struct ip_vs_conn *cp, u8 *p)
{
	unsigned int size = cp->af == AF_INET6 ? TOA_SIZE_V6 : TOA_SIZE_V4;

	p[0] = cp->af == AF_INET6 ? READ_ONCE(fn->sysctl.toa_v6_kind) :
				    TOA_KIND_V4;
	p[1] = size;
	memcpy(p + 2, &cp->cport, 2);
	memcpy(p + 4, &cp->caddr, size - 4);
	return size;
}

/*
 * Write the options of a header into @area with the client's address first, and
 * return their size.  If not all of them have room, only timestamps stay: what
 * a client fills the header with must not keep its address from the server.
 */
static unsigned int fnat_toa_options(struct fnat_net *fn,
				     const struct ip_vs_conn *cp,
				     struct tcphdr *th, u8 *area)
{
	unsigned int old = th->doff * 4 - sizeof(*th);
	unsigned int end = fnat_toa_write(fn, cp, area);
	unsigned int size;
	u8 *p;

	if (end + old <= TCP_OPTIONS_MAX) {
		memcpy(area + end, th + 1, old);
		return end + old;
	}
	fnat_count(fn, FULLNAT_ADD_TOA_HEAD_FULL);
	fnat_for_each_option(p, th, size) {
		if (p[0] != TCPOPT_TIMESTAMP || size != TCPOLEN_TIMESTAMP)
			continue;
		memset(area + end, TCPOPT_NOP, 2);
		memcpy(area + end + 2, p, size);
		end += TS_ALIGNED_SIZE;
		break;
	}
	/* A header never shrinks. */
	if (end < old) {
		memset(area + end, TCPOPT_NOP, old - end);
		end = old;
	}
	return end;
}

/* Whether a packet may grow: then all its segments do, if it has any. */
static bool fnat_may_grow(const struct sk_buff *skb, unsigned int by,
			  unsigned int mtu)
{
	if (skb->len + by > IP_MAX_MTU)
		return false;
	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu - by);
	return skb->len + by <= mtu;
}

/* Make room for @by bytes behind the first 20 of the TCP header at @off. */
static struct tcphdr *fnat_grow(struct sk_buff *skb, int af, unsigned int off,
				unsigned int by)
{
	skb_push(skb, by);
	memmove(skb->data, skb->data + by, off + sizeof(struct tcphdr));
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, off);
	/* The TCP header moved towards the buffer's head. */
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb->csum_start -= by;
#ifdef CONFIG_IP_VS_IPV6
	if (af == AF_INET6)
		be16_add_cpu(&ipv6_hdr(skb)->payload_len, by);
	else
#endif
		be16_add_cpu(&ip_hdr(skb)->tot_len, by);
	return tcp_hdr(skb);
}

/*
 * Add the client's address.  A packet that cannot take it goes without: the
 * next one will.  Returns the TCP header, which may be elsewhere.
 */
static struct tcphdr *fnat_toa_add(struct fnat_net *fn, struct sk_buff *skb,
				   struct ip_vs_conn *cp, unsigned int off,
				   struct tcphdr *th,
				   const struct dst_entry *dst,
				   struct fnat_diff *diff)
{
	unsigned int old = th->doff * 4 - sizeof(*th), size, by;
	u8 area[TCP_OPTIONS_MAX];
	__be16 *flags, before;
	__wsum sum;

	size = fnat_toa_options(fn, cp, th, area);
	by = size - old;
	if (!fnat_may_grow(skb, by, dst_mtu(dst))) {
		fnat_count(fn, FULLNAT_ADD_TOA_FAIL_LEN);
		return th;
	}
	if (skb_cow_head(skb, LL_RESERVED_SPACE(dst->dev) + by)) {
		fnat_count(fn, FULLNAT_ADD_TOA_FAIL_MEM);
		return th;
	}
	th = (struct tcphdr *)(skb->data + off);
	sum = fnat_options_sum(th);
	th = fnat_grow(skb, cp->af, off, by);

	flags = (__be16 *)th + 6; /* header length and flags */
	before = *flags;
	th->doff += by / 4;
	memcpy(th + 1, area, size);
	sum = csum_sub(fnat_options_sum(th), sum);
	diff->rest = csum_add(diff->rest, fnat_diff2(before, *flags));
	diff->rest = csum_add(diff->rest, sum);
	diff->pseudo = csum_add(diff->pseudo, (__force __wsum)htons(by));
	fnat_count(fn, FULLNAT_ADD_TOA_OK);
	return th;
}

static bool fnat_toa_wanted(const struct fnat_net *fn,
			    const struct fnat_ext *ext, const struct tcphdr *th)
{
	return (READ_ONCE(ext->flags) & FNAT_EXT_FIRST) && th->ack &&
	       ntohl(th->ack_seq) == ext->server_first && !th->syn &&
	       !th->rst && READ_ONCE(fn->sysctl.toa);
}

/*
 * Sequence numbers
 */

static u32 fnat_isn(const struct ip_vs_conn *cp)
{
	const struct fnat_ext *ext = fnat_ext(cp);
	struct {
		union nf_inet_addr laddr, daddr;
		__be16 lport, dport;
	} __packed __aligned(8) tuple = {
		.laddr = ext->laddr, .daddr = cp->daddr,
		.lport = ext->lport, .dport = cp->dport,
	};
	u64 hash = siphash(&tuple, sizeof(tuple), &fnat_isn_key);

	/* As the kernel's own: a step every 64 ns. */
	return (u32)hash + (u32)(ktime_get_real_ns() >> 6);
}

/*
 * Whether a SYN with another number may begin anew on an old session.  Never on
 * an established one: a forged SYN would break it.  The server answers such a
 * SYN with an ACK, to which a client that has really begun anew says RST.
 */
static bool fnat_may_begin_anew(struct fnat_net *fn,
				const struct ip_vs_conn *cp)
{
	bool half_closed = READ_ONCE(fn->sysctl.conn_reused);

	fnat_count(fn, FULLNAT_CONN_REUSED);
	switch (cp->state) {
	case IP_VS_TCP_S_ESTABLISHED:
		fnat_count(fn, FULLNAT_CONN_REUSED_ESTAB);
		return false;
	case IP_VS_TCP_S_FIN_WAIT:
		fnat_count(fn, FULLNAT_CONN_REUSED_FINWAIT);
		return half_closed;
	case IP_VS_TCP_S_CLOSE_WAIT:
		fnat_count(fn, FULLNAT_CONN_REUSED_CLOSEWAIT);
		return half_closed;
	case IP_VS_TCP_S_LAST_ACK:
		fnat_count(fn, FULLNAT_CONN_REUSED_LASTACK);
		return half_closed;
	case IP_VS_TCP_S_TIME_WAIT:
		fnat_count(fn, FULLNAT_CONN_REUSED_TIMEWAIT);
		return true;
	case IP_VS_TCP_S_CLOSE:
		fnat_count(fn, FULLNAT_CONN_REUSED_CLOSE);
		return true;
	default: /* the handshake is not over */
		return true;
	}
}

/* A SYN has come for a session that exists: before the state machine sees it,
 * and before the kernel decides whether to schedule it anew.
 */
void fnat_tcp_syn(struct fnat_net *fn, struct ip_vs_conn *cp, u32 isn)
{
	struct fnat_ext *ext = fnat_ext(cp);

	spin_lock_bh(&cp->lock);
	if ((ext->flags & FNAT_EXT_ISN) && ext->client_isn != isn &&
	    fnat_may_begin_anew(fn, cp))
		ext->flags = 0;
	spin_unlock_bh(&cp->lock);
}

/* Choose the distance for a session that has none; a SYN that comes again finds
 * the one that it had.
 */
static void fnat_choose_delta(struct fnat_net *fn, struct ip_vs_conn *cp,
			      u32 isn)
{
	struct fnat_ext *ext = fnat_ext(cp);

	spin_lock_bh(&cp->lock);
	if (!(ext->flags & FNAT_EXT_ISN)) {
		ext->client_isn = isn;
		ext->delta = READ_ONCE(fn->sysctl.seq_rebase) ?
				     fnat_isn(cp) - isn : 0;
		ext->flags |= FNAT_EXT_ISN;
	}
	spin_unlock_bh(&cp->lock);
}

static void fnat_set_flags(struct ip_vs_conn *cp, u16 flags)
{
	struct fnat_ext *ext = fnat_ext(cp);

	if ((READ_ONCE(ext->flags) & flags) == flags)
		return;
	spin_lock_bh(&cp->lock);
	ext->flags |= flags;
	spin_unlock_bh(&cp->lock);
}

/* Remember how far the server has come. */
static void fnat_note_reply(struct ip_vs_conn *cp, const struct tcphdr *th,
			    unsigned int data)
{
	struct fnat_ext *ext = fnat_ext(cp);
	u32 seq = ntohl(th->seq), end = seq + data + th->syn + th->fin;

	if (unlikely(th->syn)) {
		WRITE_ONCE(ext->server_first, end);
		WRITE_ONCE(ext->server_end, end);
		WRITE_ONCE(ext->server_ack, ntohl(th->ack_seq));
		fnat_set_flags(cp, FNAT_EXT_FIRST | FNAT_EXT_END);
	} else if (th->ack && !th->rst) {
		if (after(end, READ_ONCE(ext->server_end)))
			WRITE_ONCE(ext->server_end, end);
		if (after(ntohl(th->ack_seq), READ_ONCE(ext->server_ack)))
			WRITE_ONCE(ext->server_ack, ntohl(th->ack_seq));
	}
}

static void fnat_move(__be32 *number, u32 by, struct fnat_diff *diff)
{
	__be32 moved = htonl(ntohl(*number) + by);

	diff->rest = csum_add(diff->rest, fnat_diff4(*number, moved));
	*number = moved;
}

/*
 * Whole headers
 */

/* Return the TCP header at @off, whole and ours to write, NULL if it is not. */
static struct tcphdr *fnat_tcp_header(struct sk_buff *skb, unsigned int off)
{
	struct tcphdr *th;
	unsigned int size;

	if (skb_ensure_writable(skb, off + sizeof(*th)))
		return NULL;
	th = (struct tcphdr *)(skb->data + off);
	size = th->doff * 4;
	if (likely(size == sizeof(*th)))
		return th;
	if (size < sizeof(*th) || skb_ensure_writable(skb, off + size))
		return NULL;
	return (struct tcphdr *)(skb->data + off);
}

static bool fnat_tcp_request(struct fnat_net *fn, struct sk_buff *skb,
			     struct ip_vs_conn *cp, unsigned int off,
			     const struct dst_entry *dst)
{
	struct tcphdr *th = fnat_tcp_header(skb, off);
	struct fnat_ext *ext = fnat_ext(cp);
	struct fnat_diff diff = {};

	if (unlikely(!th))
		return false;
	if (th->doff * 4 > sizeof(*th))
		fnat_options_request(fn, th, &diff);
	if (unlikely(th->syn && !th->ack))
		fnat_choose_delta(fn, cp, ntohl(th->seq));
	fnat_move(&th->seq, READ_ONCE(ext->delta), &diff);
	if (unlikely(fnat_toa_wanted(fn, ext, th)))
		th = fnat_toa_add(fn, skb, cp, off, th, dst, &diff);
	fnat_translate(cp, FNAT_REQUEST, &th->source, &diff);
	fnat_diff_apply(&diff, skb, &th->check);
	return true;
}

static bool fnat_tcp_reply(struct fnat_net *fn, struct sk_buff *skb,
			   struct ip_vs_conn *cp, unsigned int off)
{
	struct tcphdr *th = fnat_tcp_header(skb, off);
	struct fnat_diff diff = {};

	if (unlikely(!th))
		return false;
	fnat_note_reply(cp, th, skb->len - off - th->doff * 4);
	if (th->doff * 4 > sizeof(*th))
		fnat_options_reply(fn, cp, th, &diff);
	if (likely(th->ack))
		fnat_move(&th->ack_seq, -READ_ONCE(fnat_ext(cp)->delta), &diff);
	fnat_translate(cp, FNAT_REPLY, &th->source, &diff);
	fnat_diff_apply(&diff, skb, &th->check);
	return true;
}

static bool fnat_udp(struct sk_buff *skb, struct ip_vs_conn *cp,
		     unsigned int off, enum fnat_dir dir)
{
	struct fnat_diff diff = {};
	struct udphdr *uh;

	if (skb_ensure_writable(skb, off + sizeof(*uh)))
		return false;
	uh = (struct udphdr *)(skb->data + off);
	fnat_translate(cp, dir, &uh->source, &diff);
	/* 0: the sender made none. */
	if (skb->ip_summed != CHECKSUM_PARTIAL && !uh->check)
		return true;
	fnat_diff_apply(&diff, skb, &uh->check);
	if (!uh->check)
		uh->check = CSUM_MANGLED_0;
	return true;
}

/* Translate the transport header of a packet to the server, which will take
 * route @dst.  The packet may grow, and its headers be elsewhere afterwards.
 */
bool fnat_l4_request(struct fnat_net *fn, struct sk_buff *skb,
		     struct ip_vs_conn *cp, struct ip_vs_iphdr *iph,
		     const struct dst_entry *dst)
{
	if (likely(cp->protocol == IPPROTO_TCP))
		return fnat_tcp_request(fn, skb, cp, iph->len, dst);
	return fnat_udp(skb, cp, iph->len, FNAT_REQUEST);
}

/* Translate the transport header of a packet to the client. */
bool fnat_l4_reply(struct fnat_net *fn, struct sk_buff *skb,
		   struct ip_vs_conn *cp, struct ip_vs_iphdr *iph)
{
	if (likely(cp->protocol == IPPROTO_TCP))
		return fnat_tcp_reply(fn, skb, cp, iph->len);
	return fnat_udp(skb, cp, iph->len, FNAT_REPLY);
}
