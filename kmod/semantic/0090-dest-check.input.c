static int
ip_vs_add_dest(struct ip_vs_service *svc, struct ip_vs_dest_user_kern *udest)
{
	return 0;
}

static int caller(struct ip_vs_service *svc, struct ip_vs_dest_user_kern udest)
{
	int ret = ip_vs_add_dest(svc, &udest);

	if (!ret)
		ret = ip_vs_edit_dest(svc, &udest);
	return ret ? ret : ip_vs_del_dest(svc, &udest);
}
