// SPDX-License-Identifier: GPL-2.0-only
/* FULLNAT, the part in ip_vs_ctl.c: services and destinations. */
#include "fnat.h"

void fnat_config_lock(struct netns_ipvs *ipvs)
{
	mutex_lock(FNAT_CONFIG_MUTEX(ipvs));
}

void fnat_config_unlock(struct netns_ipvs *ipvs)
{
	mutex_unlock(FNAT_CONFIG_MUTEX(ipvs));
}

/* Find the service that a nest of IPVS_SVC_ATTR_* names, under the lock. */
struct ip_vs_service *fnat_find_service(struct netns_ipvs *ipvs,
					struct nlattr *nest)
{
	struct ip_vs_service *svc = ip_vs_genl_find_service(ipvs, nest);

	return svc ? svc : ERR_PTR(-ESRCH);
}

static bool fnat_dest_is_local(struct net *net,
			       const struct ip_vs_dest_user_kern *udest)
{
#ifdef CONFIG_IP_VS_IPV6
	if (udest->af == AF_INET6)
		return ipv6_chk_addr(net, &udest->addr.in6, NULL, 0);
#endif
	return inet_addr_type(net, udest->addr.ip) == RTN_LOCAL;
}

static int fnat_check_dest(struct ip_vs_service *svc,
			   const struct ip_vs_dest_user_kern *udest)
{
	if ((udest->conn_flags & IP_VS_CONN_F_FWD_MASK) != IP_VS_CONN_F_FULLNAT)
		return 0;
	if (svc->protocol != IPPROTO_TCP && svc->protocol != IPPROTO_UDP)
		return -EPROTONOSUPPORT;
	if (udest->af != svc->af)
		return -EAFNOSUPPORT;
	if (fnat_dest_is_local(svc->ipvs->net, udest))
		return -EADDRNOTAVAIL;
	return 0;
}

/* Patch 0090 */
int ip_vs_fnat_add_dest(struct ip_vs_service *svc,
			struct ip_vs_dest_user_kern *udest)
{
	return fnat_check_dest(svc, udest) ?: ip_vs_add_dest(svc, udest);
}

/* Patch 0090 */
int ip_vs_fnat_edit_dest(struct ip_vs_service *svc,
			 struct ip_vs_dest_user_kern *udest)
{
	return fnat_check_dest(svc, udest) ?: ip_vs_edit_dest(svc, udest);
}
