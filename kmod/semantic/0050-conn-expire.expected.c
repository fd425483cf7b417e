static void ip_vs_conn_expire(struct timer_list *t)
{
	struct ip_vs_conn *cp = from_timer(cp, t, timer);

	if (last_user(cp)) {
		forget_route(cp);
		ip_vs_fnat_conn_expire(cp);
		ip_vs_unbind_dest(cp);
		return;
	}
	again(cp);
}

void elsewhere(struct ip_vs_conn *cp)
{
	ip_vs_unbind_dest(cp);
}
