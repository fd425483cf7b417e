// SPDX-License-Identifier: GPL-2.0-only
/*
 * TOA on a real server: accept(2) and getpeername(2) tell the client's address
 * and not the director's.
 *
 *	sockops		when a connection has been established, read the
 *			client's address from the options of the packet that
 *			did it, and keep it with the socket;
 *	getpeername	when somebody asks for the peer, answer with it.
 *
 * Only packets from trusted prefixes count, the directors' local addresses:
 * anybody can send the option.  ss(8) and packet filters go on seeing the
 * director, for that is where the packets come from.
 *
 * The option, as the director sends it (kmod/src/tcp.c), is the first one, or
 * comes right after timestamps in their usual alignment:
 *
 *	254, 8, port, IPv4 address		254 or 253, 20, port, IPv6 address
 *
 * Needs Linux 5.8 or newer.  No types of the running kernel are used, only
 * those of the interface.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

#define TCP_HEADER 20
#define TCPOPT_NOP 1
#define TCPOPT_TIMESTAMP 8
#define TIMESTAMPS_ALIGNED 12
#define TOA_KIND 254
#define TOA_KIND_OTHER 253
#define TOA_SIZE_V4 8
#define TOA_SIZE_V6 20

/* Port and address are in network order; IPv4 is in the first word. */
struct client {
	__u32 family;
	__u32 port;
	__u32 address[4];
};

struct prefix4 {
	__u32 bits;
	__u32 address;
};

struct prefix6 {
	__u32 bits;
	__u32 address[4];
};

enum counter {
	TOA_FOUND,	/* connections with the option, from a trusted address */
	TOA_ABSENT,	/* from a trusted address, but without the option */
	TOA_DISTRUSTED,	/* with the option, but not from a trusted address */
	TOA_NO_MEMORY,
	TOA_COUNTERS,
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct client);
} clients SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix4);
	__type(value, __u32);
} trusted4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix6);
	__type(value, __u32);
} trusted6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TOA_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline void count(__u32 number)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &number);

	if (value)
		++*value;
}

/* Read the option at @option, if it is one of ours and within the header. */
static __always_inline int read_option(const __u8 *option, const __u8 *end,
				       struct client *client)
{
	if (option + TOA_SIZE_V4 > end)
		return 0;
	if (option[0] == TOA_KIND && option[1] == TOA_SIZE_V4) {
		client->family = AF_INET;
		client->port = *(const __u16 *)(option + 2);
		client->address[0] = *(const __u32 *)(option + 4);
		return 1;
	}
	if (option[0] != TOA_KIND && option[0] != TOA_KIND_OTHER)
		return 0;
	if (option[1] != TOA_SIZE_V6 || option + TOA_SIZE_V6 > end)
		return 0;
	client->family = AF_INET6;
	client->port = *(const __u16 *)(option + 2);
	client->address[0] = *(const __u32 *)(option + 4);
	client->address[1] = *(const __u32 *)(option + 8);
	client->address[2] = *(const __u32 *)(option + 12);
	client->address[3] = *(const __u32 *)(option + 16);
	return 1;
}

static __always_inline int find_option(const struct bpf_sock_ops *ops,
				       struct client *client)
{
	const __u8 *data = ops->skb_data, *end = ops->skb_data_end;
	const __u8 *option = data + TCP_HEADER;

	if (option + 4 > end)
		return 0;
	if (option[0] == TCPOPT_NOP && option[1] == TCPOPT_NOP &&
	    option[2] == TCPOPT_TIMESTAMP)
		option += TIMESTAMPS_ALIGNED;
	return read_option(option, end, client);
}

/* Whether the packets of a connection come from a director. */
static __always_inline int is_trusted(const struct bpf_sock_ops *ops)
{
	struct prefix4 key4 = { .bits = 32, .address = ops->remote_ip4 };

	if (ops->family == AF_INET6) {
		struct prefix6 key6 = {
			.bits = 128,
			.address = { ops->remote_ip6[0], ops->remote_ip6[1],
				     ops->remote_ip6[2], ops->remote_ip6[3] },
		};

		/* IPv4 at a socket of both families. */
		if (key6.address[0] || key6.address[1] ||
		    key6.address[2] != bpf_htonl(0xffff))
			return bpf_map_lookup_elem(&trusted6, &key6) != NULL;
		key4.address = key6.address[3];
	}
	return bpf_map_lookup_elem(&trusted4, &key4) != NULL;
}

SEC("sockops")
int toa_established(struct bpf_sock_ops *ops)
{
	struct client client = {}, *kept;
	int found, trusted;

	if (ops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	trusted = is_trusted(ops);
	found = find_option(ops, &client);
	if (!found || !trusted) {
		if (found)
			count(TOA_DISTRUSTED);
		else if (trusted)
			count(TOA_ABSENT);
		return 1;
	}
	if (!ops->sk)
		return 1;
	kept = bpf_sk_storage_get(&clients, ops->sk, &client,
				  BPF_SK_STORAGE_GET_F_CREATE);
	count(kept ? TOA_FOUND : TOA_NO_MEMORY);
	return 1;
}

SEC("cgroup/getpeername4")
int toa_getpeername4(struct bpf_sock_addr *ctx)
{
	struct client *client;

	if (!ctx->sk)
		return 1;
	client = bpf_sk_storage_get(&clients, ctx->sk, NULL, 0);
	if (!client || client->family != AF_INET)
		return 1;
	ctx->user_ip4 = client->address[0];
	ctx->user_port = client->port;
	return 1;
}

SEC("cgroup/getpeername6")
int toa_getpeername6(struct bpf_sock_addr *ctx)
{
	struct client *client;

	if (!ctx->sk)
		return 1;
	client = bpf_sk_storage_get(&clients, ctx->sk, NULL, 0);
	if (!client)
		return 1;
	if (client->family == AF_INET6) {
		ctx->user_ip6[0] = client->address[0];
		ctx->user_ip6[1] = client->address[1];
		ctx->user_ip6[2] = client->address[2];
		ctx->user_ip6[3] = client->address[3];
	} else {
		ctx->user_ip6[0] = 0;
		ctx->user_ip6[1] = 0;
		ctx->user_ip6[2] = bpf_htonl(0xffff);
		ctx->user_ip6[3] = client->address[0];
	}
	ctx->user_port = client->port;
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
