/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of the kernel as portmap.c needs, for a program of threads. */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define BITS_PER_LONG (CHAR_BIT * (unsigned int)sizeof(long))
#define likely(x) (x)
#define unlikely(x) (x)
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
/* The kernel's orders loads that depend on it, for which C has only this. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define smp_mb__after_atomic() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define cmpxchg(p, old, new) __sync_val_compare_and_swap(p, old, new)

#define GFP_ATOMIC 0
#define __GFP_NOWARN 0

extern bool no_memory;

static inline void *kzalloc(size_t size, int flags)
{
	return no_memory ? NULL : calloc(1, size);
}

static inline void kfree(void *p)
{
	free(p);
}

static inline u32 get_random_u32(void)
{
	static __thread u32 state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	return state ^= state << 5;
}

static inline bool test_bit(unsigned int number, const unsigned long *map)
{
	return READ_ONCE(map[number / BITS_PER_LONG]) >> number % BITS_PER_LONG & 1;
}

static inline bool test_and_set_bit(unsigned int number, unsigned long *map)
{
	unsigned long bit = 1UL << number % BITS_PER_LONG;

	return __atomic_fetch_or(&map[number / BITS_PER_LONG], bit, __ATOMIC_SEQ_CST) & bit;
}

static inline void set_bit(unsigned int number, unsigned long *map)
{
	__atomic_fetch_or(&map[number / BITS_PER_LONG], 1UL << number % BITS_PER_LONG, __ATOMIC_SEQ_CST);
}

static inline void clear_bit(unsigned int number, unsigned long *map)
{
	__atomic_fetch_and(&map[number / BITS_PER_LONG], ~(1UL << number % BITS_PER_LONG), __ATOMIC_SEQ_CST);
}

static inline unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size, unsigned long from)
{
	while (from < size) {
		unsigned long word = ~READ_ONCE(map[from / BITS_PER_LONG]) >> from % BITS_PER_LONG;

		if (word) {
			from += __builtin_ctzl(word);
			return from < size ? from : size;
		}
		from = (from / BITS_PER_LONG + 1) * BITS_PER_LONG;
	}
	return size;
}

#endif
