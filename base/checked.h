/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on sizes and addresses that cannot wrap unnoticed.
 *
 * Every checked function returns true when the exact result fits and has been stored, and false
 * when it does not fit; the place for the result is then left untouched. A caller that drops the
 * answer is warned by the compiler.
 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of elements of an array (an array, not a pointer: the compiler refuses the latter). */
#define ARRAY_SIZE(a)                                                                              \
	(sizeof(a) / sizeof((a)[0]) +                                                              \
	 0 * sizeof(struct {                                                                       \
		 _Static_assert(!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])), \
				"ARRAY_SIZE of a pointer");                                        \
		 char unused;                                                                      \
	 }))

/* *sum = a + b. */
__attribute__((warn_unused_result)) static inline bool u64_add(uint64_t a, uint64_t b,
							       uint64_t *sum)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*sum = r;
	return true;
}

/* *product = a * b. */
__attribute__((warn_unused_result)) static inline bool u64_mul(uint64_t a, uint64_t b,
							       uint64_t *product)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*product = r;
	return true;
}

/* *sum = a + b. */
__attribute__((warn_unused_result)) static inline bool size_add(size_t a, size_t b, size_t *sum)
{
	size_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*sum = r;
	return true;
}

/* *product = a * b. */
__attribute__((warn_unused_result)) static inline bool size_mul(size_t a, size_t b, size_t *product)
{
	size_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*product = r;
	return true;
}

/* Whether v is a power of two; zero is not. */
static inline bool u64_is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

/* v rounded down to a multiple of align, which is a power of two. Cannot overflow. */
static inline uint64_t u64_align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/*
 * *up = v rounded up to a multiple of align. False when that does not fit in 64 bits, or when
 * align is not a power of two.
 */
__attribute__((warn_unused_result)) static inline bool u64_align_up(uint64_t v, uint64_t align,
								    uint64_t *up)
{
	uint64_t r;

	if (!u64_is_pow2(align) || !u64_add(v, align - 1, &r))
		return false;
	*up = u64_align_down(r, align);
	return true;
}

/* As u64_align_up(), for sizes. */
__attribute__((warn_unused_result)) static inline bool size_align_up(size_t v, size_t align,
								     size_t *up)
{
	uint64_t r;

	if (!u64_align_up(v, align, &r) || r > SIZE_MAX)
		return false;
	*up = (size_t)r;
	return true;
}

/* Whether the range of len bytes at offset lies inside [0, limit]; never wraps. */
static inline bool range_fits(uint64_t offset, uint64_t len, uint64_t limit)
{
	return offset <= limit && len <= limit - offset;
}

static inline uint32_t u32_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t u32_max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif /* BASE_CHECKED_H */
