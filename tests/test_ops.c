/* Every operation of core/selftest/op_case.h on every backend, device and instruction set found, against plain C. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/engine/device.h"
#include "core/selftest/op_case.h"
#include "core/vgg16_bench.h"
#include "emulated.h"

static struct vgg_backend *open_cpu(const char *isa, int threads)
{
    const struct vgg_engine_options options = { .backend = "cpu", .isa = isa, .threads = threads };
    struct vgg_backend *backend;
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    return backend;
}

static void run(struct vgg_backend *backend, const struct vgg_op_case *test, struct vgg_op_case_memory *memory)
{
    cr_assert_eq(vgg_op_case_memory_init(memory, test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(backend, test, memory, NULL), VGG_OK, "%s", test->text);
}

struct count {
    int passed, failed;
};

static void on_result(void *user, const struct vgg_selftest_result *r)
{
    struct count *count = user;
    if (r->passed)
        count->passed++;
    else
        count->failed++;
    if (!r->passed) fprintf(stderr, "%s %s %s: error %g, allowed %g\n", r->device, r->op, r->shape, r->error, r->bound);
}

/* What an emulator has time for: the best level of the CPU on the small cases. */
static void small_cases(void)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    struct vgg_backend *plain = open_cpu("scalar", 2), *fast = open_cpu("auto", 2);
    size_t tried = 0;
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large) continue;
        struct vgg_op_case_memory expected, got;
        struct vgg_op_case_error error;
        run(plain, test, &expected);
        run(fast, test, &got);
        cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s is off by %g, allowed %g", test->text,
                  error.what, error.error, error.bound);
        vgg_op_case_memory_finish(&got);
        vgg_op_case_memory_finish(&expected);
        tried++;
    }
    cr_expect_gt(tried, 200);
    vgg_backend_close(plain);
    vgg_backend_close(fast);
    vgg_op_case_list_finish(&list);
}

/* NaN, infinities and denormals: the best level of the CPU beside plain C. */
Test(ops, no_numbers)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    size_t ordinary = list.count, tried[VGG_OP_KIND_COUNT] = { 0 };
    cr_assert_eq(vgg_op_case_list_wild(&list), VGG_OK);
    struct vgg_backend *plain = open_cpu("scalar", 2), *fast = open_cpu("auto", 2);
    for (size_t i = ordinary; i < list.count; i++) {
        struct vgg_op_case_memory expected, got;
        struct vgg_op_case_error error;
        run(plain, &list.item[i], &expected);
        run(fast, &list.item[i], &got);
        cr_expect(vgg_op_case_check(&list.item[i], &expected, &got, &error), "%s: %s is off by %g, allowed %g",
                  list.item[i].text, error.what, error.error, error.bound);
        vgg_op_case_memory_finish(&got);
        vgg_op_case_memory_finish(&expected);
        tried[list.item[i].op.kind]++;
    }
    for (int kind = VGG_OP_ZERO + 1; kind < VGG_OP_KIND_COUNT; kind++)
        cr_expect_gt(tried[kind], 0u, "%s", vgg_op_name((enum vgg_op_kind)kind));
    vgg_backend_close(fast);
    vgg_backend_close(plain);
    vgg_op_case_list_finish(&list);
}

Test(ops, every_device_agrees_with_plain_c)
{
    if (EMULATED) {
        small_cases();
        return;
    }
    struct count count = { 0, 0 };
    cr_expect_eq(vgg_selftest(NULL, on_result, &count), VGG_OK);
    cr_expect_eq(count.failed, 0);
    cr_expect_gt(count.passed, 300);
}

/* 1, 2 and 3 threads, a second run on the same backend: the same bits. */
static void same_bits(const char *isa, bool large)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    struct vgg_backend *one = open_cpu(isa, 1);
    struct vgg_backend *const others[] = { one, open_cpu(isa, 2), open_cpu(isa, 3) };
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large && !large) continue;
        struct vgg_op_case_memory expected, got;
        run(one, test, &expected);
        for (size_t j = 0; j < 3; j++) {
            run(others[j], test, &got);
            cr_expect(vgg_op_case_same(test, &expected, &got), "%s differs with %zu threads: %s", isa, j + 1,
                      test->text);
            vgg_op_case_memory_finish(&got);
        }
        vgg_op_case_memory_finish(&expected);
    }
    for (size_t j = 0; j < 3; j++)
        vgg_backend_close(others[j]);
    vgg_op_case_list_finish(&list);
}

Test(ops, threads_and_reruns_give_the_same_bits)
{
    same_bits("auto", !EMULATED);
    if (!EMULATED) same_bits("scalar", false);
}

/* A rate of dropout is at least 0 and below 1. */
Test(ops, rates_out_of_range_are_refused)
{
    static const float rates[] = { 0, 0.999f, 1, 1.5f, -0.25f, NAN, INFINITY };
    struct vgg_op_case_list list;
    size_t seen = 0;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i++) {
        struct vgg_op op = list.item[i].op;
        const char *why;
        if (op.kind != VGG_OP_DROPOUT && op.kind != VGG_OP_DROPOUT_BWD) continue;
        for (int k = 0; k < 7; k++, seen++) {
            op.rate = rates[k];
            cr_expect_eq(vgg_op_check(&op, list.item[i].arena_size, &why), k < 2, "rate %g", (double)rates[k]);
        }
    }
    cr_expect_gt(seen, 0);
    vgg_op_case_list_finish(&list);
}

/* Multiplications and additions of what multiplies matrices: forward, backward to the data and to the weights alike. */
Test(ops, flops)
{
    struct vgg_op_case_list list;
    size_t seen = 0;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op *op = &list.item[i].op;
        bool data = op->kind == VGG_OP_CONV_BWD_DATA || op->kind == VGG_OP_DENSE_BWD_DATA;
        bool weight = op->kind == VGG_OP_CONV_BWD_WEIGHT || op->kind == VGG_OP_DENSE_BWD_WEIGHT;
        bool conv = op->kind == VGG_OP_CONV || op->kind == VGG_OP_CONV_BWD_DATA || op->kind == VGG_OP_CONV_BWD_WEIGHT;
        if (!data && !weight && op->kind != VGG_OP_CONV && op->kind != VGG_OP_DENSE) continue;
        const struct vgg_view *in = data ? &op->dx : &op->x,
                              *out = op->kind == VGG_OP_CONV || op->kind == VGG_OP_DENSE ? &op->y : &op->dy;
        double want = 2.0 * in->n * in->h * in->w * in->c * out->c * (conv ? 9 : 1);
        cr_expect(fabs(vgg_op_flops(op) - want) <= 1e-9 * want, "%s: %g, not %g", list.item[i].text, vgg_op_flops(op),
                  want);
        seen++;
    }
    cr_expect_gt(seen, 100);
    vgg_op_case_list_finish(&list);
}

/* Another value in each output of bytes, which hold any value where they are activations. */
static void poison_bytes(const struct vgg_op_case *test, struct vgg_op_case_memory *memory)
{
    for (int name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        const struct vgg_view *view = vgg_op_view(&test->op, (enum vgg_op_view)name);
        if (view->type == VGG_U8 && vgg_op_role(&test->op, (enum vgg_op_view)name) == VGG_OP_WRITES)
            memset(memory->arena[view->arena] + view->offset, 0x11, vgg_view_size(view));
    }
}

/* Plain C writes its outputs alone, and all of them: what the others are compared with must not be wrong with them. */
Test(ops, plain_c_writes_what_it_should)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    struct vgg_backend *plain = open_cpu("scalar", 2);
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large) continue;
        struct vgg_op_case_memory before, after, again;
        cr_assert_eq(vgg_op_case_memory_init(&before, test), VGG_OK);
        run(plain, test, &after);
        cr_assert_eq(vgg_op_case_memory_init(&again, test), VGG_OK);
        poison_bytes(test, &again);
        cr_assert_eq(vgg_op_case_run(plain, test, &again, NULL), VGG_OK);
        cr_expect(vgg_op_case_same(test, &after, &again), "%s: a byte is not written", test->text);
        vgg_op_case_memory_finish(&again);
        for (int name = 0; name < VGG_OP_VIEW_COUNT; name++) {
            enum vgg_op_role role = vgg_op_role(&test->op, (enum vgg_op_view)name);
            if (role != VGG_OP_WRITES && role != VGG_OP_UPDATES) continue;
            const struct vgg_view *view = vgg_op_view(&test->op, (enum vgg_op_view)name);
            unsigned char *from = after.arena[view->arena] + view->offset,
                          *to = before.arena[view->arena] + view->offset;
            for (size_t k = 0; role == VGG_OP_WRITES && k < vgg_view_count(view); k++) {
                float value;
                if (view->type == VGG_F32) memcpy(&value, from + k * sizeof value, sizeof value);
                cr_expect_not(view->type == VGG_F32 && isnan(value), "%s: element %zu of view %d is not written",
                              test->text, k, name);
            }
            memcpy(to, from, vgg_view_size(view));
        }
        cr_expect(vgg_op_case_same(test, &before, &after), "%s: something else was written", test->text);
        vgg_op_case_memory_finish(&before);
        vgg_op_case_memory_finish(&after);
    }
    vgg_backend_close(plain);
    vgg_op_case_list_finish(&list);
}

/* The first, a middle and the last value of every output, one at a time: seen, and named. */
static void plant_wrong_values(const struct vgg_op_case *test, const struct vgg_op_case_memory *expected,
                               struct vgg_op_case_memory *got)
{
    struct vgg_op_case_error error;
    int outputs = 0;
    for (int v = 0; v < VGG_OP_VIEW_COUNT; v++) {
        enum vgg_op_role role = vgg_op_role(&test->op, (enum vgg_op_view)v);
        if (role != VGG_OP_WRITES && role != VGG_OP_UPDATES) continue;
        const struct vgg_view *view = vgg_op_view(&test->op, (enum vgg_op_view)v);
        size_t count = vgg_view_count(view), size = vgg_view_size(view) / count;
        const size_t places[] = { 0, count / 2, count - 1 };
        outputs++;
        for (int k = 0; k < 3; k++) {
            unsigned char *at = got->arena[view->arena] + view->offset + places[k] * size, kept[sizeof(float)];
            float value;
            memcpy(kept, at, size);
            if (view->type == VGG_U8) {
                *at ^= 1;
            } else {
                memcpy(&value, at, sizeof value);
                value = value * 1.1f + 0.1f;
                memcpy(at, &value, sizeof value);
            }
            bool good = vgg_op_case_check(test, expected, got, &error);
            cr_expect(!good || (view->type == VGG_U8 && count > 500), "wrong value %zu of view %d: %s", places[k], v,
                      test->text);
            memcpy(at, kept, size);
        }
    }
    cr_expect_gt(outputs, 0, "%s", test->text);
}

/* A verdict that cannot fail would be worth nothing. */
Test(ops, the_check_sees_one_wrong_value_and_one_overwritten_guard)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    struct vgg_backend *plain = open_cpu("scalar", 1);
    size_t seen[2 * VGG_OP_KIND_COUNT] = { 0 };
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large || seen[(int)test->op.kind + (test->op.q.n ? VGG_OP_KIND_COUNT : 0)]++) continue;
        struct vgg_op_case_memory expected, got;
        struct vgg_op_case_error error;
        run(plain, test, &expected);
        cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
        cr_expect_not(vgg_op_case_check(test, &expected, &got, &error), "nothing ran: %s", test->text);
        for (int a = 0; a < VGG_ARENA_COUNT; a++)
            if (got.arena[a]) memcpy(got.arena[a], expected.arena[a], test->arena_size[a]);
        cr_expect(vgg_op_case_check(test, &expected, &got, &error), "equal: %s", test->text);
        plant_wrong_values(test, &expected, &got);
        for (int a = 0; a < VGG_ARENA_COUNT; a++) {
            if (!got.arena[a]) continue;
            got.arena[a][test->arena_size[a] - 1] ^= 1;
            cr_expect_not(vgg_op_case_check(test, &expected, &got, &error), "guard: %s", test->text);
            got.arena[a][test->arena_size[a] - 1] ^= 1;
        }
        vgg_op_case_memory_finish(&got);
        vgg_op_case_memory_finish(&expected);
    }
    for (int kind = 0; kind < VGG_OP_KIND_COUNT; kind++)
        cr_expect_gt(seen[kind], 0, "no case of %s", vgg_op_name((enum vgg_op_kind)kind));
    vgg_backend_close(plain);
    vgg_op_case_list_finish(&list);
}
