struct ip_vs_conn *
ip_vs_conn_new(const struct ip_vs_conn_param *p)
{
	struct ip_vs_conn *cp = make(p);

	ip_vs_conn_hash(cp);
	return cp;
}

void ip_vs_conn_fill_cport(struct ip_vs_conn *cp, __be16 cport)
{
	ip_vs_conn_hash(cp);
}
