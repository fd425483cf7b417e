/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the patched files of ip_vs call: one function per hook of semantic/,
 * grouped by the file here that implements it.
 *
 * Nothing else of ours is visible to them.
 */
#ifndef _IP_VS_FNAT_H
#define _IP_VS_FNAT_H

#include <net/ip_vs.h>

/* conn.inc.c: in the place of ip_vs_conn_new()'s last call (patch 0030) */
void ip_vs_fnat_conn_hash(struct ip_vs_conn *cp);

/* conn.c */
struct ip_vs_conn *ip_vs_fnat_conn_alloc(struct kmem_cache *stock,
					 const struct ip_vs_conn_param *p,
					 struct ip_vs_dest *dest,
					 const union nf_inet_addr *daddr,
					 __be16 dport, unsigned int *flags);
void ip_vs_fnat_conn_refused(const struct ip_vs_dest *dest);
void ip_vs_fnat_conn_free(struct kmem_cache *stock, struct ip_vs_conn *cp);
void ip_vs_fnat_conn_expire(struct ip_vs_conn *cp);
void ip_vs_fnat_sync_conn(struct netns_ipvs *ipvs, struct ip_vs_conn *cp,
			  int pkts);

/* laddr.c */
struct ip_vs_service *ip_vs_fnat_service_alloc(void);
void ip_vs_fnat_service_free(struct ip_vs_service *svc);

/* ctl.inc.c */
int ip_vs_fnat_add_dest(struct ip_vs_service *svc,
			struct ip_vs_dest_user_kern *udest);
int ip_vs_fnat_edit_dest(struct ip_vs_service *svc,
			 struct ip_vs_dest_user_kern *udest);

/* main.c */
int ip_vs_fnat_conn_init(void);
void ip_vs_fnat_conn_cleanup(void);
int ip_vs_fnat_register(void);
void ip_vs_fnat_unregister(void);

#endif /* _IP_VS_FNAT_H */
