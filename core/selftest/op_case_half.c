/* What precision fp16 makes of a case: plain C on rounded operands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/format/safetensors.h"
#include "core/selftest/op_case.h"

static const float LARGEST = 65504, INFINITE = 65520; /* that is finite in fp16; the first that rounds to more */

/* The factors of an operation's products; x only masks where the gradient of the input is made. */
static bool is_operand(const struct vgg_op *op, enum vgg_op_view name)
{
    switch (op->kind) {
    case VGG_OP_CONV:
    case VGG_OP_DENSE: return name == VGG_OP_X || name == VGG_OP_W;
    case VGG_OP_CONV_BWD_DATA:
    case VGG_OP_DENSE_BWD_DATA: return name == VGG_OP_DY || name == VGG_OP_W;
    case VGG_OP_CONV_BWD_WEIGHT:
    case VGG_OP_DENSE_BWD_WEIGHT: return name == VGG_OP_DY || name == VGG_OP_X;
    default: return false;
    }
}

/* Gradients too large for a half are infinite there, others its largest. */
static uint16_t half_of(float value, bool gradient)
{
    uint16_t half;
    if (gradient && fabsf(value) >= INFINITE) value = copysignf(INFINITY, value);
    if (isfinite(value)) value = fminf(fmaxf(value, -LARGEST), LARGEST);
    vgg_dtype_to_f16(&half, &value, 1);
    return half;
}

static void round_to_half(float *values, size_t count, bool gradients)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half = half_of(values[i], gradients);
        vgg_dtype_to_f32(&values[i], &half, VGG_DTYPE_F16, 1);
    }
}

static float *values_of(const struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    return (float *)(void *)(memory->arena[view->arena] + view->offset);
}

/* ---- views of halves ---- */

enum { RETYPED = 4 };
static const enum vgg_op_view retyped[RETYPED] = { VGG_OP_X, VGG_OP_Y, VGG_OP_DX, VGG_OP_DY };

static bool is_in_place(const struct vgg_op *op)
{
    return op->x.n && op->dx.n && op->x.arena == op->dx.arena && op->x.offset == op->dx.offset;
}

/* The same operation with other types: bit k of `halves`: view retyped[k] is of halves, else of floats. In place it
 * stays so. */
static struct vgg_op_case retype(const struct vgg_op_case *from, unsigned halves)
{
    struct vgg_op_case test = *from;
    memset(test.arena_size, 0, sizeof test.arena_size);
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        struct vgg_view *view = (struct vgg_view *)vgg_op_view(&test.op, name);
        for (int k = 0; k < RETYPED; k++)
            if (name == retyped[k]) view->type = halves >> k & 1 ? VGG_F16 : VGG_F32;
        if (name == VGG_OP_DX && is_in_place(&from->op))
            view->offset = test.op.x.offset;
        else if (view->n)
            *view = vgg_op_case_place(&test, view->arena, view->type, view->n, view->h, view->w, view->c);
    }
    return test;
}

static bool is_valid(const struct vgg_op_case *test, unsigned halves)
{
    const char *why;
    for (int k = 0; k < RETYPED; k++)
        if (halves >> k & 1 && vgg_op_role(&test->op, retyped[k]) == VGG_OP_ABSENT) return false;
    return vgg_op_check(&test->op, test->arena_size, &why);
}

enum vgg_status vgg_op_case_list_halves(struct vgg_op_case_list *list)
{
    enum vgg_status status = VGG_OK;
    size_t count = list->count;
    for (size_t i = 0; i < count; i++) {
        if (list->item[i].op.q.n) continue;
        for (unsigned halves = (1u << RETYPED) - 1; halves; halves--) {
            struct vgg_op_case test = retype(&list->item[i], halves);
            if (!is_valid(&test, halves)) continue;
            CHECK(vgg_op_case_list_add(list, &test, is_in_place(&test.op) ? "in place" : ""));
            if (test.large || (!(test.op.flags & VGG_OP_RELU) && test.op.dw.n == 0)) break;
        }
    }
fail:
    return status;
}

/* Values of one memory become those of another, whose views are of other types. */
static void convert(const struct vgg_op_case *to, struct vgg_op_case_memory *out, const struct vgg_op_case *from,
                    const struct vgg_op_case_memory *in, enum vgg_op_view name)
{
    const struct vgg_view *a = vgg_op_view(&from->op, name), *b = vgg_op_view(&to->op, name);
    const unsigned char *source = in->arena[a->arena] + a->offset;
    unsigned char *target = out->arena[b->arena] + b->offset;
    size_t count = vgg_view_count(a);
    if (a->type == b->type) {
        memcpy(target, source, vgg_view_size(a));
    } else if (a->type == VGG_F16) {
        vgg_dtype_to_f32((float *)(void *)target, source, VGG_DTYPE_F16, count);
    } else {
        const float *values = (const float *)(const void *)source;
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)(void *)target)[i] = half_of(values[i], name != VGG_OP_Y);
    }
}

static enum vgg_status run_wide(struct vgg_backend *backend, const struct vgg_op_case *test,
                                struct vgg_op_case_memory *memory)
{
    enum vgg_status status;
    const struct vgg_op_case wide = retype(test, 0);
    struct vgg_op_case_memory floats;
    CHECK(vgg_op_case_memory_init(&floats, &wide));
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++)
        if (vgg_op_role(&test->op, name) != VGG_OP_ABSENT) convert(&wide, &floats, test, memory, name);
    CHECK(vgg_op_case_run_half(backend, &wide, &floats));
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++)
        if (vgg_op_changes(&test->op, name)) convert(test, memory, &wide, &floats, name);
fail:
    vgg_op_case_memory_finish(&floats);
    return status;
}

/* ---- rounded operands ---- */

static enum vgg_status copy(struct vgg_op_case_memory *out, const struct vgg_op_case *test,
                            const struct vgg_op_case_memory *from)
{
    *out = (struct vgg_op_case_memory) { 0 };
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        size_t size = test->arena_size[i];
        if (!size) continue;
        out->arena[i] = malloc(size);
        if (!out->arena[i]) return vgg_fail_memory(test->text, size);
        memcpy(out->arena[i], from->arena[i], size);
    }
    return VGG_OK;
}

enum vgg_status vgg_op_case_run_half(struct vgg_backend *backend, const struct vgg_op_case *test,
                                     struct vgg_op_case_memory *memory)
{
    enum vgg_status status;
    struct vgg_op_case_memory rounded;
    if (vgg_op_has_halves(&test->op)) return run_wide(backend, test, memory);
    CHECK(copy(&rounded, test, memory));
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        const struct vgg_view *view = vgg_op_view(&test->op, name);
        if (is_operand(&test->op, name))
            round_to_half(values_of(&rounded, view), vgg_view_count(view), name == VGG_OP_DY);
    }
    CHECK(vgg_op_case_run(backend, test, &rounded, NULL));
    CHECK(vgg_op_case_run(backend, test, memory, NULL));
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        const struct vgg_view *view = vgg_op_view(&test->op, name);
        if (!vgg_op_changes(&test->op, name) || name == VGG_OP_DB) continue; /* a sum without products */
        memcpy(values_of(memory, view), values_of(&rounded, view), vgg_view_size(view));
    }
fail:
    vgg_op_case_memory_finish(&rounded);
    return status;
}
