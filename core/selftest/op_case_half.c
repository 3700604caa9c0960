/* What precision fp16 makes of a case: plain C on rounded operands. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/format/safetensors.h"
#include "core/selftest/op_case.h"

static const float LARGEST = 65504; /* that is finite in fp16 */

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

static void round_to_half(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        if (isfinite(values[i])) values[i] = fminf(fmaxf(values[i], -LARGEST), LARGEST);
        vgg_dtype_to_f16(&half, &values[i], 1);
        vgg_dtype_to_f32(&values[i], &half, VGG_DTYPE_F16, 1);
    }
}

static float *values_of(const struct vgg_op_case_memory *memory, const struct vgg_view *view)
{
    return (float *)(void *)(memory->arena[view->arena] + view->offset);
}

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
    CHECK(copy(&rounded, test, memory));
    for (enum vgg_op_view name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        const struct vgg_view *view = vgg_op_view(&test->op, name);
        if (is_operand(&test->op, name)) round_to_half(values_of(&rounded, view), vgg_view_count(view));
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
