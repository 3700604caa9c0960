/* vec_error.c: how far exponentials and logarithms of vectors are off, in units in the last place, at every level that
 * this processor has. By SLEEF at most 1.0, as it promises; by the C library, in double, only their rounding.
 * The reference sums series in long double, by no library. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/vec/vec_level.h"

enum { BLOCK = 1003 /* not of whole vectors */, STRIDE = 4099 /* of the floats, in the order of their bits */ };
#ifdef VGG16_SLEEF
static const double most = 1.0;
#else
static const double most = 0.5 + 1e-6;
#endif

static const long double ln2_high = 0x1.62e42fefa38p-1L, ln2_low = 0x1.ef35793c7673007e5ed5e81e69p-45L;

/* 2^k times a series of what is left, |r| <= ln2 / 2. */
static long double exp_of(long double x)
{
    long double k = floorl(x * 1.44269504088896340736L + 0.5L), r = x - k * ln2_high - k * ln2_low, sum = 1;
    for (int n = 25; n > 0; n--)
        sum = 1 + sum * r / n;
    return ldexpl(sum, (int)k);
}

/* 2 (z + z^3/3 + ...), z = (m - 1) / (m + 1), of 1 + x = 2^k m, 1/sqrt2 <= m <= sqrt2; where k is 0, z = x / (2 + x).
 */
static long double log_1_plus_of(long double x)
{
    int k = 0;
    long double z = x / (2 + x), sum = 0;
    if (x < -0.29L || x > 0.41L) {
        long double m = frexpl(1 + x, &k);
        if (m < 0.70710678L) m *= 2, k--;
        z = (m - 1) / (m + 1);
    }
    for (int n = 41; n > 0; n -= 2)
        sum = sum * z * z + 1.0L / n;
    return 2 * z * sum + k * ln2_low + k * ln2_high;
}

static double ulps(float y, long double wanted)
{
    int exponent;
    frexpl(wanted, &exponent);
    if (exponent < FLT_MIN_EXP) exponent = FLT_MIN_EXP;
    return (double)(fabsl((long double)y - wanted) / ldexpl(1, exponent - FLT_MANT_DIG));
}

/* The float of these bits, and of the same with the sign bit. */
static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct range {
    const char *name;
    float least, largest; /* arguments */
    long double (*reference)(long double x);
};

/* Every STRIDE-th float between the range's ends. Results below FLT_MIN may be 0. */
static bool sweep(const struct vec_level *level, const struct range *range, void (*f)(float *, const float *, size_t))
{
    float x[BLOCK], y[BLOCK], worst_at = 0;
    double worst = 0;
    uint64_t tried = 0;
    size_t n = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STRIDE) {
        float value = float_of((uint32_t)bits);
        if (value >= range->least && value <= range->largest) x[n++] = value;
        if (n < BLOCK && bits + STRIDE <= UINT32_MAX) continue;
        f(y, x, n);
        for (size_t i = 0; i < n; i++) {
            long double wanted = range->reference((long double)x[i]);
            bool flushed = fabsl(wanted) < (long double)FLT_MIN && y[i] == 0;
            double off = flushed ? 0 : ulps(y[i], wanted);
            if (!(off <= worst)) worst = off, worst_at = x[i];
        }
        tried += n;
        n = 0;
    }
    bool good = worst <= most && tried > 400000;
    printf("%s %-7s %-10s %9llu numbers, at most %.4f units in the last place off (at %a); %.6f are allowed\n",
           good ? "ok     " : "FAILED ", level->name, range->name, (unsigned long long)tried, worst, (double)worst_at,
           most);
    return good;
}

/* Where there is no error to measure. */
static bool ends(const struct vec_level *level)
{
    const float x[] = { 0, -0.0F, INFINITY, -INFINITY, NAN, 89, -200, FLT_MAX };
    float e[8], l[8];
    level->exponential(e, x, 8);
    level->log_1_plus(l, x, 7);
    bool good = e[0] == 1 && e[1] == 1 && e[2] == INFINITY && e[3] == 0 && isnan(e[4]) && e[5] == INFINITY &&
                e[6] == 0 && e[7] == INFINITY && l[0] == 0 && l[1] == 0 && l[2] == INFINITY && isnan(l[3]) &&
                isnan(l[4]) && isnan(l[6]);
    printf("%s %-7s zeros, infinities, NaN\n", good ? "ok     " : "FAILED ", level->name);
    return good;
}

/* SLEEF's logarithm is infinite some way before the largest float; kernels take it of 0 to 1. */
static bool check(const struct vec_level *level)
{
    static const struct range exponents = { "exp", -103, 88.7F, exp_of },
                              logarithms = { "log(1 + x)", -0.99999F, 1e37F, log_1_plus_of };
    bool good = ends(level);
    good &= sweep(level, &exponents, level->exponential);
    return sweep(level, &logarithms, level->log_1_plus) && good;
}

int main(void)
{
    bool good = true;
#ifdef VEC_NEON
    good &= check(&vec_level_neon);
#endif
#ifdef VEC_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) good &= check(&vec_level_avx2);
#ifdef VGG16_EMULATE_AVX512
    good &= check(&vec_level_avx512);
#else
    if (__builtin_cpu_supports("avx512f")) good &= check(&vec_level_avx512);
#endif
#endif
    return good ? 0 : 1;
}
