/* cpu_dropout_vec.h: dropout of cpu_kernels.h in the words of cpu_vec.h. Exact: the stream of core/base/rng.h, whatever
 * the number of lanes. */
#ifndef CPU_CPU_DROPOUT_VEC_H
#define CPU_CPU_DROPOUT_VEC_H

#include <string.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

enum { DROPOUT_BLOCK = 4 * LANES }; /* a counter gives four numbers */

/* Philox4x32-10 of counters that differ in their low word c0; source as in core/base/rng.h. Keys go to the words that
 * are there early, since the products are late. */
static inline void philox(words out[4], words c0, uint32_t high, uint64_t stream, uint64_t key)
{
    words c1 = splat_words(high), c2 = splat_words((uint32_t)stream), c3 = splat_words((uint32_t)(stream >> 32));
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        words high0, high1, low0 = multiply(&high0, c0, 0xD2511F53u), low1 = multiply(&high1, c2, 0xCD9E8D57u);
        c0 = xor_words(high1, xor_words(c1, splat_words(k0)));
        c2 = xor_words(high0, xor_words(c3, splat_words(k1)));
        c1 = low1, c3 = low0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* DROPOUT_BLOCK elements whose first index is a multiple of 4. Plain C serves where their counters differ in the high
 * word. */
static void dropout_block(float *y, const float *x, uint64_t index, const struct cpu_dropout *d)
{
    uint64_t block = index / 4;
    if ((uint32_t)block > UINT32_MAX - (LANES - 1)) {
        cpu_dropout_c(y, x, DROPOUT_BLOCK, index, d);
        return;
    }
    words r[4], number[4];
    philox(r, add_words(splat_words((uint32_t)block), counters()),
           (uint32_t)VGG_RNG_DROPOUT << 24 | ((uint32_t)(block >> 32) & 0xFFFFFFu), d->stream, d->seed);
    in_order(number, r);
    words threshold = splat_words(d->threshold);
    vec keep = splat(d->keep);
    for (int q = 0; q < 4; q++) {
        vec value = quotient(load(x + q * LANES), keep);
        store(y + q * LANES, where(at_least(number[q], threshold), value));
    }
}

static void dropout(float *y, const float *x, size_t count, uint64_t index, const struct cpu_dropout *d)
{
    size_t i = (size_t)(-index & 3);
    if (i > count) i = count;
    cpu_dropout_c(y, x, i, index, d);
    for (; i + DROPOUT_BLOCK <= count; i += DROPOUT_BLOCK)
        dropout_block(y + i, x + i, index + i, d);
    if (i == count) return;
    float rest[DROPOUT_BLOCK] = { 0 };
    memcpy(rest, x + i, (count - i) * sizeof *rest);
    dropout(rest, rest, DROPOUT_BLOCK, index + i, d);
    memcpy(y + i, rest, (count - i) * sizeof *rest);
}

#endif
