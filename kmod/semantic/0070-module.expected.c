static int __init ip_vs_init(void)
{
	int ret;

	ret = ip_vs_fnat_conn_init();
	if (ret < 0)
		return ret;
	ret = ip_vs_fnat_register();
	if (ret < 0)
		ip_vs_fnat_conn_cleanup();
	return ret;
}

static void __exit ip_vs_cleanup(void)
{
	ip_vs_fnat_unregister();
	others();
	ip_vs_fnat_conn_cleanup();
}
