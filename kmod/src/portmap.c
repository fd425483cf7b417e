// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports of one local address towards one destination; the idea is in portmap.h.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "portmap.h"

static struct portmap_chunk *portmap_chunk(struct portmap *map,
					   unsigned int number)
{
	struct portmap_chunk *chunk = READ_ONCE(map->chunk[number]);
	struct portmap_chunk *other;

	if (likely(chunk))
		return chunk;
	chunk = kzalloc(sizeof(*chunk), GFP_ATOMIC | __GFP_NOWARN);
	if (!chunk)
		return NULL;
	other = cmpxchg(&map->chunk[number], NULL, chunk);
	if (!other)
		return chunk;
	kfree(chunk); /* another CPU was faster */
	return other;
}

/*
 * Mark a word as full that looked full.  A port of it may be given back at the
 * same time: portmap_give() clears the port, then the mark; we set the mark,
 * then look at the ports.  So one of the two sees the other, and no word with
 * a free port stays marked.
 */
static void portmap_mark(struct portmap *map, unsigned int number,
			 const unsigned long *word)
{
	set_bit(number, map->full);
	smp_mb__after_atomic(); /* pairs with portmap_give() */
	if (READ_ONCE(*word) != ~0UL)
		clear_bit(number, map->full);
}

/* Take the first free port of the bits first..last of a word, else return -1. */
static int portmap_take_bit(unsigned long *word, unsigned int first,
			    unsigned int last)
{
	unsigned int bit = first;

	for (;;) {
		bit = find_next_zero_bit(word, last + 1, bit);
		if (bit > last)
			return -1;
		if (!test_and_set_bit(bit, word))
			return bit;
	}
}

/* Take the first free port from..to. */
static int portmap_search(struct portmap *map, unsigned int from,
			  unsigned int to)
{
	unsigned int number = from / BITS_PER_LONG;
	unsigned int end = to / BITS_PER_LONG;

	while (number <= end) {
		unsigned int first = 0, last = BITS_PER_LONG - 1;
		struct portmap_chunk *chunk;
		unsigned long *word;
		int bit;

		chunk = portmap_chunk(map, number / PORTMAP_CHUNK_WORDS);
		if (!chunk)
			return -ENOMEM;
		word = &chunk->word[number % PORTMAP_CHUNK_WORDS];
		if (number == from / BITS_PER_LONG)
			first = from % BITS_PER_LONG;
		if (number == end)
			last = to % BITS_PER_LONG;
		bit = portmap_take_bit(word, first, last);
		if (bit >= 0) {
			if (READ_ONCE(*word) == ~0UL)
				portmap_mark(map, number, word);
			return number * BITS_PER_LONG + bit;
		}
		number = find_next_zero_bit(map->full, PORTMAP_WORDS,
					    number + 1);
	}
	return -ENOSPC;
}

/* Take the next free port behind the stripe's cursor.  A cursor of another range,
 * or of none yet, is placed anywhere: nobody shall guess the ports.
 */
static int portmap_search_stripe(struct portmap *map, unsigned int first,
				 unsigned int last, u16 *cursor)
{
	unsigned int start = READ_ONCE(*cursor);
	int port;

	if (start < first || start > last)
		start = first + get_random_u32() % (last - first + 1);
	port = portmap_search(map, start, last);
	if (port == -ENOSPC && start > first)
		port = portmap_search(map, first, start - 1);
	if (port >= 0)
		WRITE_ONCE(*cursor, port < last ? port + 1 : first);
	return port;
}

int portmap_take(struct portmap *map, u16 low, u16 high,
		 unsigned int stripe, unsigned int stripes)
{
	unsigned int ports = high - low + 1;
	unsigned int first = low, last = high;
	int port;

	stripes = min_t(unsigned int, stripes, PORTMAP_STRIPES);
	if (stripes > 1 && ports >= stripes * BITS_PER_LONG) {
		stripe %= stripes;
		first = low + ports / stripes * stripe;
		if (stripe < stripes - 1)
			last = first + ports / stripes - 1;
	} else {
		stripe = 0;
	}
	port = portmap_search_stripe(map, first, last, &map->cursor[stripe]);
	if (port == -ENOSPC && (first > low || last < high))
		port = portmap_search(map, low, high);
	return port;
}

void portmap_give(struct portmap *map, u16 port)
{
	unsigned int number = port / BITS_PER_LONG;
	struct portmap_chunk *chunk;

	chunk = READ_ONCE(map->chunk[number / PORTMAP_CHUNK_WORDS]);
	clear_bit(port % BITS_PER_LONG,
		  &chunk->word[number % PORTMAP_CHUNK_WORDS]);
	smp_mb__after_atomic(); /* pairs with portmap_mark() */
	if (test_bit(number, map->full))
		clear_bit(number, map->full);
}

void portmap_destroy(struct portmap *map)
{
	unsigned int number;

	for (number = 0; number < PORTMAP_CHUNKS; number++)
		kfree(map->chunk[number]);
}
