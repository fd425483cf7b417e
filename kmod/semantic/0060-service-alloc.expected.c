static int
ip_vs_add_service(struct netns_ipvs *ipvs, struct ip_vs_service **svc_p)
{
	struct ip_vs_service *svc;

	if (old_spelling)
		svc = ip_vs_fnat_service_alloc();
	else
		svc = ip_vs_fnat_service_alloc();
	*svc_p = svc;
	return 0;
}

static void ip_vs_service_free(struct ip_vs_service *svc)
{
	free_percpu(svc->counters);
	ip_vs_fnat_service_free(svc);
}

static void elsewhere(struct ip_vs_dest *svc)
{
	kfree(svc);
}
