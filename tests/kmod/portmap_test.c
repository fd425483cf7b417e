// SPDX-License-Identifier: GPL-2.0-only
/*
 * portmap.c outside of the kernel.  "portmap_test NAME" runs one case; status 0 and no output when all is well.
 * "portmap_test bench" prints nanoseconds for one take and give by how full the map is.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "portmap.h"
#include <linux/kernel.h>

bool no_memory;

#define CHECK(condition)									\
	do {											\
		if (!(condition)) {								\
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);	\
			exit(1);								\
		}										\
	} while (0)

static bool seen[65536];

static void fill_exactly(u16 low, u16 high, unsigned int stripes)
{
	struct portmap map = {};
	int count = high - low + 1, number, port;

	memset(seen, 0, sizeof(seen));
	for (number = 0; number < count; number++) {
		port = portmap_take(&map, low, high, number, stripes);
		CHECK(port >= low && port <= high);
		CHECK(!seen[port]);
		seen[port] = true;
	}
	CHECK(portmap_take(&map, low, high, 0, stripes) == -ENOSPC);
	CHECK(portmap_take(&map, low, high, 5, stripes) == -ENOSPC);
	/* Any single one that is given back is found again. */
	for (number = 0; number < 2000; number++) {
		port = low + get_random_u32() % count;
		portmap_give(&map, port);
		CHECK(portmap_take(&map, low, high, number, stripes) == port);
		CHECK(portmap_take(&map, low, high, number, stripes) == -ENOSPC);
	}
	for (port = low; port <= high; port++)
		portmap_give(&map, port);
	for (number = 0; number < count; number++)
		CHECK(portmap_take(&map, low, high, number, stripes) >= 0);
	portmap_destroy(&map);
}

static void test_fill(void)
{
	unsigned int stripes;

	for (stripes = 1; stripes <= 16; stripes *= 2) {
		fill_exactly(5000, 65535, stripes);
		fill_exactly(1, 65535, stripes);
		fill_exactly(1024, 1024, stripes);
		fill_exactly(63, 64, stripes);
		fill_exactly(4095, 4096, stripes);
		fill_exactly(100, 899, stripes);
		fill_exactly(65471, 65535, stripes);
	}
}

/* A port comes again only after all others of its stripe. */
static void test_distance(void)
{
	struct portmap map = {};
	static int last[65536];
	int turn, port;
	const int size = 60536 / 4;

	memset(last, -1, sizeof(last));
	for (turn = 0; turn < 5 * size; turn++) {
		port = portmap_take(&map, 5000, 65535, 2, 4);
		CHECK(port >= 5000 + 2 * size && port < 5000 + 3 * size);
		CHECK(last[port] < 0 || turn - last[port] >= size);
		last[port] = turn;
		portmap_give(&map, port);
	}
	portmap_destroy(&map);
}

/* A range that changes while ports are out. */
static void test_range(void)
{
	struct portmap map = {};
	int port, number;

	port = portmap_take(&map, 5000, 5999, 0, 1);
	CHECK(port >= 5000 && port <= 5999);
	for (number = 0; number < 100; number++)
		CHECK(portmap_take(&map, 7000, 7099, 0, 1) >= 7000);
	CHECK(portmap_take(&map, 7000, 7099, 0, 1) == -ENOSPC);
	portmap_give(&map, port);
	for (number = 0; number < 1000; number++)
		CHECK(portmap_take(&map, 5000, 5999, 0, 1) >= 5000);
	CHECK(portmap_take(&map, 5000, 5999, 0, 1) == -ENOSPC);
	portmap_destroy(&map);
}

static void test_memory(void)
{
	struct portmap map = {};
	int first;

	no_memory = true;
	CHECK(portmap_take(&map, 5000, 65535, 0, 1) == -ENOMEM);
	no_memory = false;
	first = portmap_take(&map, 5000, 65535, 0, 1);
	CHECK(first >= 5000);
	portmap_give(&map, first);
	portmap_destroy(&map);
}

enum { THREADS = 4, ROUNDS = 300000, HELD = 300 };

static struct portmap shared;
static unsigned char owner[65536];
static u16 shared_low, shared_high;

/* Each thread holds up to HELD ports of a range that is barely larger than what all of them hold. */
static void *churn(void *arg)
{
	unsigned int self = (unsigned int)(uintptr_t)arg;
	u16 held[HELD];
	int count = 0, round, port;

	for (round = 0; round < ROUNDS; round++) {
		if (count < HELD && (count == 0 || get_random_u32() % 2)) {
			port = portmap_take(&shared, shared_low, shared_high, self, THREADS);
			CHECK(port >= shared_low && port <= shared_high);
			CHECK(__atomic_exchange_n(&owner[port], self + 1, __ATOMIC_SEQ_CST) == 0);
			held[count++] = port;
		} else {
			int index = get_random_u32() % count;

			port = held[index];
			held[index] = held[--count];
			CHECK(__atomic_exchange_n(&owner[port], 0, __ATOMIC_SEQ_CST) == self + 1);
			portmap_give(&shared, port);
		}
	}
	while (count) {
		port = held[--count];
		__atomic_store_n(&owner[port], 0, __ATOMIC_SEQ_CST);
		portmap_give(&shared, port);
	}
	return NULL;
}

/* No port has two owners, none is lost, and nobody is refused while there is one. */
static void test_threads(void)
{
	pthread_t threads[THREADS];
	int number;

	shared_low = 5000;
	shared_high = 5000 + THREADS * HELD + 16;
	for (number = 0; number < THREADS; number++)
		pthread_create(&threads[number], NULL, churn, (void *)(uintptr_t)number);
	for (number = 0; number < THREADS; number++)
		pthread_join(threads[number], NULL);
	for (number = shared_low; number <= shared_high; number++)
		CHECK(portmap_take(&shared, shared_low, shared_high, number, THREADS) >= 0);
	CHECK(portmap_take(&shared, shared_low, shared_high, 0, THREADS) == -ENOSPC);
	portmap_destroy(&shared);
}

static double bench(double fill)
{
	static u16 held[65536];
	struct portmap map = {};
	int total = 60536, count = (int)(fill * total), number;
	const int rounds = 1000000;
	struct timespec from, to;

	for (number = 0; number < count; number++)
		held[number] = portmap_take(&map, 5000, 65535, 0, 1);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (number = 0; number < rounds; number++) {
		int port = portmap_take(&map, 5000, 65535, 0, 1);
		int index = count ? (int)(get_random_u32() % count) : -1;

		if (port < 0)
			continue;
		portmap_give(&map, index < 0 ? port : held[index]);
		if (index >= 0)
			held[index] = port;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	portmap_destroy(&map);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / rounds;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	static const double fills[] = {0, 0.5, 0.9, 0.99, 0.999, 1};
	unsigned int number;

	if (!strcmp(name, "fill"))
		test_fill();
	else if (!strcmp(name, "distance"))
		test_distance();
	else if (!strcmp(name, "range"))
		test_range();
	else if (!strcmp(name, "memory"))
		test_memory();
	else if (!strcmp(name, "threads"))
		test_threads();
	else if (!strcmp(name, "bench"))
		for (number = 0; number < sizeof(fills) / sizeof(fills[0]); number++)
			printf("%5.1f %% full: %.0f ns\n", fills[number] * 100, bench(fills[number]));
	else
		return 2;
	return 0;
}
