/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * FULLNAT for IPVS: the contract between the kernel module and its users.
 *
 * Two generic netlink families speak of it.  The kernel's own family "IPVS"
 * (linux/ip_vs.h) carries what it always did; two numbers of it are ours:
 *
 *	IP_VS_CONN_F_FULLNAT	forwarding method of a destination, in
 *				IPVS_DEST_ATTR_FWD_METHOD.
 *	IP_VS_SVC_F_SYNPROXY	flag of a service, in IPVS_SVC_ATTR_FLAGS.
 *				Taken only when IPVS_FNAT_F_SYNPROXY is among
 *				the features; without, it is kept and has no
 *				effect.
 *
 * A destination with method FULLNAT is refused with
 *	EPROTONOSUPPORT	the service is neither TCP nor UDP,
 *	EAFNOSUPPORT	the destination is of another family than its service,
 *	EADDRNOTAVAIL	the destination is an address of this host.
 *
 * The family "IPVS_FNAT" carries the rest.  ITS PRESENCE IS THE FEATURE TEST:
 * a kernel without this module takes method 5 and flag 0x8000 without a word
 * and then hands the packets to the local stack.  Ask for the family
 * (CTRL_CMD_GETFAMILY) before using either.
 *
 * Every command needs CAP_NET_ADMIN in the initial user namespace, as those of
 * "IPVS" do, acts on the network namespace of the socket, and is validated
 * strictly: unknown attributes, wrong lengths and nests without NLA_F_NESTED
 * are EINVAL or ERANGE, often with a text in the extended ACK.  There are no
 * multicast groups.
 *
 * A service is named by the nest IPVS_FNAT_A_SERVICE, inside of which the
 * numbers are those of the kernel's IPVS_SVC_ATTR_*: AF and FWMARK, or AF,
 * PROTOCOL, ADDR and PORT.  Others are ignored.  ESRCH: there is none.
 *
 * What an older user space sees: numbers are only ever added.  A newer one
 * finds out by IPVS_FNAT_A_FEATURES, and by IPVS_FNAT_A_ABI, which grows when
 * the meaning of something that exists already changes.
 */
#ifndef _UAPI_LINUX_IP_VS_FNAT_H
#define _UAPI_LINUX_IP_VS_FNAT_H

#define IPVS_FNAT_GENL_NAME	"IPVS_FNAT"
#define IPVS_FNAT_GENL_VERSION	1
#define IPVS_FNAT_ABI		1

/* In the kernel's own family: */
#define IP_VS_CONN_F_FULLNAT	5
#define IP_VS_SVC_F_SYNPROXY	0x8000

/* Bits of IPVS_FNAT_A_FEATURES: what this module can do. */
enum {
	IPVS_FNAT_F_IPV4	= 1 << 0,
	IPVS_FNAT_F_IPV6	= 1 << 1,
	IPVS_FNAT_F_TCP		= 1 << 2,
	IPVS_FNAT_F_UDP		= 1 << 3,
	IPVS_FNAT_F_TOA		= 1 << 4, /* client address in a TCP option */
	IPVS_FNAT_F_SYNPROXY	= 1 << 5,
	IPVS_FNAT_F_ACL		= 1 << 6, /* address lists per service */
	IPVS_FNAT_F_EARLY	= 1 << 7, /* hooks before connection tracking */
};

/**
 * DOC: commands
 *
 * GET_INFO	-> ABI, FEATURES, TABLE_SIZE, CONNS.
 *
 * NEW_LADDR	SERVICE, LADDR { AF, ADDR }.  Sessions that begin from now on
 *		may use the address.  EEXIST: the service has it already.
 *		EAFNOSUPPORT: another family than the service.  EADDRNOTAVAIL:
 *		not a unicast address.  ENOSPC: over IPVS_FNAT_LADDR_MAX.  The
 *		address need not be up on this host yet, but must be when
 *		replies are to arrive (LADDR_F_LOCAL tells in a dump).  It must
 *		not be a source address of this host's own connections: the
 *		host does not know which ports are taken.
 *
 * DEL_LADDR	SERVICE, LADDR { AF, ADDR }.  No new session uses the address;
 *		sessions that do go on.  ENOENT: the service does not have it.
 *
 * GET_LADDR	dump; SERVICE.  One message per address: LADDR with everything,
 *		in the order in which they were added.
 *
 * SET_SERVICE	SERVICE and any of EST_TIMEOUT.  For sessions that begin from
 *		now on.
 *
 * GET_SERVICE	SERVICE -> EST_TIMEOUT, LADDR_COUNT.
 *
 * SET_ACL	reserved for address lists: EOPNOTSUPP.
 *
 * GET_CONN	dump; optionally SERVICE (by address, not by mark).  One
 *		message per session: CONN.
 *
 * GET_STATS	-> STATS: the counters of the namespace, numbered by
 *		enum ipvs_fnat_stat.
 */
enum {
	IPVS_FNAT_CMD_UNSPEC,
	IPVS_FNAT_CMD_GET_INFO,
	IPVS_FNAT_CMD_NEW_LADDR,
	IPVS_FNAT_CMD_DEL_LADDR,
	IPVS_FNAT_CMD_GET_LADDR,
	IPVS_FNAT_CMD_SET_SERVICE,
	IPVS_FNAT_CMD_GET_SERVICE,
	IPVS_FNAT_CMD_SET_ACL,
	IPVS_FNAT_CMD_GET_CONN,
	IPVS_FNAT_CMD_GET_STATS,
	__IPVS_FNAT_CMD_MAX,
};

#define IPVS_FNAT_CMD_MAX	(__IPVS_FNAT_CMD_MAX - 1)

/* First level of every message. */
enum {
	IPVS_FNAT_A_UNSPEC,
	IPVS_FNAT_A_PAD,
	IPVS_FNAT_A_ABI,		/* u32 */
	IPVS_FNAT_A_FEATURES,		/* u32, IPVS_FNAT_F_* */
	IPVS_FNAT_A_TABLE_SIZE,		/* u32, buckets of the session table */
	IPVS_FNAT_A_CONNS,		/* u64, sessions of all namespaces */
	IPVS_FNAT_A_SERVICE,		/* nest, IPVS_SVC_ATTR_* */
	IPVS_FNAT_A_LADDR,		/* nest, IPVS_FNAT_LADDR_* */
	IPVS_FNAT_A_LADDR_COUNT,	/* u32, addresses of the service */
	IPVS_FNAT_A_EST_TIMEOUT,	/* u32, seconds that an established
					 * TCP session may idle; 0: the
					 * namespace's timeout (ipvsadm --set);
					 * at most IPVS_FNAT_TIMEOUT_MAX
					 */
	IPVS_FNAT_A_CONN,		/* nest, IPVS_FNAT_CONN_* */
	IPVS_FNAT_A_STATS,		/* nest, one u64 per counter, attribute
					 * number = enum ipvs_fnat_stat + 2
					 * (1 is padding)
					 */
	__IPVS_FNAT_A_MAX,
};

#define IPVS_FNAT_A_MAX		(__IPVS_FNAT_A_MAX - 1)

/* A local address of a service. */
enum {
	IPVS_FNAT_LADDR_UNSPEC,
	IPVS_FNAT_LADDR_PAD,
	IPVS_FNAT_LADDR_AF,		/* u16, AF_INET or AF_INET6 */
	IPVS_FNAT_LADDR_ADDR,		/* IPv4: 4 bytes are taken; IPv6: 16.
					 * 16 are sent for both.
					 */
	IPVS_FNAT_LADDR_FLAGS,		/* u32, IPVS_FNAT_LADDR_F_* */
	IPVS_FNAT_LADDR_CONNS,		/* u32, sessions that use it now */
	IPVS_FNAT_LADDR_ALLOCS,		/* u64, sessions that ever did */
	IPVS_FNAT_LADDR_CONFLICTS,	/* u64, times that all its ports
					 * towards a destination were taken
					 */
	IPVS_FNAT_LADDR_PORTS,		/* u32, ports of the range
					 * (fullnat_lport_min..max)
					 */
	__IPVS_FNAT_LADDR_MAX,
};

#define IPVS_FNAT_LADDR_ATTR_MAX	(__IPVS_FNAT_LADDR_MAX - 1)

enum {
	IPVS_FNAT_LADDR_F_LOCAL	= 1 << 0, /* an address of this host now */
};

#define IPVS_FNAT_LADDR_MAX	65536	/* addresses of one service */
#define IPVS_FNAT_TIMEOUT_MAX	(86400 * 31)

/* A session.  Addresses are 16 bytes, ports in network order. */
enum {
	IPVS_FNAT_CONN_UNSPEC,
	IPVS_FNAT_CONN_PAD,
	IPVS_FNAT_CONN_AF,		/* u16 */
	IPVS_FNAT_CONN_PROTOCOL,	/* u16 */
	IPVS_FNAT_CONN_CADDR,		/* client */
	IPVS_FNAT_CONN_CPORT,
	IPVS_FNAT_CONN_VADDR,		/* virtual service */
	IPVS_FNAT_CONN_VPORT,
	IPVS_FNAT_CONN_LADDR,		/* local address */
	IPVS_FNAT_CONN_LPORT,
	IPVS_FNAT_CONN_DADDR,		/* destination */
	IPVS_FNAT_CONN_DPORT,
	IPVS_FNAT_CONN_STATE,		/* string, as ipvsadm -Lnc has it */
	IPVS_FNAT_CONN_EXPIRES,		/* u32, milliseconds */
	IPVS_FNAT_CONN_FLAGS,		/* u32, IP_VS_CONN_F_* */
	__IPVS_FNAT_CONN_MAX,
};

#define IPVS_FNAT_CONN_MAX	(__IPVS_FNAT_CONN_MAX - 1)

/**
 * DOC: counters
 *
 * Also in /proc/net/ip_vs_ext_stats, by these names in lower case.  Names
 * that the LVS release for Linux 2.6.32 had keep their meaning.
 */
enum ipvs_fnat_stat {
	IPVS_FNAT_STAT_FULLNAT_ADD_TOA_OK,
	IPVS_FNAT_STAT_FULLNAT_ADD_TOA_FAIL_LEN,   /* packet would not fit */
	IPVS_FNAT_STAT_FULLNAT_ADD_TOA_HEAD_FULL,  /* no room for options */
	IPVS_FNAT_STAT_FULLNAT_ADD_TOA_FAIL_MEM,
	IPVS_FNAT_STAT_FULLNAT_ADD_TOA_FAIL_PROTO, /* never: IPv6 works, too */
	IPVS_FNAT_STAT_FULLNAT_STRIP_TOA,	   /* forged by a client */
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED,	   /* SYN on an old session */
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_CLOSE,
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_TIMEWAIT,
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_FINWAIT,
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_CLOSEWAIT,
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_LASTACK,
	IPVS_FNAT_STAT_FULLNAT_CONN_REUSED_ESTAB,  /* seen, not reused */
	IPVS_FNAT_STAT_FULLNAT_CONN_ALLOC,	   /* sessions begun */
	IPVS_FNAT_STAT_FULLNAT_CONN_FREE,	   /* sessions ended */
	IPVS_FNAT_STAT_FULLNAT_NO_LADDR,	   /* service without any */
	IPVS_FNAT_STAT_FULLNAT_PORT_CONFLICT,	   /* an address was full */
	IPVS_FNAT_STAT_FULLNAT_PORT_EXHAUSTED,	   /* all were: refused */
	IPVS_FNAT_STAT_FULLNAT_NO_MEMORY,
	IPVS_FNAT_STAT_FULLNAT_ICMP_IN,		   /* errors sent to servers */
	IPVS_FNAT_STAT_FULLNAT_ICMP_OUT,	   /* errors sent to clients */
	IPVS_FNAT_STAT_FULLNAT_DROP,		   /* could not be translated */
	IPVS_FNAT_STAT_RST_IN_ESTABLISHED,	   /* resets sent to clients */
	IPVS_FNAT_STAT_RST_OUT_ESTABLISHED,	   /* resets sent to servers */
	IPVS_FNAT_STAT_RST_LIMITED,		   /* resets not sent */
	__IPVS_FNAT_STAT_MAX,
};

#endif /* _UAPI_LINUX_IP_VS_FNAT_H */
