static struct kmem_cache *ip_vs_conn_cachep;

static void give_away(struct ip_vs_conn *cp)
{
	ip_vs_fnat_conn_free(ip_vs_conn_cachep, cp);
	kmem_cache_free(another_cachep, cp);
}
