// SPDX-License-Identifier: GPL-2.0-only
/* FULLNAT, the part in ip_vs_conn.c: see conn.c. */
#include "fnat.h"

/* Patch 0030: make a new connection visible.  It cannot fail. */
void ip_vs_fnat_conn_hash(struct ip_vs_conn *cp)
{
	if (fnat_is_ext(cp)) {
		/* We see both directions, keep it hashed, and never track. */
		cp->flags &= ~(IP_VS_CONN_F_NFCT | IP_VS_CONN_F_NOOUTPUT |
			       IP_VS_CONN_F_ONE_PACKET);
		cp->packet_xmit = fnat_xmit;
		fnat_conn_link(cp);
	} else if (IP_VS_FWD_METHOD(cp) == IP_VS_CONN_F_FULLNAT) {
		/* Announced by another director; its local address is there. */
		cp->packet_xmit = fnat_xmit_drop;
	}
	ip_vs_conn_hash(cp);
}
