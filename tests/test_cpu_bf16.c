/* test_cpu_bf16.c: precision bf16: how values are rounded; plain C against fp32 on rounded operands, bit for bit; the
 * vector level against plain C; what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "conv_trial.h"
#include "core/base/log.h"
#include "core/engine/device.h"
#include "core/selftest/op_case.h"
#include "cpu/cpu_bf16.h"
#include "cpu/cpu_gemm.h"
#include "cpu/cpu_kernels.h"

static uint16_t bf16_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return cpu_bf16(x);
}

Test(cpu_bf16, rounding)
{
    static const uint32_t cases[][2] = {
        { 0x3F800000, 0x3F80 }, /* 1 */
        { 0x3F808000, 0x3F80 }, /* a tie: to the even one below */
        { 0x3F818000, 0x3F82 }, /* and above */
        { 0x3F808001, 0x3F81 }, { 0x3F807FFF, 0x3F80 }, { 0xBF808001, 0xBF81 },
        { 0x80000000, 0x8000 }, { 0x7F7FFFFF, 0x7F80 },                         /* the largest fp32 becomes infinite */
        { 0x7F800000, 0x7F80 }, { 0xFF800000, 0xFF80 }, { 0x7F800001, 0x7FC0 }, /* a NaN stays one */
        { 0xFFFFFFFF, 0xFFFF },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(bf16_of(cases[i][0]), cases[i][1], "%08x", cases[i][0]);
}

/* The vector level rounds as cpu_bf16() does and writes nothing beyond. */
Test(cpu_bf16, halving)
{
    if (!cpu_isa_bf16(CPU_ISA_AVX512)) cr_skip_test("this processor has no bf16 dot products");
    struct cpu_kernels kernels;
    cpu_kernels_fill(&kernels, CPU_ISA_AVX512);
    enum { MOST = 3 * 67 };
    float from[MOST];
    for (uint32_t i = 0; i < MOST; i++) {
        uint32_t bits = i % 5 == 0 ? 0x7F800000 + i % 3 : i * 0x01234567u + (i % 2 ? 0x8000 : 0);
        if (i % 3 == 1) bits = (bits & 0xFFFF0000) | 0x8000; /* a tie */
        memcpy(&from[i], &bits, sizeof bits);
    }
    for (size_t count = 0; count <= 67; count++) {
        uint32_t to[3 * 34 + 8];
        memset(to, 0x5A, sizeof to);
        kernels.gemm_bf16->halve(to, from, 3, count);
        size_t words = (count + 1) / 2;
        for (size_t r = 0; r < 3; r++)
            for (size_t i = 0; i < words; i++) {
                const float *x = from + r * count + 2 * i;
                cr_assert_eq(to[r * words + i], cpu_bf16_pair(x[0], 2 * i + 1 < count ? x[1] : 0), "%zu: %zu", count,
                             i);
            }
        for (size_t i = 3 * words; i < sizeof to / sizeof *to; i++)
            cr_assert_eq(to[i], 0x5A5A5A5A);
    }
}

static struct vgg_backend *open_with(const char *isa, const char *precision)
{
    struct vgg_backend *backend;
    const struct vgg_engine_options options = { .backend = "cpu", .isa = isa, .precision = precision, .threads = 2 };
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    return backend;
}

static void round_view(struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    unsigned char *at = memory->arena[view->arena] + view->offset;
    for (size_t i = 0; i < vgg_view_count(view); i++, at += sizeof(float)) {
        float x;
        memcpy(&x, at, sizeof x);
        x = cpu_bf16_value(cpu_bf16(x));
        memcpy(at, &x, sizeof x);
    }
}

static void poison(struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    if (view->n) memset(memory->arena[view->arena] + view->offset, 0xFF, vgg_view_size(view));
}

Test(cpu_bf16, operations)
{
    struct vgg_backend *plain = open_with("scalar", "bf16"), *fp32 = open_with("scalar", "fp32"), *fast = NULL;
    if (cpu_isa_bf16(CPU_ISA_AVX512)) fast = open_with("avx512", "bf16");
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    int tried = 0, changed = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if ((test->op.kind != VGG_OP_CONV && test->op.kind != VGG_OP_DENSE) || test->large || test->op.q.n) continue;
        struct vgg_op_case_memory expected, got, rounded;
        struct vgg_op_case_error error;
        cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&rounded, test), VGG_OK);
        cr_assert_eq(vgg_op_case_run(plain, test, &expected, NULL), VGG_OK);
        round_view(&rounded, &test->op.x);
        round_view(&rounded, &test->op.w);
        cr_assert_eq(vgg_op_case_run(fp32, test, &rounded, NULL), VGG_OK);
        size_t size = vgg_view_size(&test->op.y);
        const struct vgg_view *y = &test->op.y;
        cr_expect(memcmp(expected.arena[y->arena] + y->offset, rounded.arena[y->arena] + y->offset, size) == 0,
                  "%s: not what fp32 makes of rounded operands", test->text);
        cr_assert_eq(vgg_op_case_run(fp32, test, &got, NULL), VGG_OK);
        changed += !vgg_op_case_same(test, &expected, &got);
        if (fast) {
            poison(&got, &test->op.y);
            poison(&got, &test->op.arg);
            cr_assert_eq(vgg_op_case_run(fast, test, &got, NULL), VGG_OK);
            cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s is off by %g, allowed %g", test->text,
                      error.what, error.error, error.bound);
        }
        vgg_op_case_memory_finish(&expected);
        vgg_op_case_memory_finish(&got);
        vgg_op_case_memory_finish(&rounded);
        tried++;
    }
    cr_expect_gt(tried, 10);
    cr_expect_gt(changed, tried / 2, "bf16 is the same as fp32");
    vgg_op_case_list_finish(&list);
    vgg_backend_close(plain);
    vgg_backend_close(fp32);
    vgg_backend_close(fast);
}

/* Convolutions by the matrix unit: one to three channels in one step and more in several, last steps and panels that
 * are not full, rows shorter and longer than tiles, images that are cut into strips and strips of several images. */
Test(cpu_bf16, matrix)
{
    if (!cpu_isa_matrix(CPU_ISA_AVX512)) cr_skip_test("this processor has no matrix unit for bf16");
    static const struct trial_shape shapes[] = {
        { 1, 1, 1, 1, 1 },     { 2, 5, 7, 3, 20 },    { 1, 19, 33, 2, 16 },  { 1, 2, 70, 3, 33 },
        { 3, 7, 7, 64, 48 },   { 1, 12, 14, 40, 50 }, { 2, 15, 17, 33, 5 },  { 1, 16, 34, 96, 17 },
        { 2, 90, 150, 64, 3 }, { 7, 14, 14, 256, 2 }, { 1, 67, 1030, 3, 2 },
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        trial_check(VGG_OP_CONV, VGG_OP_RELU, false, shapes[i], TRIAL_REALS, "avx512", "bf16", NULL);
        trial_check(VGG_OP_CONV, 0, false, shapes[i], i % 2 ? TRIAL_EXTREMES : TRIAL_WHOLE, "avx512", "bf16", NULL);
        if (shapes[i].h < 2 || shapes[i].w < 2) continue;
        trial_check(VGG_OP_CONV, VGG_OP_POOL, true, shapes[i], TRIAL_WHOLE, "avx512", "bf16", NULL);
        trial_check(VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, false, shapes[i], TRIAL_REALS, "avx512", "bf16", NULL);
    }
}

static char last[512];

static void keep(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR) snprintf(last, sizeof last, "%s", line);
}

static void refused(const char *backend, const char *isa, const char *precision, enum vgg_status why, const char *text)
{
    struct vgg_backend *opened;
    const struct vgg_engine_options options = { .backend = backend, .isa = isa, .precision = precision };
    cr_expect_eq(vgg_backend_open(&opened, &options), why);
    cr_expect_null(opened);
    cr_expect_not_null(strstr(last, text), "%s", last);
}

Test(cpu_bf16, refusals)
{
    vgg_log_set(keep, NULL, VGG_LOG_ERROR);
    refused("cpu", "scalar", "fp8", VGG_ERR_ARGUMENT, "take one of fp32, bf16, fp16, int8");
    if (!cpu_isa_bf16(CPU_ISA_AVX512))
        refused("cpu", NULL, "bf16", VGG_ERR_UNSUPPORTED, "this CPU has no bf16 dot products");
    else
        refused("cpu", "avx2", "bf16", VGG_ERR_UNSUPPORTED, "use isa avx512");
}
