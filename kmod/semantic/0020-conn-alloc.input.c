static struct kmem_cache *ip_vs_conn_cachep;

struct ip_vs_conn *
ip_vs_conn_new(const struct ip_vs_conn_param *p, int dest_af,
	       const union nf_inet_addr *daddr, __be16 dport, unsigned int flags,
	       struct ip_vs_dest *dest, __u32 fwmark)
{
	struct ip_vs_conn *cp;

	if (too_many())
		return NULL;
	cp = kmem_cache_alloc(ip_vs_conn_cachep, GFP_ATOMIC);
	if (!cp) {
		give_back();
		IP_VS_ERR_RL("%s(): no memory\n", __func__);
		return NULL;
	}
	return cp;
}

void elsewhere(void)
{
	kmem_cache_alloc(another_cachep, GFP_ATOMIC);
	IP_VS_ERR_RL("stays\n");
}
