/* test_cpu_int8.c: quantised layers: plain C against integer arithmetic where nothing is lost, and against double
 * precision where it is; every set of kernels that this processor runs against plain C, bit for bit; the largest sums;
 * what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/engine/device.h"
#include "core/selftest/op_case.h"
#include "cpu/cpu.h"
#include "cpu/cpu_int8.h"
#include "emulated.h"

/* ---- subjects: each set of kernels, whatever else the processor could do ---- */

enum { SETS = 5 };

static struct vgg_backend *open_cpu(const char *isa, int threads)
{
    const struct vgg_engine_options options = { .backend = "cpu", .isa = isa, .threads = threads };
    struct vgg_backend *backend;
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    return backend;
}

/* NULL: this processor does not run set `i`, or the build has none. Set 0 is plain C. */
static struct vgg_backend *open_set(int i)
{
    const struct cpu_kernels *kernels = NULL;
    const char *isa = "scalar";
#if defined(__x86_64__)
    if (i == 1 && cpu_isa_found(CPU_ISA_AVX2)) kernels = &cpu_kernels_avx2int8, isa = "avx2";
    if (i == 2 && cpu_isa_int8(CPU_ISA_AVX2)) kernels = &cpu_kernels_avxvnni, isa = "avx2";
#if !defined(VGG16_EMULATE_AVX512)
    if (i == 3 && cpu_isa_int8(CPU_ISA_AVX512)) kernels = &cpu_kernels_avx512vnni, isa = "avx512";
    if (i == 4 && cpu_isa_int8(CPU_ISA_AVX512) && cpu_isa_matrix(CPU_ISA_AVX512))
        kernels = &cpu_kernels_amxint8, isa = "avx512";
#endif
#endif
#if defined(__aarch64__)
    if (i > 0) isa = "neon";
    if (i == 1 && cpu_isa_int8(CPU_ISA_NEON)) kernels = &cpu_kernels_neondot;
    if (i == 2 && vgg_os_has(VGG_OS_ARM_I8MM)) kernels = &cpu_kernels_neoni8mm;
#endif
    if (i > 0 && !kernels) return NULL;
    struct vgg_backend *backend = open_cpu(isa, 2);
    struct cpu_kernels *own = &((struct cpu *)backend)->kernels;
    if (kernels) own->conv_int8 = kernels->conv_int8, own->dense_int8 = kernels->dense_int8, own->int8 = kernels->int8;
    return backend;
}

/* ---- one layer ---- */

struct layer {
    struct vgg_op_case test;
    struct vgg_op_case_memory memory;
};

static struct vgg_view place(struct vgg_op_case *test, enum vgg_arena arena, enum vgg_type type, int n, int h, int w,
                             int c)
{
    struct vgg_view view = {
        .offset = test->arena_size[arena], .arena = arena, .type = type, .n = n, .h = h, .w = w, .c = c
    };
    test->arena_size[arena] += vgg_mem_round_up(vgg_view_size(&view), VGG_VIEW_ALIGN);
    return view;
}

static void layer_init(struct layer *layer, enum vgg_op_kind kind, const int shape[5], unsigned flags, enum vgg_type x,
                       enum vgg_type y)
{
    struct vgg_op_case *test = &layer->test;
    bool conv = kind == VGG_OP_CONV, pool = flags & VGG_OP_POOL;
    int n = shape[0], h = shape[1], w = shape[2], in = shape[3], out = shape[4];
    *layer = (struct layer) { .test.op = { .kind = kind, .flags = flags } };
    test->op.x = place(test, VGG_ARENA_ACT, x, n, h, w, in);
    test->op.w = conv ? place(test, VGG_ARENA_PARAM, VGG_F32, 3, 3, in, out)
                      : place(test, VGG_ARENA_PARAM, VGG_F32, 1, 1, h * w * in, out);
    test->op.b = place(test, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, out);
    test->op.q = place(test, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, VGG_QUANT_COUNT);
    test->op.y = place(test, VGG_ARENA_ACT, y, n, conv ? pool ? h / 2 : h : 1, conv ? pool ? w / 2 : w : 1, out);
    cr_assert_eq(vgg_op_case_memory_init(&layer->memory, test), VGG_OK);
}

static void *at(const struct layer *layer, const struct vgg_view *view)
{
    return layer->memory.arena[view->arena] + view->offset;
}

static void layer_run(struct vgg_backend *backend, struct layer *layer)
{
    cr_assert_eq(vgg_op_case_run(backend, &layer->test, &layer->memory, NULL), VGG_OK);
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---- nothing lost: steps and scales of 1 ---- */

/* Transformed filters are integers and reach 127 at each tap: input channel 0 has 127 at the kernel's corners, the
 * others multiples of 4 up to 48 in size. Inputs are below 32, so that |V| <= 124 is kept as it is. */
static void fill_exact(struct layer *layer, float step_y)
{
    struct vgg_op *op = &layer->test.op;
    uint32_t state = (uint32_t)(op->w.w * 131 + op->w.c + op->x.h * 7 + op->x.w);
    uint8_t *x = at(layer, &op->x);
    float *w = at(layer, &op->w), *b = at(layer, &op->b), *q = at(layer, &op->q);
    for (size_t i = 0; i < vgg_view_count(&op->x); i++)
        x[i] = (uint8_t)(next(&state) % 32);
    for (size_t i = 0; i < vgg_view_count(&op->w); i++) {
        size_t row = i / (size_t)op->w.c, tap = row / (size_t)op->w.w, c = row % (size_t)op->w.w;
        bool corner = op->kind == VGG_OP_DENSE || (tap % 2 == 0 && tap != 4);
        w[i] = c == 0 ? (corner ? 127.0f : 0.0f) : (float)((int)(next(&state) % 25) - 12) * 4;
    }
    for (int k = 0; k < op->w.c; k++)
        b[k] = (float)((int)(next(&state) % 4001) - 2000);
    for (int i = 0; i < VGG_QUANT_COUNT; i++)
        q[i] = 127;
    q[VGG_QUANT_X] = 1, q[VGG_QUANT_Y] = step_y;
}

/* Without clips a convolution is direct. */
static void clips_clear(struct layer *layer)
{
    float *q = at(layer, &layer->test.op.q);
    memset(q + VGG_QUANT_CLIP, 0, VGG_QUANT_TAPS * sizeof *q);
}

/* The layer before ReLU and pooling at one output, in integers. */
static int64_t exact_value(const struct layer *layer, int i, int y, int x, int k)
{
    const struct vgg_op *op = &layer->test.op;
    const uint8_t *from = at(layer, &op->x);
    const float *w = at(layer, &op->w), *b = at(layer, &op->b);
    size_t in = (size_t)op->w.w, out = (size_t)op->w.c;
    int64_t sum = (int64_t)b[k];
    if (op->kind == VGG_OP_DENSE) {
        for (size_t c = 0; c < in; c++)
            sum += from[(size_t)i * in + c] * (int64_t)w[c * out + (size_t)k];
        return sum;
    }
    for (int tap = 0; tap < 9; tap++) {
        int iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
        if (iy < 0 || iy >= op->x.h || ix < 0 || ix >= op->x.w) continue;
        size_t pixel = ((size_t)i * (size_t)op->x.h + (size_t)iy) * (size_t)op->x.w + (size_t)ix;
        for (size_t c = 0; c < in; c++)
            sum += from[pixel * in + c] * (int64_t)w[((size_t)tap * in + c) * out + (size_t)k];
    }
    return sum;
}

static void expect_exact(const struct layer *layer, float step_y)
{
    const struct vgg_op *op = &layer->test.op;
    int pool = op->flags & VGG_OP_POOL ? 2 : 1;
    size_t count = vgg_view_count(&op->y), c = (size_t)op->y.c;
    for (size_t e = 0; e < count; e++) {
        int k = (int)(e % c), x = (int)(e / c % (size_t)op->y.w), y = (int)(e / c / (size_t)op->y.w % (size_t)op->y.h);
        int i = (int)(e / c / (size_t)op->y.w / (size_t)op->y.h);
        int64_t most = INT64_MIN;
        for (int p = 0; p < pool * pool; p++) {
            int64_t value = exact_value(layer, i, y * pool + p / 2, x * pool + p % 2, k);
            most = value > most ? value : most;
        }
        if (op->flags & VGG_OP_RELU && most < 0) most = 0;
        double got =
            op->y.type == VGG_U8 ? (double)((uint8_t *)at(layer, &op->y))[e] : (double)((float *)at(layer, &op->y))[e];
        double want = op->y.type == VGG_U8 ? fmin(255, nearbyint((double)most / (double)step_y)) : (double)most;
        cr_assert_eq(got, want, "%dx%d %d to %d, flags %u: %g at %zu, not %g", op->x.h, op->x.w, op->w.w, op->w.c,
                     op->flags, got, e, want);
    }
}

static const int exact_shapes[][5] = {
    { 1, 1, 1, 3, 5 },     { 2, 5, 7, 64, 32 },  { 1, 2, 9, 65, 33 },   { 3, 6, 4, 128, 64 },
    { 1, 17, 31, 64, 32 }, { 1, 4, 3, 256, 96 }, { 17, 1, 2, 64, 160 },
};

/* Rounds of the halves, too: a step of 64 in outputs that are integers. */
Test(cpu_int8, where_nothing_is_lost_the_result_is_exact)
{
    int tried = 0;
    for (int set = 0; set < SETS; set++) {
        struct vgg_backend *backend = open_set(set);
        if (!backend) continue;
        for (size_t i = 0; i < sizeof exact_shapes / sizeof *exact_shapes; i++) {
            for (unsigned how = 0; how < 20; how++) {
                struct layer layer;
                bool bytes = how & 1, dense = how >= 8 && how < 12, direct = how >= 12;
                unsigned flags = bytes || how & 2 ? VGG_OP_RELU : 0;
                if (!dense && how & 4) flags |= VGG_OP_POOL;
                if (flags & VGG_OP_POOL && (exact_shapes[i][1] < 2 || exact_shapes[i][2] < 2)) continue;
                layer_init(&layer, dense ? VGG_OP_DENSE : VGG_OP_CONV, exact_shapes[i], flags, VGG_U8,
                           bytes ? VGG_U8 : VGG_F32);
                fill_exact(&layer, 64);
                if (direct) clips_clear(&layer);
                layer_run(backend, &layer);
                expect_exact(&layer, 64);
                vgg_op_case_memory_finish(&layer.memory);
                tried++;
            }
        }
        vgg_backend_close(backend);
    }
    cr_expect_gt(tried, 60);
}

/* conv "direct" leaves Winograd's algorithm out, whatever the scales would serve. */
Test(cpu_int8, direct_where_it_is_asked_for)
{
    const int shape[5] = { 2, 7, 9, 64, 64 };
    const char *const isa[] = { "scalar", "auto" };
    for (int i = 0; i < 2; i++) {
        uint8_t *y[2] = { 0 };
        for (int without = 0; without < 2; without++) {
            const struct vgg_engine_options options = {
                .backend = "cpu", .isa = isa[i], .conv = without ? "auto" : "direct", .precision = "int8"
            };
            struct vgg_backend *backend;
            struct layer layer;
            cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
            layer_init(&layer, VGG_OP_CONV, shape, VGG_OP_RELU, VGG_U8, VGG_U8);
            fill_exact(&layer, 64);
            float *w = at(&layer, &layer.test.op.w); /* which bytes do not hold exactly */
            for (size_t k = 0; k < vgg_view_count(&layer.test.op.w); k++)
                w[k] += (float)(k * 7919 % 1000) * 1e-3f;
            if (without) clips_clear(&layer);
            layer_run(backend, &layer);
            size_t count = vgg_view_count(&layer.test.op.y);
            y[without] = malloc(count);
            memcpy(y[without], at(&layer, &layer.test.op.y), count);
            if (without) cr_expect_arr_eq(y[0], y[1], count, "isa %s", isa[i]);
            vgg_op_case_memory_finish(&layer.memory);
            vgg_backend_close(backend);
        }
        free(y[0]), free(y[1]);
    }
}

/* Multipliers of taps: the limit over the clip, within 1 and 2^15 - 1. */
Test(cpu_int8, multipliers)
{
    static const struct {
        float clip;
        int16_t plus, other;
    } rows[] = { { 1020, 8192, 4080 },  { 510, 16384, 8160 },  { 300, 27853, 13872 }, { 255, 32767, 16320 },
                 { 128, 32767, 32512 }, { 127, 32767, 32767 }, { 1, 32767, 32767 },   { 1e9f, 1, 1 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float q[VGG_QUANT_COUNT] = { 0.5f, 0.25f }, b[4] = { 1, 2, 3, 4 }, step[64], memory[80];
        const struct vgg_op op = { .kind = VGG_OP_CONV, .w.c = 3, .y.type = VGG_U8 };
        const struct cpu_args args = { .q = q, .b = b };
        const struct cpu_int8_weights weights = { .out = 4, .taps = VGG_QUANT_TAPS, .step = step };
        struct cpu_int8_scales scales;
        for (int t = 0; t < 64; t++)
            step[t] = (float)t;
        for (int t = 0; t < VGG_QUANT_TAPS; t++)
            q[VGG_QUANT_CLIP + t] = rows[i].clip;
        cpu_int8_scales_make(&scales, memory, &op, &args, &weights, 4);
        for (int t = 0; t < VGG_QUANT_TAPS; t++) {
            int mul = t == VGG_QUANT_PLUS ? rows[i].plus : rows[i].other;
            double back = mul == 32767 ? 1 : 32768.0 / mul;
            cr_expect_eq(scales.mul[t], mul, "clip %g, tap %d", (double)rows[i].clip, t);
            for (int j = 0; j < 4; j++)
                cr_expect_float_eq((double)scales.deq[4 * t + j], 0.5 * (4 * t + j) * back * 4, 1e-6 * back * 200);
        }
        for (int k = 0; k < 4; k++)
            cr_expect_eq(scales.bias[k], k < 3 ? 4 * b[k] : 0);
    }
}

/* ---- all sets agree ---- */

Test(cpu_int8, all_kernels_give_the_bits_of_plain_c)
{
    struct vgg_op_case_list list;
    struct vgg_backend *sets[SETS];
    int tried = 0;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (int set = 0; set < SETS; set++)
        sets[set] = open_set(set);
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        struct vgg_op_case_memory expected, got;
        if (!test->op.q.n || (test->large && EMULATED)) continue;
        cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
        cr_assert_eq(vgg_op_case_run(sets[0], test, &expected, NULL), VGG_OK);
        for (int set = 1; set < SETS; set++) {
            if (!sets[set]) continue;
            cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
            cr_assert_eq(vgg_op_case_run(sets[set], test, &got, NULL), VGG_OK);
            cr_expect(vgg_op_case_same(test, &expected, &got), "set %d: %s", set, test->text);
            vgg_op_case_memory_finish(&got);
            tried++;
        }
        vgg_op_case_memory_finish(&expected);
    }
    for (int set = 0; set < SETS; set++)
        vgg_backend_close(sets[set]);
    vgg_op_case_list_finish(&list);
    cr_log_info("%d runs", tried);
}

/* ---- the largest sums ---- */

/* 65536 products of 255 and 127 or -127; one more is refused. */
Test(cpu_int8, the_largest_sums_fit)
{
    const int shape[5] = { 1, 1, 1, VGG_QUANT_TERMS, 32 };
    for (int set = 0; set < SETS; set++) {
        struct vgg_backend *backend = open_set(set);
        if (!backend) continue;
        struct layer layer;
        layer_init(&layer, VGG_OP_DENSE, shape, 0, VGG_U8, VGG_F32);
        struct vgg_op *op = &layer.test.op;
        float *w = at(&layer, &op->w), *b = at(&layer, &op->b), *q = at(&layer, &op->q), *y = at(&layer, &op->y);
        memset(at(&layer, &op->x), 255, VGG_QUANT_TERMS);
        for (size_t i = 0; i < vgg_view_count(&op->w); i++)
            w[i] = i % 2 ? -127.0f : 127.0f;
        memset(b, 0, 32 * sizeof *b);
        q[VGG_QUANT_X] = 1;
        layer_run(backend, &layer);
        for (int k = 0; k < 32; k++)
            cr_expect_eq(y[k], (k % 2 ? -255.0f : 255.0f) * 127 * VGG_QUANT_TERMS, "set %d: %g", set, (double)y[k]);
        vgg_op_case_memory_finish(&layer.memory);
        vgg_backend_close(backend);
    }
}

/* The most channels of 255, in 64s, in a direct convolution whose weights are 127 or -127; one 64 more is refused. */
Test(cpu_int8, the_largest_direct_sums_fit)
{
    enum { MOST = VGG_QUANT_TERMS / 9 / 64 * 64 };
    const int shape[5] = { 1, 3, 3, MOST, 32 }, deep[5] = { 1, 1, 1, MOST + 64, 32 };
    struct layer more;
    const char *why;
    layer_init(&more, VGG_OP_CONV, deep, 0, VGG_U8, VGG_F32);
    cr_expect_not(vgg_op_check(&more.test.op, more.test.arena_size, &why), "a sum too long");
    vgg_op_case_memory_finish(&more.memory);
    for (int set = 0; set < SETS; set++) {
        struct vgg_backend *backend = open_set(set);
        if (!backend) continue;
        struct layer layer;
        layer_init(&layer, VGG_OP_CONV, shape, 0, VGG_U8, VGG_F32);
        struct vgg_op *op = &layer.test.op;
        float *w = at(&layer, &op->w), *b = at(&layer, &op->b), *q = at(&layer, &op->q), *y = at(&layer, &op->y);
        memset(at(&layer, &op->x), 255, vgg_view_count(&op->x));
        for (size_t i = 0; i < vgg_view_count(&op->w); i++)
            w[i] = i % 2 ? -127.0f : 127.0f;
        memset(b, 0, 32 * sizeof *b);
        q[VGG_QUANT_X] = 1;
        clips_clear(&layer);
        layer_run(backend, &layer);
        for (int k = 0; k < 9 * 32; k++) {
            float pixels = (float)((k / 32 / 3 == 1 ? 3 : 2) * (k / 32 % 3 == 1 ? 3 : 2));
            cr_expect_eq(y[k], (k % 2 ? -255.0f : 255.0f) * 127 * MOST * pixels, "set %d: %g", set, (double)y[k]);
        }
        vgg_op_case_memory_finish(&layer.memory);
        vgg_backend_close(backend);
    }
}

/* A checkered map makes |V| largest, 510 at the taps of differences, 1020 in an even one at tap 5. */
Test(cpu_int8, the_largest_inputs_are_cut_alike)
{
    const int shape[5] = { 1, 9, 10, 512, 32 };
    static const float clips[] = { 1, 100, 127, 255, 510, 1020, 1e6f };
    struct vgg_backend *plain = open_set(0);
    for (int set = 1; set < SETS; set++) {
        struct vgg_backend *backend = open_set(set);
        if (!backend) continue;
        for (size_t i = 0; i < sizeof clips / sizeof *clips; i++) {
            struct layer a, b;
            for (int which = 0; which < 2; which++) {
                struct layer *layer = which ? &b : &a;
                layer_init(layer, VGG_OP_CONV, shape, 0, VGG_U8, VGG_F32);
                uint8_t *x = at(layer, &layer->test.op.x);
                float *q = at(layer, &layer->test.op.q);
                for (size_t e = 0; e < vgg_view_count(&layer->test.op.x); e++)
                    x[e] = e / 512 % 10 < 4 || (e / 512 + e / 5120) % 2 ? 255 : 0;
                for (int t = 0; t < VGG_QUANT_TAPS; t++)
                    q[VGG_QUANT_CLIP + t] = clips[(i + (size_t)t) % 7];
                layer_run(which ? backend : plain, layer);
            }
            cr_expect(vgg_op_case_same(&a.test, &a.memory, &b.memory), "set %d, clips %zu", set, i);
            vgg_op_case_memory_finish(&a.memory);
            vgg_op_case_memory_finish(&b.memory);
        }
        vgg_backend_close(backend);
    }
    vgg_backend_close(plain);
}

/* ---- what quantising loses ---- */

static const double B[4][4] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };
static const double G[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };
static const double A[2][4] = { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } };

/* V of one tap of the tile whose first output is (y, x), in steps. */
static double tap_input(const struct layer *layer, int t, int y, int x, int c)
{
    const struct vgg_op *op = &layer->test.op;
    const uint8_t *from = at(layer, &op->x);
    double sum = 0;
    for (int p = 0; p < 16; p++) {
        int iy = y + p / 4 - 1, ix = x + p % 4 - 1;
        if (iy < 0 || iy >= op->x.h || ix < 0 || ix >= op->x.w) continue;
        sum += B[t / 4][p / 4] * B[t % 4][p % 4] * from[(size_t)((iy * op->x.w + ix) * op->x.c + c)];
    }
    return sum;
}

static double tap_filter(const struct layer *layer, int t, int c, int k)
{
    const struct vgg_op *op = &layer->test.op;
    const float *w = at(layer, &op->w);
    double sum = 0;
    for (int p = 0; p < 9; p++)
        sum += G[t / 4][p / 3] * G[t % 4][p % 3] *
               (double)w[((size_t)p * (size_t)op->w.w + (size_t)c) * (size_t)op->w.c + (size_t)k];
    return sum;
}

/* Not by fmax, which gcc 12 fails to vectorise for aarch64. */
static void raise_to(double *most, double x)
{
    if (x > *most) *most = x;
}

/* Values of a map as ReLU leaves them, clips at the largest |V|: each output lies within the sum of half a step of V
 * times |U|, half a step of U times |V| and half of both, over the taps and channels that it sums; all outputs together
 * are far nearer. */
Test(cpu_int8, errors_stay_within_half_a_step_of_each_factor)
{
    const int shape[5] = { 1, 5, 6, 64, 32 };
    struct vgg_backend *plain = open_set(0);
    struct layer layer;
    uint32_t state = 7;
    double most[VGG_QUANT_TAPS] = { 0 }, lost = 0, whole = 0;
    layer_init(&layer, VGG_OP_CONV, shape, 0, VGG_U8, VGG_F32);
    struct vgg_op *op = &layer.test.op;
    uint8_t *x = at(&layer, &op->x);
    float *w = at(&layer, &op->w), *b = at(&layer, &op->b), *q = at(&layer, &op->q), *y = at(&layer, &op->y);
    const double step = 0.0125f;
    for (size_t i = 0; i < vgg_view_count(&op->x); i++)
        x[i] = (uint8_t)(next(&state) % 2 ? next(&state) % 256 * (next(&state) % 256) / 256 : 0);
    for (size_t i = 0; i < vgg_view_count(&op->w); i++)
        w[i] = (float)(next(&state) % 2001) / 1000 - 1;
    for (int k = 0; k < 32; k++)
        b[k] = (float)k;
    for (int tile = 0; tile < 9; tile++)
        for (int t = 0; t < VGG_QUANT_TAPS; t++)
            for (int c = 0; c < 64; c++)
                raise_to(&most[t], fabs(tap_input(&layer, t, tile / 3 * 2, tile % 3 * 2, c)));
    q[VGG_QUANT_X] = (float)step;
    for (int t = 0; t < VGG_QUANT_TAPS; t++)
        q[VGG_QUANT_CLIP + t] = (float)most[t];
    layer_run(plain, &layer);
    for (int e = 0; e < 5 * 6; e++) {
        for (int k = 0; k < 32; k++) {
            int oy = e / 6, ox = e % 6;
            double want = (double)b[k], bound = 1e-4;
            for (int t = 0; t < VGG_QUANT_TAPS; t++) {
                double sign = A[oy % 2][t / 4] * A[ox % 2][t % 4], largest = 0;
                for (int c = 0; c < 64; c++)
                    raise_to(&largest, fabs(tap_filter(&layer, t, c, k)));
                double half_u = largest / 127 / 2, half_v = 0.5 * most[t] / (t == VGG_QUANT_PLUS ? 255 : 127);
                for (int c = 0; c < 64 && sign != 0; c++) {
                    double v = tap_input(&layer, t, oy / 2 * 2, ox / 2 * 2, c), u = tap_filter(&layer, t, c, k);
                    want += sign * v * u * step;
                    bound += 1.001 * step * (half_v * fabs(u) + half_u * fabs(v) + half_u * half_v);
                }
            }
            double error = fabs((double)y[e * 32 + k] - want);
            cr_assert_leq(error, bound, "output %d %d: %g instead of %g", e, k, (double)y[e * 32 + k], want);
            lost += error * error, whole += want * want;
        }
    }
    cr_expect_lt(sqrt(lost / whole), 0.03, "%g", sqrt(lost / whole));
    vgg_op_case_memory_finish(&layer.memory);
    vgg_backend_close(plain);
}

/* ---- what is refused ---- */

Test(cpu_int8, shapes_and_types_are_checked)
{
    const int shape[5] = { 1, 4, 6, 64, 32 };
    struct layer layer;
    const char *why;
    layer_init(&layer, VGG_OP_CONV, shape, VGG_OP_RELU, VGG_U8, VGG_U8);
    const size_t *size = layer.test.arena_size;
    struct vgg_op good = layer.test.op, op = good;
    cr_expect(vgg_op_check(&op, size, &why), "%s", why);
    op.flags = 0;
    cr_expect_not(vgg_op_check(&op, size, &why), "bytes without ReLU");
    op.y.type = VGG_F32, op.y.c = 32, op.y.h = 1, op.x.h = 1, op.y.w = op.x.w = 6;
    cr_expect(vgg_op_check(&op, size, &why), "floats without ReLU: %s", why);
    op = good, op.q.n = 0;
    cr_expect_not(vgg_op_check(&op, size, &why), "bytes without q");
    op = good, op.q.c--;
    cr_expect_not(vgg_op_check(&op, size, &why), "a short q");
    op = good, op.arg = op.y;
    cr_expect_not(vgg_op_check(&op, size, &why), "arg and q");
    op = good, op.w.type = VGG_U8;
    cr_expect_not(vgg_op_check(&op, size, &why), "weights of bytes");
    op = good, op.x.type = op.y.type = VGG_F32, op.x.h = op.y.h = 1;
    cr_expect_not(vgg_op_check(&op, size, &why), "q without bytes");
    op = good, op.kind = VGG_OP_POOL2;
    cr_expect_not(vgg_op_check(&op, size, &why), "a pool of bytes");
    vgg_op_case_memory_finish(&layer.memory);

    const int deep[5] = { 1, 1, 1, VGG_QUANT_TERMS + 1, 1 };
    layer_init(&layer, VGG_OP_DENSE, deep, 0, VGG_U8, VGG_F32);
    cr_expect_not(vgg_op_check(&layer.test.op, layer.test.arena_size, &why), "a sum too long");
    vgg_op_case_memory_finish(&layer.memory);
}
