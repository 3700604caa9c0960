/* Memory of a case, its run and its verdict. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/safetensors.h"
#include "core/selftest/op_case.h"

static void views_of(const struct vgg_view *view[VGG_OP_VIEW_COUNT], const struct vgg_op *op)
{
    for (int name = 0; name < VGG_OP_VIEW_COUNT; name++)
        view[name] = vgg_op_view(op, (enum vgg_op_view)name);
}

/* ---- inputs ---- */

/* 64 bits for each element of each view. Source of the mixer: Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014. */
static uint64_t mix(enum vgg_op_view name, uint64_t index)
{
    uint64_t z = ((uint64_t)name << 40 | index) * 0x9E3779B97F4A7C15u + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Values that a kind bears beside the ordinary ones. Denormals stand only where sums swallow them, since a device may
 * flush them or not; huge values only where nothing is summed. */
static const float sums[8] = { 0, -0.0f, 1e-39f, -1e-39f, 1e-30f, 8, -8, 1 };
static const float compared[8] = { 0, -0.0f, 1e-30f, -1e-30f, 1e30f, -1e30f, 3e37f, 1 };
static const float logits[8] = { 0, -0.0f, 80, -80, 1e-30f, 1000, -1000, 1 };
static const float gradients[8] = { 0, -0.0f, 1e-20f, -1e-20f, 100, -100, 1e-4f, 1 };

/* How a kind is tried. */
struct trial {
    const float *planted;
    float scale; /* of the ordinary values; 0: 1 */
    bool ties;   /* these have a few levels only, so that maxima tie */
    double bound,
        floor;    /* allowed error, and the share of the largest value that the errors of smaller ones count in */
    double arg;   /* share of the places of maxima that may differ */
    bool spreads; /* by Winograd: what is not finite may reach neighbours, an infinity as anything */
};

/* Convolution: Winograd's bound for 6x6 tiles in fp32 (Lavin and Gray, CVPR 2016, measure 1e-5 to 1e-4 of the output's
 * scale); a wrong index errs by more than 1e-2. Dense layers: sums of up to 25088 products. Selections are exact.
 * Exponentials: an argument of up to 100 in size rounds by 4e-6. Updates: a few roundings, divisions and roots, which
 * GPUs may take to 3 units in the last place. Sums of two are exact but for denormals, which a device may flush.
 * Quantised layers have one result. */
static const struct trial trials[VGG_OP_KIND_COUNT] = {
    [VGG_OP_ZERO] = { .planted = sums },
    [VGG_OP_ADD] = { sums, .bound = 1e-30, .floor = 1 },
    [VGG_OP_CONV] = { sums, .bound = 1e-4, .floor = 1, .arg = 2e-3, .spreads = true },
    [VGG_OP_CONV_BWD_DATA] = { sums, .bound = 1e-4, .floor = 1, .spreads = true },
    [VGG_OP_CONV_BWD_WEIGHT] = { sums, .bound = 1e-4, .floor = 1, .spreads = true },
    [VGG_OP_POOL2] = { compared, .ties = true },
    [VGG_OP_POOL2_BWD] = { .planted = compared },
    [VGG_OP_DENSE] = { sums, .bound = 2e-5, .floor = 1 },
    [VGG_OP_DENSE_BWD_DATA] = { sums, .bound = 2e-5, .floor = 1 },
    [VGG_OP_DENSE_BWD_WEIGHT] = { sums, .bound = 2e-5, .floor = 1 },
    [VGG_OP_AVGPOOL] = { sums, .bound = 1e-6, .floor = 1 },
    [VGG_OP_AVGPOOL_BWD] = { sums, .bound = 1e-6 },
    [VGG_OP_GMAXPOOL] = { compared, .ties = true },
    [VGG_OP_GMAXPOOL_BWD] = { compared, .ties = true },
    [VGG_OP_DROPOUT] = { compared, .bound = 1e-6 },
    [VGG_OP_DROPOUT_BWD] = { compared, .bound = 1e-6 },
    [VGG_OP_SOFTMAX] = { logits, .scale = 6, .bound = 1e-5, .floor = 1 },
    [VGG_OP_SIGMOID] = { logits, .scale = 6, .bound = 1e-5, .floor = 1 },
    [VGG_OP_SOFTMAX_XENT] = { logits, .scale = 6, .bound = 1e-5, .floor = 1 },
    [VGG_OP_SIGMOID_XENT] = { logits, .scale = 6, .bound = 1e-5, .floor = 1 },
    [VGG_OP_FMA] = { sums, .bound = 1e-6, .floor = 1 },
    [VGG_OP_CLIP] = { gradients, .bound = 1e-5, .floor = 1e-2 },
    [VGG_OP_UNSCALE] = { gradients, .bound = 2e-7 },
    [VGG_OP_SGD] = { gradients, .bound = 1e-5, .floor = 1e-2 },
    [VGG_OP_RMSPROP] = { gradients, .bound = 1e-5, .floor = 1e-2 },
    [VGG_OP_ADAM] = { gradients, .bound = 1e-5, .floor = 1e-2 },
    [VGG_OP_ADAMW] = { gradients, .bound = 1e-5, .floor = 1e-2 },
};

/* What stands where no view does: everywhere something else, so that a guard copied over a guard is seen. Arenas end
 * at multiples of VGG_VIEW_ALIGN. */
static void fill_guards(unsigned char *arena, size_t size, int number)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = mix((enum vgg_op_view)(VGG_OP_VIEW_COUNT + number), at);
        memcpy(arena + at, &word, sizeof word);
    }
}

/* Steps that let about 3 standard deviations of the outputs fit their bytes, and for each tap a clip of its own, some
 * of them large enough that nothing is cut. */
static float quantising(const struct vgg_op *op, uint64_t i)
{
    const float step = 0.02f;
    float terms = (float)op->w.w * (op->kind == VGG_OP_CONV ? 9 : 1);
    if (i == VGG_QUANT_X) return step;
    if (i == VGG_QUANT_Y) return sqrtf(terms) * (op->x.type == VGG_U8 ? 2 * step : 0.016f);
    uint64_t tap = i - VGG_QUANT_CLIP;
    return (float)(tap * 7 % 16) * 31.3f + (tap == VGG_QUANT_PLUS ? 500 : 90);
}

/* Bytes as activations are: all of them, many of the ends. */
static unsigned char byte_of(enum vgg_op_view name, uint64_t i)
{
    uint64_t bits = mix(name, i);
    return bits >> 60 == 0 ? 255 : bits >> 62 == 1 ? 0 : (unsigned char)bits;
}

static float value_of(const struct vgg_op *op, enum vgg_op_view name, uint64_t i)
{
    uint64_t bits = mix(name, i);
    float u = (float)(bits >> 40) * 0x1p-23f - 1; /* in [-1, 1) */
    uint32_t chance = (uint32_t)bits;
    switch (name) {
    case VGG_OP_T:
        if (op->kind == VGG_OP_SIGMOID_XENT) return (float)(chance & 1);
        return (float)(chance % (uint32_t)op->x.c);
    case VGG_OP_SW: return 1 + u / 2;
    case VGG_OP_V: return (1 + u) * 0.01f;
    case VGG_OP_Q: return quantising(op, i);
    case VGG_OP_B:
    case VGG_OP_M: return u;
    default: break;
    }
    const struct trial *trial = &trials[op->kind];
    if (chance % 16 == 0) return trial->planted[chance >> 4 & 7];
    if (trial->scale != 0) return trial->scale * u;
    return trial->ties ? rintf(u * 8) / 8 : u;
}

static float float_at(const unsigned char *arena, const struct vgg_view *view, size_t i)
{
    const unsigned char *at = arena + view->offset + i * vgg_type_size(view->type);
    float value;
    if (view->type == VGG_F16)
        vgg_dtype_to_f32(&value, at, VGG_DTYPE_F16, 1);
    else
        memcpy(&value, at, sizeof value);
    return value;
}

/* A half takes its largest value for what is larger and finite. */
static void float_put(unsigned char *arena, const struct vgg_view *view, size_t i, float value)
{
    unsigned char *at = arena + view->offset + i * vgg_type_size(view->type);
    if (view->type == VGG_F16) {
        uint16_t half;
        if (isfinite(value)) value = fminf(fmaxf(value, -65504.0f), 65504.0f);
        vgg_dtype_to_f16(&half, &value, 1);
        memcpy(at, &half, sizeof half);
    } else {
        memcpy(at, &value, sizeof value);
    }
}

/* In what is multiplied, added or compared; not in labels, weights of images or second moments, which are none of
 * those. A few apart from each other, so that most sums stay finite. Other denormals go: what a device flushes to 0
 * makes a NaN of an infinity. */
static void plant_wild(unsigned char *arena, const struct vgg_view *view, enum vgg_op_kind kind, enum vgg_op_view name)
{
    static const float single[] = { NAN, INFINITY, 1e-40f, -INFINITY, -1e-42f };
    static const float half[] = { NAN, INFINITY, 3e-5f, -INFINITY, -1e-7f };
    const float *wild = view->type == VGG_F16 ? half : single, least = view->type == VGG_F16 ? 0x1p-14f : 1e-37f;
    bool factors = kind == VGG_OP_CONV_BWD_WEIGHT || kind == VGG_OP_DENSE_BWD_WEIGHT; /* x alone */
    bool planted = name == VGG_OP_X || name == VGG_OP_DW || name == VGG_OP_Y || (name == VGG_OP_DY && !factors);
    bool windows = kind == VGG_OP_POOL2 || kind == VGG_OP_GMAXPOOL; /* more of them, to stand anywhere in a window */
    size_t count = vgg_view_count(view), kinds = sizeof single / sizeof *single, planting = windows ? 4 * kinds : kinds;
    for (size_t i = 0; i < count; i++) {
        const float value = float_at(arena, view, i);
        if (value != 0 && fabsf(value) < least) float_put(arena, view, i, 0.25f);
    }
    for (size_t i = 0; planted && i < planting; i++) {
        size_t at = (size_t)(mix(name, 1000003 + i) % count);
        float_put(arena, view, at, wild[i % kinds]);
    }
}

static void fill_view(unsigned char *arena, const struct vgg_op *op, const struct vgg_view *view, enum vgg_op_view name,
                      enum vgg_op_role role)
{
    size_t count = vgg_view_count(view);
    for (size_t i = 0; i < count; i++) {
        if (view->type == VGG_U8) {
            unsigned char byte = name == VGG_OP_X ? byte_of(name, i) : (unsigned char)(mix(name, i) & 3);
            arena[view->offset + i] = role == VGG_OP_WRITES ? 0xEE : byte;
        } else {
            float value = role == VGG_OP_WRITES ? NAN : value_of(op, name, i);
            float_put(arena, view, i, value);
        }
    }
}

enum vgg_status vgg_op_case_memory_init(struct vgg_op_case_memory *memory, const struct vgg_op_case *test)
{
    *memory = (struct vgg_op_case_memory) { 0 };
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        size_t size = test->arena_size[i];
        if (!size) continue;
        memory->arena[i] = malloc(size);
        if (!memory->arena[i]) {
            vgg_op_case_memory_finish(memory);
            return vgg_fail_memory(test->text, size);
        }
        fill_guards(memory->arena[i], size, i);
    }
    const struct vgg_view *view[VGG_OP_VIEW_COUNT];
    views_of(view, &test->op);
    /* Outputs first: an operation in place reads what it overwrites. */
    for (int pass = 0; pass < 2; pass++) {
        for (int name = 0; name < VGG_OP_VIEW_COUNT; name++) {
            enum vgg_op_role role = vgg_op_role(&test->op, (enum vgg_op_view)name);
            if (role == VGG_OP_ABSENT || (role == VGG_OP_WRITES) != (pass == 0)) continue;
            unsigned char *arena = memory->arena[view[name]->arena];
            fill_view(arena, &test->op, view[name], (enum vgg_op_view)name, role);
            if (test->wild && role != VGG_OP_WRITES && view[name]->type != VGG_U8)
                plant_wild(arena, view[name], test->op.kind, (enum vgg_op_view)name);
        }
    }
    if (test->infinite) {
        const float value = test->infinite % 2 ? INFINITY : -INFINITY;
        size_t at = test->op.dw.offset + (test->infinite - 1) * sizeof value;
        memcpy(memory->arena[test->op.dw.arena] + at, &value, sizeof value);
    }
    if (test->direct) {
        float *q = (float *)(void *)(memory->arena[test->op.q.arena] + test->op.q.offset);
        memset(q + VGG_QUANT_CLIP, 0, VGG_QUANT_TAPS * sizeof *q);
    }
    return VGG_OK;
}

void vgg_op_case_memory_finish(struct vgg_op_case_memory *memory)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        free(memory->arena[i]);
    *memory = (struct vgg_op_case_memory) { 0 };
}

/* ---- running ---- */

enum vgg_status vgg_op_case_run(struct vgg_backend *backend, const struct vgg_op_case *test,
                                struct vgg_op_case_memory *memory, double *seconds)
{
    enum vgg_status status = VGG_OK;
    struct vgg_list list = { .op = &test->op, .count = 1 };
    uint64_t ticket = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (!test->arena_size[i]) continue;
        CHECK(vgg_buf_create(backend, &list.arena[i], test->arena_size[i]));
        CHECK(vgg_buf_upload(list.arena[i], 0, memory->arena[i], test->arena_size[i]));
    }
    CHECK(vgg_backend_submit(backend, &list, &test->step, seconds, &ticket));
    CHECK(vgg_backend_wait(backend, ticket));
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (list.arena[i]) CHECK(vgg_buf_download(list.arena[i], 0, memory->arena[i], test->arena_size[i]));
fail:
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        vgg_buf_destroy(list.arena[i]);
    return status;
}

/* ---- the verdict ---- */

/* 0 or infinite: what a wild case asks of a result where the expected or the given one is not finite. A pool may take
 * the infinity that Winograd's tiles made of another. */
static double error_of_wild(double e, double g, const struct vgg_op *op)
{
    bool spreads = trials[op->kind].spreads, taken = op->flags & VGG_OP_POOL && g > 0;
    bool good = isnan(e) ? isnan(g) : isinf(e) ? e == g || isnan(g) || spreads : spreads && (isnan(g) || taken);
    return good ? 0 : (double)INFINITY;
}

static double error_of_floats(const unsigned char *expected, const unsigned char *got, const struct vgg_view *view,
                              const struct trial *trial, const struct vgg_op_case *test)
{
    size_t count = vgg_view_count(view), differ = 0;
    double largest = 0, worst = 0;
    for (size_t i = 0; i < count; i++) { /* not by fmax: gcc 12 fails to vectorise that for aarch64 */
        double size = fabs((double)float_at(expected, view, i));
        if (size > largest && (!test->wild || isfinite(size))) largest = size;
    }
    /* Below 1e-30 every value counts as 0: flushed denormals are no error. */
    double least = fmax(largest * trial->floor, 1e-30);
    for (size_t i = 0; i < count; i++) {
        double e = (double)float_at(expected, view, i), g = (double)float_at(got, view, i);
        double error = e == g ? 0 : fabs(g - e) / fmax(fabs(e), least);
        differ += e != g && isfinite(e) && isfinite(g);
        if (test->wild && !(isfinite(e) && isfinite(g))) error = error_of_wild(e, g, &test->op);
        if (!(error <= worst)) worst = isnan(error) ? (double)INFINITY : error;
    }
    /* Between two halves a sum may fall to either side: few do. */
    bool other_rounding = view->type == VGG_F16 && differ > count / 16 + 8;
    return other_rounding ? (double)INFINITY : worst;
}

/* most: the largest byte that may stand there. */
static double error_of_bytes(const unsigned char *expected, const unsigned char *got, const struct vgg_view *view,
                             int most)
{
    size_t count = vgg_view_count(view), differ = 0;
    for (size_t i = 0; i < count; i++) {
        if (got[view->offset + i] > most && expected[view->offset + i] <= most) return (double)INFINITY;
        differ += expected[view->offset + i] != got[view->offset + i];
    }
    return (double)differ / (double)count;
}

/* Compares what lies outside of all outputs, which no operation may change. */
static bool rest_is_same(const struct vgg_op_case *test, const struct vgg_op_case_memory *a,
                         const struct vgg_op_case_memory *b, int arena)
{
    const struct vgg_view *view[VGG_OP_VIEW_COUNT];
    views_of(view, &test->op);
    size_t at = 0, size = test->arena_size[arena];
    while (at < size) {
        /* The next output at or after `at`. */
        size_t begin = size, end = size;
        for (int name = 0; name < VGG_OP_VIEW_COUNT; name++) {
            if (!vgg_op_changes(&test->op, (enum vgg_op_view)name) || (int)view[name]->arena != arena) continue;
            if (view[name]->offset < at || view[name]->offset >= begin) continue;
            begin = view[name]->offset, end = begin + vgg_view_size(view[name]);
        }
        if (memcmp(a->arena[arena] + at, b->arena[arena] + at, begin - at) != 0) return false;
        at = end;
    }
    return true;
}

bool vgg_op_case_check(const struct vgg_op_case *test, const struct vgg_op_case_memory *expected,
                       const struct vgg_op_case_memory *got, struct vgg_op_case_error *error)
{
    const struct vgg_view *view[VGG_OP_VIEW_COUNT];
    views_of(view, &test->op);
    bool passed = true;
    *error = (struct vgg_op_case_error) { .what = "nothing" };
    for (int name = 0; name < VGG_OP_VIEW_COUNT; name++) {
        if (!vgg_op_changes(&test->op, (enum vgg_op_view)name)) continue;
        const unsigned char *e = expected->arena[view[name]->arena], *g = got->arena[view[name]->arena];
        const struct trial *trial = &trials[test->op.kind];
        bool bytes = view[name]->type == VGG_U8;
        /* Where a window has a NaN its place is left open. */
        double bound = test->op.q.n ? 0 : bytes ? test->wild ? 1 : trial->arg : trial->bound;
        if (view[name]->type == VGG_F16 && bound != 0) bound += 0x1p-10; /* the distance of two halves */
        double worst = bytes ? error_of_bytes(e, g, view[name], name == VGG_OP_ARG ? 3 : 255)
                             : error_of_floats(e, g, view[name], trial, test);
        bool good = worst <= bound;
        if (!good || (passed && worst * error->bound >= error->error * bound))
            *error = (struct vgg_op_case_error) { vgg_op_view_name((enum vgg_op_view)name), worst, bound };
        passed = passed && good;
    }
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (rest_is_same(test, expected, got, i)) continue;
        *error = (struct vgg_op_case_error) { "bytes outside of the outputs", (double)INFINITY, 0 };
        passed = false;
    }
    return passed;
}

bool vgg_op_case_same(const struct vgg_op_case *test, const struct vgg_op_case_memory *a,
                      const struct vgg_op_case_memory *b)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        if (test->arena_size[i] && memcmp(a->arena[i], b->arena[i], test->arena_size[i]) != 0) return false;
    return true;
}
