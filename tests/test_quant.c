/* test_quant.c: counted values and the scales that they give, against searches over the values themselves; lists in
 * int8. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/engine/device.h"
#include "core/engine/net.h"
#include "core/quant/calibrate.h"
#include "core/quant/spread.h"

static double uniform(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double)(*seed >> 8) / 0x1p24;
}

/* Many values, some of them 0 or less, and one that stands above them. */
static void fill(float *x, size_t count, double scale, unsigned seed)
{
    for (size_t i = 0; i < count; i++) {
        double u = uniform(&seed), v = uniform(&seed);
        x[i] = (float)(scale * (u < 0.4 ? -v : v));
    }
    x[count / 2] = (float)(1.3 * scale);
}

static double error_of(const float *x, size_t count, double step)
{
    double error = 0;
    for (size_t i = 0; i < count; i++) {
        double v = x[i] > 0 ? (double)x[i] : 0.0, d = fmin(255, rint(v / step)) * step - v;
        error += d * d;
    }
    return error;
}

Test(quant, step_of_least_error)
{
    enum { COUNT = 300000 };
    static float x[COUNT];
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct vgg_spread *spread = calloc(1, sizeof *spread);
        fill(x, COUNT, exp2(14.0 * seed - 31.0), seed);
        cr_assert(vgg_spread_add(spread, x, COUNT / 3));
        cr_assert(vgg_spread_add(spread, x + COUNT / 3, COUNT - COUNT / 3));
        float most = 0, step = vgg_spread_step(spread);
        for (size_t i = 0; i < COUNT; i++)
            most = x[i] > most ? x[i] : most;
        cr_expect_eq(spread->most, most);
        double least = INFINITY;
        for (int k = 0; k < 256; k++)
            least = fmin(least, error_of(x, COUNT, (double)most / 255 * exp2(-k / 32.0)));
        double got = error_of(x, COUNT, (double)step);
        cr_expect_leq(got, 1.003 * least, "%u: %g, least is %g", seed, got, least);
        cr_expect_lt(got, 0.95 * error_of(x, COUNT, (double)most / 255), "%u: no better than the largest value's",
                     seed);
        free(spread);
    }
}

Test(quant, step_of_nothing)
{
    struct vgg_spread *spread = calloc(1, sizeof *spread);
    const float none[] = { 0, -1, -3e38f }, extreme[] = { 1e-38f, 3e38f, 1e-20f }, bad[] = { 1, NAN },
                large[] = { INFINITY };
    cr_expect(vgg_spread_add(spread, none, 3));
    cr_expect_eq(vgg_spread_step(spread), 1.0f);
    cr_expect(vgg_spread_add(spread, extreme, 3));
    cr_expect(vgg_spread_step(spread) > 0 && isfinite(vgg_spread_step(spread)));
    cr_expect(!vgg_spread_add(spread, bad, 2));
    cr_expect(!vgg_spread_add(spread, large, 1));
    free(spread);
}

/* V = B^T d B by the matrix, of tiles anywhere. */
static int tap_of(const uint8_t *x, int h, int w, int c, int y, int at, int k, int tap)
{
    static const int bt[4][4] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 4; j++) {
            int row = y - 1 + i, column = at - 1 + j;
            if (row < 0 || row >= h || column < 0 || column >= w) continue;
            sum += bt[tap / 4][i] * bt[tap % 4][j] * x[(row * w + column) * c + k];
        }
    }
    return sum;
}

Test(quant, taps)
{
    static const int cases[][6] = { /* h, w, c, every, at_y, at_x */
                                    { 7, 10, 3, 1, 0, 0 },
                                    { 12, 9, 2, 2, 1, 0 },
                                    { 1, 1, 5, 1, 0, 0 },
                                    { 14, 16, 2, 3, 0, 2 }
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const int *s = cases[n], h = s[0], w = s[1], c = s[2];
        struct vgg_taps *taps = calloc(1, sizeof *taps), *expected = calloc(1, sizeof *expected);
        uint8_t *x = malloc((size_t)(h * w * c));
        unsigned seed = 7;
        for (int i = 0; i < h * w * c; i++)
            x[i] = uniform(&seed) < 0.3 ? 0 : (uint8_t)(256 * uniform(&seed));
        vgg_taps_add(taps, x, h, w, c, s[3], s[4], s[5]);
        for (int y = 2 * s[4]; y < h; y += 2 * s[3])
            for (int at = 2 * s[5]; at < w; at += 2 * s[3])
                for (int k = 0; k < c; k++)
                    for (int tap = 0; tap < VGG_QUANT_TAPS; tap++)
                        expected->magnitude[tap][abs(tap_of(x, h, w, c, y, at, k, tap))]++;
        cr_expect(memcmp(taps, expected, sizeof *taps) == 0, "case %zu", n);
        for (int tap = 0; tap < VGG_QUANT_TAPS; tap++) {
            int limit = tap == 5 ? 255 : 127, clip = (int)vgg_taps_clip(taps, tap);
            int top = VGG_SPREAD_MAGNITUDES - 1;
            double least = INFINITY, got = INFINITY;
            while (top > limit && !expected->magnitude[tap][top])
                top--;
            for (int try = top; try >= limit; try--) {
                double error = 0, scale = (double)limit / try;
                for (int v = 0; v < VGG_SPREAD_MAGNITUDES; v++) {
                    double d = fmin(limit, rint(v * scale)) / scale - v;
                    error += (double)expected->magnitude[tap][v] * d * d;
                }
                least = fmin(least, error);
                if (try == clip) got = error;
            }
            cr_expect_leq(got, least * (1 + 1e-12), "case %zu, tap %d: clip %d", n, tap, clip);
        }
        free(taps), free(expected), free(x);
    }
}

/* ---- networks ---- */

static struct vgg_plan *plan_of(const struct vgg_arch *arch, int first, int last, enum vgg_precision precision)
{
    struct vgg_plan *plan;
    const struct vgg_plan_spec spec = {
        .arch = arch, .batch = 3, .first = first, .last = last, .trainable = arch->count, .precision = precision
    };
    cr_assert_eq(vgg_plan_build(&plan, &spec), VGG_OK);
    return plan;
}

Test(quant, bytes_between_convolutions)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, "vgg16", 96, 64, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "flatten,dense:9:relu,dense:4:softmax"), VGG_OK);
    for (int last = 1; last <= arch.count; last++) {
        for (int first = 0; first < last; first += 3) {
            struct vgg_plan *plan = plan_of(&arch, first, last, VGG_PRECISION_INT8);
            struct vgg_plan *fp32 = plan_of(&arch, first, last, VGG_PRECISION_FP32);
            cr_assert_eq(plan->forward, fp32->forward);
            cr_expect_eq(plan->output.type, VGG_F32);
            cr_expect_leq(plan->arena_size[VGG_ARENA_ACT], fp32->arena_size[VGG_ARENA_ACT]);
            for (size_t i = 0; i < plan->forward; i++) {
                const struct vgg_op *op = &plan->op[i], *next = i + 1 < plan->forward ? op + 1 : NULL;
                bool conv = op->kind == VGG_OP_CONV, before = i && conv && op[-1].kind == VGG_OP_CONV;
                bool after = conv && next && next->kind == VGG_OP_CONV;
                cr_expect_eq(op->x.type, before ? VGG_U8 : VGG_F32, "%d to %d: operation %zu", first, last, i);
                cr_expect_eq(op->y.type, after ? VGG_U8 : VGG_F32, "%d to %d: operation %zu", first, last, i);
                cr_expect_eq(op->q.n, before || after ? 1 : 0);
                cr_expect(!op->q.n || op->q.offset >= arch.param_size);
            }
            vgg_plan_destroy(plan);
            vgg_plan_destroy(fp32);
        }
    }
    struct vgg_plan *plan = plan_of(&arch, 0, arch.base, VGG_PRECISION_INT8);
    struct vgg_plan *fp32 = plan_of(&arch, 0, arch.base, VGG_PRECISION_FP32);
    cr_expect_lt((double)plan->arena_size[VGG_ARENA_ACT], 0.3 * (double)fp32->arena_size[VGG_ARENA_ACT]);
    vgg_plan_destroy(plan);
    vgg_plan_destroy(fp32);
}

/* Random kernels that keep the size of what they are given. */
static float *random_params(const struct vgg_arch *arch, unsigned *seed)
{
    float *params = vgg_mem_aligned(arch->param_size);
    for (int i = 0; i < arch->count; i++) {
        const struct vgg_view *k = &arch->layer[i].kernel;
        for (size_t n = 0; n < vgg_view_count(k) && k->n; n++)
            params[k->offset / sizeof(float) + n] = (float)((uniform(seed) - 0.5) * sqrt(24.0 / (9.0 * k->w)));
    }
    return params;
}

/* The bits of scales do not depend on threads, nor whether the backend was opened for fp32; the chain fits together. */
Test(quant, calibration)
{
    enum { IMAGES = 3, SIZE = 40 * 36 * 3 };
    struct vgg_arch arch;
    static float x[IMAGES * SIZE], scales[3][VGG_MAX_LAYERS][VGG_QUANT_COUNT];
    cr_assert_eq(vgg_arch_base(&arch, "vgg11", 40, 36, "block3_pool"), VGG_OK);
    unsigned seed = 11;
    float *params = random_params(&arch, &seed);
    for (size_t i = 0; i < IMAGES * SIZE; i++)
        x[i] = (float)uniform(&seed);
    for (int run = 0; run < 3; run++) {
        struct vgg_backend *backend;
        struct vgg_quant_array place;
        const struct vgg_engine_options options = { .backend = "cpu",
                                                    .isa = run == 1 ? "scalar" : "auto",
                                                    .threads = 1 + 2 * run,
                                                    .precision = run == 2 ? "fp32" : "int8" };
        cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
        const struct vgg_quant_target target = {
            .backend = backend, .arch = &arch, .last = arch.count, .params = params
        };
        const struct vgg_quant_source source = vgg_quant_array(&place, x, SIZE, IMAGES);
        cr_assert_eq(vgg_quant_calibrate(scales[run], &target, &source), VGG_OK);
        cr_expect(vgg_quant_complete((const float(*)[VGG_QUANT_COUNT])scales[run], &arch, 0, arch.count));
        vgg_backend_close(backend);
    }
    cr_expect(memcmp(scales[0], scales[2], sizeof scales[0]) == 0);
    const float(*s)[VGG_QUANT_COUNT] = (const float(*)[VGG_QUANT_COUNT])scales[0];
    int low = vgg_arch_find(&arch, "block1_conv1"), high = vgg_arch_find(&arch, "block2_conv1");
    cr_expect_eq(s[low][VGG_QUANT_Y], s[high][VGG_QUANT_X]);
    for (int i = 0; i < 2; i++) {
        double there = (double)s[i ? high : low][VGG_QUANT_Y], plain = (double)scales[1][i ? high : low][VGG_QUANT_Y];
        cr_expect_leq(fabs(there / plain - 1), 0.03, "%g, in plain C %g", there, plain);
    }
    scales[0][high][VGG_QUANT_CLIP + 7] = 0;
    cr_expect(!vgg_quant_complete(s, &arch, 0, arch.count));
    cr_expect(vgg_quant_complete(s, &arch, 0, high));
    cr_expect(vgg_quant_complete(NULL, &arch, high, high + 1));
    cr_expect(!vgg_quant_complete(NULL, &arch, 0, arch.count));
    vgg_mem_free(params);
}

/* What the whole network in one piece says: its maps are small enough that all tiles count. */
static void expect_whole(const float (*scales)[VGG_QUANT_COUNT], struct vgg_net *net, const struct vgg_arch *arch,
                         const float *x, size_t size, int images)
{
    static struct vgg_spread spread[VGG_MAX_LAYERS];
    static struct vgg_taps taps[VGG_MAX_LAYERS];
    static float map[32 * 32 * 64];
    static uint8_t bytes[32 * 32 * 64];
    for (int pass = 0; pass < 2; pass++) {
        for (int n = 0; n < images; n++) {
            cr_assert_eq(vgg_net_put(net, &(struct vgg_net_io) { .n = 1, .x = x + (size_t)n * size }), VGG_OK);
            cr_assert_eq(vgg_net_run(net, VGG_NET_FORWARD, &(struct vgg_step) { 0 }, NULL), VGG_OK);
            for (int i = 0; i < arch->count; i++) {
                if (arch->layer[i].kind != VGG_LAYER_CONV) continue;
                const struct vgg_layer *out = &arch->layer[i + (arch->layer[i + 1].kind == VGG_LAYER_MAXPOOL)];
                size_t count = (size_t)out->h * (size_t)out->w * (size_t)out->c;
                cr_assert_eq(vgg_net_get_activation(net, (int)(out - arch->layer), map), VGG_OK);
                if (pass == 0) cr_assert(vgg_spread_add(&spread[i], map, count));
                float scale = 1.0f / scales[i][VGG_QUANT_Y];
                for (size_t k = 0; k < count; k++)
                    bytes[k] = (uint8_t)(map[k] * scale + 0.5f < 255.0f ? map[k] * scale + 0.5f : 255.0f);
                if (pass == 1) vgg_taps_add(&taps[i], bytes, out->h, out->w, out->c, 1, 0, 0);
            }
        }
    }
    for (int i = 0, below = -1; i < arch->count; i++) {
        if (arch->layer[i].kind != VGG_LAYER_CONV) continue;
        cr_expect_eq(scales[i][VGG_QUANT_Y], vgg_spread_step(&spread[i]), "%s", arch->layer[i].name);
        cr_expect_eq(scales[i][VGG_QUANT_X], below < 0 ? 0.0f : scales[below][VGG_QUANT_Y]);
        for (int t = 0; t < VGG_QUANT_TAPS; t++)
            cr_expect_eq(scales[i][VGG_QUANT_CLIP + t], below < 0 ? 0.0f : vgg_taps_clip(&taps[below], t), "%s, tap %d",
                         arch->layer[i].name, t);
        below = i;
    }
}

/* Blocks that are run one after the other, for one chunk of inputs after the other, give what the whole gives; their
 * parameters may lie in a network that has not run. */
Test(quant, calibration_in_stretches)
{
    enum { IMAGES = 35, SIZE = 32 * 32 * 3 };
    static float x[IMAGES * SIZE], scales[2][VGG_MAX_LAYERS][VGG_QUANT_COUNT];
    struct vgg_arch arch;
    struct vgg_backend *backend;
    struct vgg_net *net;
    struct vgg_quant_array place;
    unsigned seed = 12;
    cr_assert_eq(vgg_arch_base(&arch, "vgg11", 32, 32, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "gap,dense:3:softmax"), VGG_OK);
    float *params = random_params(&arch, &seed);
    for (size_t i = 0; i < IMAGES * SIZE; i++)
        x[i] = (float)uniform(&seed);
    cr_assert_eq(vgg_backend_open(&backend, &(struct vgg_engine_options) { .backend = "cpu" }), VGG_OK);
    const struct vgg_plan_spec spec = {
        .arch = &arch, .batch = 1, .last = arch.count, .trainable = arch.count, .keep_all = true
    };
    cr_assert_eq(vgg_net_create(&net, backend, &spec, 0, 0, 0), VGG_OK);
    cr_assert_eq(vgg_net_set_params(net, params), VGG_OK);
    for (int run = 0; run < 2; run++) {
        const struct vgg_quant_target target = { .backend = backend,
                                                 .arch = &arch,
                                                 .last = arch.count,
                                                 .params = run ? NULL : params,
                                                 .from = run ? net : NULL };
        const struct vgg_quant_source source = vgg_quant_array(&place, x, SIZE, IMAGES);
        cr_assert_eq(vgg_quant_calibrate(scales[run], &target, &source), VGG_OK);
    }
    cr_expect(memcmp(scales[0], scales[1], sizeof scales[0]) == 0);
    expect_whole((const float(*)[VGG_QUANT_COUNT])scales[0], net, &arch, x, SIZE, IMAGES);
    vgg_net_destroy(net);
    vgg_backend_close(backend);
    vgg_mem_free(params);
}
