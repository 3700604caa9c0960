/* cpu_vec.h: what a vector does at every level, the words in which the kernels of cpu/cpu_*_vec.h are written. The
 * level's header (cpu/x86/cpu_vec_avx2.h, cpu/x86/cpu_vec_avx512.h, cpu/arm/cpu_vec_neon.h) defines
 *   LANES    how many floats a vector holds, a divisor of 16
 *   SUMS     how many sums must be under way for the full rate of multiply-adds
 *   vec      LANES floats
 *   words    LANES unsigned numbers of 32 bits
 *   truth    LANES times yes or no
 *   sums     LANES doubles
 * and, after including this file, every function that is only declared here, each a few instructions long. Arithmetic
 * rounds once an operation, to the nearest; memory needs no alignment. */
#ifndef CPU_CPU_VEC_H
#define CPU_CPU_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* ---- floats ---- */

static inline __attribute__((always_inline)) vec load(const float *x);
static inline __attribute__((always_inline)) void store(float *y, vec x);
static inline __attribute__((always_inline)) vec splat(float x);
static inline __attribute__((always_inline)) vec add(vec x, vec y);
static inline __attribute__((always_inline)) vec sub(vec x, vec y);
static inline __attribute__((always_inline)) vec mul(vec x, vec y);
static inline __attribute__((always_inline)) vec quotient(vec x, vec y);
static inline __attribute__((always_inline)) vec root(vec x);
/* a x + y, rounded once. */
static inline __attribute__((always_inline)) vec fused(vec a, vec x, vec y);
/* max(0, x), which keeps a NaN. */
static inline __attribute__((always_inline)) vec relu(vec x);
/* -|x| */
static inline __attribute__((always_inline)) vec minus_magnitude(vec x);
/* exp(x) and log(1 + x), at most 1.0 unit in the last place off: by SLEEF, or cpu_libm.h. */
static inline __attribute__((always_inline)) vec exponential(vec x);
static inline __attribute__((always_inline)) vec log_1_plus(vec x);

/* ---- choices ---- */

/* x > y, no where either is a NaN. */
static inline __attribute__((always_inline)) truth larger(vec x, vec y);
/* Is one of them a NaN? */
static inline __attribute__((always_inline)) truth unordered(vec x, vec y);
static inline __attribute__((always_inline)) truth both(truth a, truth b);
static inline __attribute__((always_inline)) truth either(truth a, truth b);
/* yes: x, no: y. */
static inline __attribute__((always_inline)) vec choose(truth yes, vec x, vec y);
/* yes: x, no: 0. */
static inline __attribute__((always_inline)) vec where(truth yes, vec x);

/* ---- the first n lanes, all of them where n >= LANES; memory of the others is not touched ---- */

static inline __attribute__((always_inline)) truth first_lanes(size_t n);
/* 0 in the others. */
static inline __attribute__((always_inline)) vec load_some(const float *x, size_t n);
static inline __attribute__((always_inline)) void store_some(float *y, vec x, size_t n);

/* ---- words ---- */

static inline __attribute__((always_inline)) words splat_words(uint32_t x);
static inline __attribute__((always_inline)) words add_words(words x, words y);
static inline __attribute__((always_inline)) words xor_words(words x, words y);
/* The low halves of x m, and the high ones. */
static inline __attribute__((always_inline)) words multiply(words *high, words x, uint32_t m);
static inline __attribute__((always_inline)) truth equal(words x, words y);
static inline __attribute__((always_inline)) truth at_least(words x, words y);
static inline __attribute__((always_inline)) words choose_words(truth yes, words x, words y);
/* The numbers 0 to LANES - 1 in an order such that in_order, given in r[j] what lane i made as its j-th of four, has in
 * `number` all four of 0, then all four of 1, and so on. */
static inline __attribute__((always_inline)) words counters(void);
static inline __attribute__((always_inline)) void in_order(words number[4], const words r[4]);
/* LANES bytes; what is stored is below 128. */
static inline __attribute__((always_inline)) words load_bytes(const uint8_t *x);
static inline __attribute__((always_inline)) void store_bytes(uint8_t *y, words x);

/* ---- doubles ---- */

static inline __attribute__((always_inline)) sums no_sums(void);
static inline __attribute__((always_inline)) sums add_to(sums sum, vec x);
/* The same with what stands at x: to convert from memory is faster. */
static inline __attribute__((always_inline)) sums add_from(sums sum, const float *x);
/* sum / count, then as floats. */
static inline __attribute__((always_inline)) vec mean(sums sum, double count);
/* All lanes together, in a fixed order. */
static inline __attribute__((always_inline)) double total(sums sum);

/* ---- made of these ---- */

static inline __attribute__((always_inline)) vec zero(void)
{
    return splat(0);
}

static inline __attribute__((always_inline)) truth positive(vec x)
{
    return larger(x, zero());
}

/* The larger of two pixels, the first if neither is larger, and where it came from. */
static inline __attribute__((always_inline)) vec take_larger(vec best, vec x, words *from, uint32_t q)
{
    truth more = larger(x, best);
    best = choose(more, x, best); /* first: the next comparison waits for it */
    *from = choose_words(more, splat_words(q), *from);
    return best;
}

/* The largest of a window's pixels, NaN where one of them is, and the place that comparisons alone lead to. */
static inline __attribute__((always_inline)) vec window_max(vec a, vec b, vec c, vec d, words *from)
{
    *from = splat_words(0);
    vec best = take_larger(a, b, from, 1);
    best = take_larger(best, c, from, 2);
    best = take_larger(best, d, from, 3);
    return choose(either(unordered(a, b), unordered(c, d)), splat(NAN), best);
}

#endif
