void sees_a_packet(struct netns_ipvs *ipvs, struct ip_vs_conn *cp, int pkts)
{
	if (is_master(ipvs))
		ip_vs_sync_conn(ipvs, cp, pkts);
	ip_vs_sync_conn(ipvs, cp, threshold(ipvs));
}
