/* Every slot of the kernel table at every instruction set level found, against plain C. The operations that are whole
 * (convolution, dense) are in test_ops.c. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "cpu/cpu_kernels.h"

/* Around vectors of 4, 8 and 16 floats, around dropout's 16, 32 and 64, a prime, a VGG layer's. */
static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 63, 64, 97, 512 };
enum { SIZES = sizeof sizes / sizeof *sizes, GUARD = 16 };

/* `count` elements between two guard bands, poisoned. The guards of each band and place are others, so that a guard
 * copied over a guard is seen. */
struct band {
    float *all, *data;
    size_t count;
    uint32_t guard;
};

static const uint32_t guard_bits = 0x7FD00000u, poison_bits = 0x7FC01234u;

static uint32_t guard_at(const struct band *band, size_t i)
{
    return guard_bits + (band->guard * 4 * GUARD & 0xFFFFF) + (uint32_t)(i < GUARD ? i : 2 * GUARD + i % GUARD);
}

static struct band band_new(size_t count)
{
    static uint32_t bands;
    struct band band = { .all = malloc((count + 2 * GUARD) * sizeof(float)), .count = count, .guard = bands++ };
    cr_assert_not_null(band.all);
    band.data = band.all + GUARD;
    for (size_t i = 0; i < count + 2 * GUARD; i++) {
        uint32_t guard = guard_at(&band, i);
        memcpy(&band.all[i], i < GUARD || i >= GUARD + count ? &guard : &poison_bits, sizeof(float));
    }
    return band;
}

static bool guards_stand(const struct band *band)
{
    for (size_t i = 0; i < band->count + 2 * GUARD; i++) {
        if (i == GUARD) i += band->count;
        uint32_t guard = guard_at(band, i);
        if (memcmp(&band->all[i], &guard, sizeof(float)) != 0) return false;
    }
    return true;
}

/* Ordinary values with ties, extremes planted at one in eight. */
static const float extremes[] = { 0, -0.0f, 1e-40f, -1e-40f, FLT_MIN, -FLT_MIN, 1e30f, -1e30f };

static struct band band_random(size_t count, uint64_t stream, float range, bool plant)
{
    struct band band = band_new(count);
    for (size_t i = 0; i < count; i++) {
        uint32_t r = vgg_rng_u32(7, VGG_RNG_SPLIT, stream, i);
        band.data[i] = range * (float)((int)(r >> 8 & 63) - 32) / 32;
        if (plant && r % 8 == 0) band.data[i] = extremes[r >> 4 & 7];
    }
    return band;
}

static struct band band_copy(const struct band *from)
{
    struct band band = band_new(from->count);
    if (from->count) memcpy(band.data, from->data, from->count * sizeof(float));
    return band;
}

static void same_bits(const struct band *expected, const struct band *got, const char *what, size_t size)
{
    cr_expect(guards_stand(got), "%s: guard overwritten at size %zu", what, size);
    cr_expect(guards_stand(expected), "%s: plain C overwrote a guard at size %zu", what, size);
    for (size_t i = 0; i < expected->count; i++) {
        if (memcmp(&expected->data[i], &got->data[i], sizeof(float)) == 0) continue;
        cr_expect_fail("%s, size %zu: element %zu is %.9g, not %.9g", what, size, i, (double)got->data[i],
                       (double)expected->data[i]);
        return;
    }
}

/* |got - expected| <= relative[i] |expected| + absolute, relative NULL: 4 units in the last place. */
static void close_to(const struct band *expected, const struct band *got, double relative, double absolute,
                     const char *what, size_t size)
{
    cr_expect(guards_stand(got), "%s: guard overwritten at size %zu", what, size);
    for (size_t i = 0; i < expected->count; i++) {
        double e = (double)expected->data[i], g = (double)got->data[i];
        if (e == g || fabs(g - e) <= relative * fabs(e) + absolute) continue;
        cr_expect_fail("%s, size %zu: element %zu is %.9g, not %.9g", what, size, i, g, e);
        return;
    }
}

static void release(struct band *band, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(band[i].all);
}

/* Calls `test` for each level found but plain C. */
static void each_level(void (*test)(const struct cpu_kernels *k, const char *isa))
{
    int tested = 0;
    for (int isa = CPU_ISA_SCALAR + 1; isa < CPU_ISA_COUNT; isa++) {
        if (!cpu_isa_found((enum cpu_isa)isa)) continue;
        struct cpu_kernels kernels;
        cpu_kernels_fill(&kernels, (enum cpu_isa)isa);
        test(&kernels, cpu_isa_name((enum cpu_isa)isa));
        tested++;
    }
    if (!tested) cr_skip_test("this processor has no vector level");
}

/* ---- the table ---- */

/* No slot is empty that plain C fills, and none but those of bf16 is still plain C's: comparing a kernel with itself
 * would show nothing. */
static void slots_level(const struct cpu_kernels *k, const char *isa)
{
    struct cpu_kernels plain;
    cpu_kernels_fill(&plain, CPU_ISA_SCALAR);
    static const size_t bf16[] = { offsetof(struct cpu_kernels, conv_bf16), offsetof(struct cpu_kernels, dense_bf16),
                                   offsetof(struct cpu_kernels, gemm_bf16) };
    for (size_t at = 0; at < sizeof plain; at += sizeof(void *)) {
        const char *slot = (const char *)k + at;
        static const void *const empty;
        if (at == bf16[2]) continue;
        cr_expect_neq(memcmp(slot, &empty, sizeof empty), 0, "%s: slot %zu is empty", isa, at / sizeof empty);
        if (at == bf16[0] || at == bf16[1]) continue;
        cr_expect_neq(memcmp(slot, (const char *)&plain + at, sizeof empty), 0, "%s: slot %zu is plain C", isa,
                      at / sizeof empty);
    }
    bool halves = strcmp(isa, "avx512") == 0 && cpu_isa_bf16(CPU_ISA_AVX512);
    cr_expect_eq(k->gemm_bf16 != NULL, halves, "%s", isa);
    cr_expect_eq(k->conv_bf16 != plain.conv_bf16, halves, "%s", isa);
    cr_expect_eq(k->dense_bf16 != plain.dense_bf16, halves, "%s", isa);
}

Test(cpu_kernels, slots)
{
    each_level(slots_level);
}

/* ---- pooling ---- */

static void pool2(const struct cpu_kernels *k, const char *isa)
{
    for (size_t w = 0; w < 4; w++) {
        for (size_t s = 0; s < SIZES; s++) {
            size_t c = sizes[s], out = w * c;
            struct band b[] = { band_random(2 * out, 1, 1, true),
                                band_random(2 * out, 2, 1, true),
                                band_new(out),
                                band_new(out),
                                band_new(2 * out),
                                band_new(2 * out),
                                band_new(2 * out),
                                band_new(2 * out),
                                band_random(out, 3, 1, true) };
            unsigned char arg[2][4 * 512 + 2 * GUARD];
            memset(arg, 0xEE, sizeof arg);
            cpu_pool2_row_c(b[2].data, arg[0] + GUARD, b[0].data, b[1].data, w, c);
            k->pool2_row(b[3].data, arg[1] + GUARD, b[0].data, b[1].data, w, c);
            same_bits(&b[2], &b[3], isa, c);
            cr_expect_arr_eq(arg[0], arg[1], sizeof arg[0], "%s: arg differs at %zu channels", isa, c);
            memset(b[3].data, 0, out * sizeof(float));
            k->pool2_row(b[3].data, NULL, b[0].data, b[1].data, w, c);
            same_bits(&b[2], &b[3], isa, c);
            for (int mask = 0; mask < 2; mask++) {
                const float *y = mask ? b[2].data : NULL;
                cpu_pool2_bwd_row_c(b[4].data, b[5].data, b[8].data, arg[0] + GUARD, y, w, c);
                k->pool2_bwd_row(b[6].data, b[7].data, b[8].data, arg[0] + GUARD, y, w, c);
                same_bits(&b[4], &b[6], isa, c);
                same_bits(&b[5], &b[7], isa, c);
            }
            release(b, sizeof b / sizeof *b);
        }
    }
}

Test(cpu_kernels, pool2)
{
    each_level(pool2);
}

/* Of each pixel, are the channels from c on what they were? Vector levels call plain C for their tails, which a
 * comparison with plain C cannot see. */
static void others_stand(const struct band *map, size_t stride, size_t c, const char *isa)
{
    for (size_t i = 0; i < map->count; i++)
        if (i % stride >= c)
            cr_expect_eq(memcmp(&map->data[i], &poison_bits, sizeof(float)), 0, "%s: channel %zu of %zu", isa,
                         i % stride, c);
}

/* Channels 0 .. c - 1 of a map with c + 3: the others must stay. */
static void global_pool(const struct cpu_kernels *k, const char *isa)
{
    static const size_t pixel_counts[] = { 1, 2, 49, 97 };
    for (size_t p = 0; p < sizeof pixel_counts / sizeof *pixel_counts; p++) {
        for (size_t s = 0; s < SIZES; s++) {
            size_t c = sizes[s], pixels = pixel_counts[p], stride = c + 3, map = pixels * stride;
            struct band b[] = { band_random(map, 4, 1, true), band_new(c), band_new(c), band_new(map), band_new(map),
                                band_random(c, 5, 1, true) };
            cpu_avgpool_c(b[1].data, b[0].data, pixels, stride, c);
            k->avgpool(b[2].data, b[0].data, pixels, stride, c);
            same_bits(&b[1], &b[2], isa, c);
            cpu_gmaxpool_c(b[1].data, b[0].data, pixels, stride, c);
            k->gmaxpool(b[2].data, b[0].data, pixels, stride, c);
            same_bits(&b[1], &b[2], isa, c);
            for (int relu = 0; relu < 2; relu++) {
                cpu_avgpool_bwd_c(b[3].data, b[5].data, relu ? b[0].data : NULL, pixels, stride, c);
                k->avgpool_bwd(b[4].data, b[5].data, relu ? b[0].data : NULL, pixels, stride, c);
                same_bits(&b[3], &b[4], isa, c);
                cpu_gmaxpool_bwd_c(b[3].data, b[5].data, b[0].data, relu, pixels, stride, c);
                k->gmaxpool_bwd(b[4].data, b[5].data, b[0].data, relu, pixels, stride, c);
                same_bits(&b[3], &b[4], isa, c);
                others_stand(&b[3], stride, c, "plain C");
                others_stand(&b[4], stride, c, isa);
            }
            release(b, sizeof b / sizeof *b);
        }
    }
}

Test(cpu_kernels, global_pool)
{
    each_level(global_pool);
}

/* ---- dropout ---- */

static void dropout(const struct cpu_kernels *k, const char *isa)
{
    /* The last one carries from the counter's low word into its high word on the way. */
    static const uint64_t indices[] = { 0, 1, 2, 3, 4, 4098, 0x3FFFFFFF0u, (1ull << 34) - 100 };
    static const float rates[] = { 0, 0.5f, 0.25f, 0.999f };
    for (size_t r = 0; r < 4; r++) {
        for (size_t at = 0; at < 8; at++) {
            for (size_t s = 0; s < SIZES; s++) {
                const struct cpu_dropout d = { 0x9E3779B97F4A7C15u, 0x1234567801u, vgg_rng_dropout_threshold(rates[r]),
                                               1 - rates[r] };
                struct band b[] = { band_random(sizes[s], 6, 1, true), band_new(sizes[s]), band_new(sizes[s]) };
                cpu_dropout_c(b[1].data, b[0].data, sizes[s], indices[at], &d);
                k->dropout(b[2].data, b[0].data, sizes[s], indices[at], &d);
                same_bits(&b[1], &b[2], isa, sizes[s]);
                k->dropout(b[0].data, b[0].data, sizes[s], indices[at], &d);
                same_bits(&b[1], &b[0], isa, sizes[s]);
                release(b, 3);
            }
        }
    }
}

Test(cpu_kernels, dropout)
{
    each_level(dropout);
}

/* ---- the peak ---- */

static void fma_peak(const struct cpu_kernels *k, const char *isa)
{
    static const size_t counts[] = { 0, 1, 31, 95, 96, 97, 191, 192, 255, 256, 300, 1000 };
    for (size_t s = 0; s < sizeof counts / sizeof *counts; s++) {
        for (int rounds = 1; rounds < 40; rounds += 1 + rounds / 2) {
            struct band b[] = { band_random(counts[s], 12, 3, false), band_new(counts[s]), band_new(counts[s]) };
            for (size_t i = 0; i < counts[s]; i++) /* (x - 1) 0.75^rounds + 1 */
                b[1].data[i] = (float)(1 + ((double)b[0].data[i] - 1) * pow(0.75, rounds));
            k->fma(b[2].data, b[0].data, counts[s], rounds);
            close_to(&b[1], &b[2], 0x1p-21, 0x1p-21, isa, counts[s]);
            k->fma(b[0].data, b[0].data, counts[s], rounds);
            same_bits(&b[2], &b[0], isa, counts[s]);
            release(b, 3);
        }
    }
}

Test(cpu_kernels, fma)
{
    each_level(fma_peak);
}

/* ---- exponentials ---- */

/* exp of an argument of size a is off by a 2^-24 more when the argument was rounded. */
static const double ulp = 0x1p-23, flushed = 0x1p-126;

static void softmax(const struct cpu_kernels *k, const char *isa)
{
    static const float ranges[] = { 1, 40, 1000 };
    for (size_t r = 0; r < 3; r++) {
        for (size_t s = 0; s < SIZES; s++) {
            size_t c = sizes[s];
            struct band b[] = { band_random(c, 8, ranges[r], r == 1),
                                band_new(c),
                                band_new(c),
                                band_new(c),
                                band_new(c),
                                band_new(1),
                                band_new(1) };
            double relative = (4 + 90) * ulp;
            cpu_softmax_c(b[1].data, b[0].data, c);
            k->softmax(b[2].data, b[0].data, c);
            close_to(&b[1], &b[2], relative, flushed, isa, c);
            for (size_t t = 0; t <= c && c; t += c > 9 ? 1 + c / 3 : 1) {
                cpu_softmax_xent_c(b[1].data, b[5].data, b[3].data, b[0].data, c, t, 1.5f, 0.25f);
                k->softmax_xent(b[2].data, b[6].data, b[4].data, b[0].data, c, t, 1.5f, 0.25f);
                close_to(&b[1], &b[2], relative, flushed, isa, c);
                close_to(&b[3], &b[4], relative, 2 * ulp, isa, c);
                if (t < c)
                    close_to(&b[5], &b[6], 8 * ulp, 8 * ulp, isa, c);
                else
                    cr_expect(isnan(b[6].data[0]), "%s: a class that does not exist must give NaN", isa);
                k->softmax_xent(b[2].data, b[6].data, NULL, b[0].data, c, t, 1.5f, 0.25f);
                close_to(&b[1], &b[2], relative, flushed, isa, c);
            }
            k->softmax(b[0].data, b[0].data, c);
            close_to(&b[1], &b[0], relative, flushed, isa, c);
            release(b, sizeof b / sizeof *b);
        }
    }
}

Test(cpu_kernels, softmax)
{
    each_level(softmax);
}

static void sigmoid(const struct cpu_kernels *k, const char *isa)
{
    static const float ranges[] = { 1, 20, 200 };
    for (size_t r = 0; r < 3; r++) {
        for (size_t s = 0; s < SIZES; s++) {
            size_t n = sizes[s];
            struct band b[] = { band_random(n, 9, ranges[r], r == 1),
                                band_random(n, 10, 1, false),
                                band_random(n, 11, 1, false),
                                band_new(n),
                                band_new(n),
                                band_new(n),
                                band_new(n),
                                band_new(n),
                                band_new(n) };
            for (size_t i = 0; i < n; i++)
                b[1].data[i] = b[1].data[i] > 0, b[2].data[i] = fabsf(b[2].data[i]);
            cpu_sigmoid_c(b[3].data, b[0].data, n);
            k->sigmoid(b[4].data, b[0].data, n);
            close_to(&b[3], &b[4], 4 * ulp, flushed, isa, n);
            for (int variant = 0; variant < 2; variant++) {
                const float *sw = variant ? b[2].data : NULL;
                cpu_sigmoid_xent_c(b[3].data, b[5].data, b[7].data, b[0].data, b[1].data, sw, 0.25f, n);
                k->sigmoid_xent(b[4].data, b[6].data, b[8].data, b[0].data, b[1].data, sw, 0.25f, n);
                close_to(&b[3], &b[4], 4 * ulp, flushed, isa, n);
                close_to(&b[5], &b[6], 6 * ulp, flushed, isa, n);
                close_to(&b[7], &b[8], 4 * ulp, ulp, isa, n);
                k->sigmoid_xent(b[4].data, b[6].data, NULL, b[0].data, b[1].data, sw, 0.25f, n);
                close_to(&b[5], &b[6], 6 * ulp, flushed, isa, n);
            }
            k->sigmoid(b[0].data, b[0].data, n);
            close_to(&b[3], &b[0], 4 * ulp, flushed, isa, n);
            release(b, sizeof b / sizeof *b);
        }
    }
}

Test(cpu_kernels, sigmoid)
{
    each_level(sigmoid);
}

/* ---- updates ---- */

static void update(cpu_update_fn *plain, cpu_update_fn *fast, const struct cpu_update *u, bool moments, const char *isa)
{
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        struct band b[] = { band_random(n, 12, 1, true), band_random(n, 13, 1, true), band_random(n, 14, 1, true),
                            band_random(n, 15, 1, true) };
        for (size_t i = 0; i < n; i++)
            b[2].data[i] = fabsf(b[2].data[i]);
        struct band c[] = { band_copy(&b[0]), band_copy(&b[1]), band_copy(&b[2]) };
        for (int step = 0; step < 2; step++) {
            plain(b[0].data, moments ? b[1].data : NULL, b[2].data, b[3].data, n, u);
            fast(c[0].data, moments ? c[1].data : NULL, c[2].data, b[3].data, n, u);
            for (size_t i = 0; i < 3; i++)
                same_bits(&b[i], &c[i], isa, n);
        }
        release(b, 4);
        release(c, 3);
    }
}

static void updates(const struct cpu_kernels *k, const char *isa)
{
    for (int variant = 0; variant < 8; variant++) {
        const struct cpu_update u = { .learning_rate = 0.01f,
                                      .momentum = 0.9f,
                                      .rho = 0.9f,
                                      .beta1 = 0.9f,
                                      .beta2 = 0.999f,
                                      .epsilon = 1e-7f,
                                      .weight_decay = variant & 1 ? 1e-2f : 0,
                                      .bias1 = 0.1f,
                                      .bias2 = 0.001f,
                                      .nesterov = variant & 2 };
        update(cpu_sgd_update_c, k->sgd, &u, variant & 4, isa);
        update(cpu_rmsprop_update_c, k->rmsprop, &u, true, isa);
        update(cpu_adam_update_c, k->adam, &u, true, isa);
        update(cpu_adamw_update_c, k->adamw, &u, true, isa);
    }
}

Test(cpu_kernels, updates)
{
    each_level(updates);
}
