/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports of one local address towards one destination: a bitmap in chunks, with
 * a summary of its full words above it.
 *
 * Lock-free: a port is taken by test_and_set_bit() and given back by
 * clear_bit().  The summary only saves looking; what it says is corrected by
 * whoever sees it wrong (see portmap.c).
 *
 * Knows nothing of sessions, addresses or the network, so that it is tested
 * outside of the kernel (tests/kmod).
 */
#ifndef _IP_VS_FNAT_PORTMAP_H
#define _IP_VS_FNAT_PORTMAP_H

#include <linux/types.h>
#include <linux/bitops.h>

enum {
	PORTMAP_PORTS		= 65536,
	PORTMAP_CHUNK_PORTS	= 4096,
	PORTMAP_CHUNKS		= PORTMAP_PORTS / PORTMAP_CHUNK_PORTS,
	PORTMAP_WORDS		= PORTMAP_PORTS / BITS_PER_LONG,
	PORTMAP_CHUNK_WORDS	= PORTMAP_CHUNK_PORTS / BITS_PER_LONG,
	PORTMAP_STRIPES		= 8,
};

/* 512 bytes, allocated when the first of its ports is looked for. */
struct portmap_chunk {
	unsigned long word[PORTMAP_CHUNK_WORDS];
};

/*
 * @chunk:  which ports are taken; NULL: none of these.
 * @full:   one bit for each word that has no free port.
 * @cursor: where each stripe goes on; a port comes again only after all others
 *	    of its stripe, which spares the destination's TIME_WAIT sockets.
 */
struct portmap {
	struct portmap_chunk *chunk[PORTMAP_CHUNKS];
	unsigned long full[PORTMAP_WORDS / BITS_PER_LONG];
	u16 cursor[PORTMAP_STRIPES];
};

/*
 * Take a free port of low..high and return it; -ENOSPC if there is none,
 * -ENOMEM if a chunk could not be allocated.
 *
 * The range is cut into @stripes equal parts, one for each CPU that allocates,
 * so that they do not fight for the same words; when its own @stripe is full a
 * CPU takes from the others.
 */
int portmap_take(struct portmap *map, u16 low, u16 high,
		 unsigned int stripe, unsigned int stripes);
void portmap_give(struct portmap *map, u16 port);

/* Free the chunks; nobody uses the map any longer. */
void portmap_destroy(struct portmap *map);

#endif /* _IP_VS_FNAT_PORTMAP_H */
