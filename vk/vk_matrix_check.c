#include "vk/vk_matrix_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_cache.h"
#include "vk/vk_tile.h"

/* Channels that fill some fragments and end within a tile; a map of odd sides, with a halo around it. */
enum { HEIGHT = 7, WIDTH = 9, INPUTS = 96, OUTPUTS = 72, IMAGES = 5, FEATURES = 160 };
enum { OPS = 6 };

/* The same work on the same values: one buffer for each arena that the operations name. */
struct trial {
    struct vgg_op op[OPS];
    size_t size[VGG_ARENA_COUNT];
    float *input[VGG_ARENA_COUNT], *expected, *got; /* of the activations and gradients one after the other */
    struct vgg_buf *buf[VGG_ARENA_COUNT];
};

static struct vgg_view place(struct trial *trial, enum vgg_arena arena, int n, int h, int w, int c)
{
    size_t *size = &trial->size[arena];
    struct vgg_view view = { .offset = *size, .arena = arena, .type = VGG_F32, .n = n, .h = h, .w = w, .c = c };
    *size += (vgg_view_size(&view) + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
    return view;
}

static void place_all(struct trial *trial)
{
    struct vgg_view x = place(trial, VGG_ARENA_ACT, 1, HEIGHT, WIDTH, INPUTS);
    struct vgg_view y = place(trial, VGG_ARENA_ACT, 1, HEIGHT, WIDTH, OUTPUTS);
    struct vgg_view dy = place(trial, VGG_ARENA_ACT, 1, HEIGHT, WIDTH, OUTPUTS);
    struct vgg_view dx = place(trial, VGG_ARENA_ACT, 1, HEIGHT, WIDTH, INPUTS);
    struct vgg_view w = place(trial, VGG_ARENA_PARAM, 3, 3, INPUTS, OUTPUTS);
    struct vgg_view b = place(trial, VGG_ARENA_PARAM, 1, 1, 1, OUTPUTS);
    struct vgg_view dw = place(trial, VGG_ARENA_GRAD, 3, 3, INPUTS, OUTPUTS);
    struct vgg_view db = place(trial, VGG_ARENA_GRAD, 1, 1, 1, OUTPUTS);
    trial->op[0] = (struct vgg_op) { .kind = VGG_OP_CONV, .x = x, .y = y, .w = w, .b = b };
    trial->op[1] = (struct vgg_op) { .kind = VGG_OP_CONV_BWD_DATA, .dx = dx, .dy = dy, .w = w };
    trial->op[2] = (struct vgg_op) { .kind = VGG_OP_CONV_BWD_WEIGHT, .x = x, .dy = dy, .dw = dw, .db = db };
    x = place(trial, VGG_ARENA_ACT, IMAGES, 1, 1, FEATURES);
    y = place(trial, VGG_ARENA_ACT, IMAGES, 1, 1, OUTPUTS);
    dy = place(trial, VGG_ARENA_ACT, IMAGES, 1, 1, OUTPUTS);
    dx = place(trial, VGG_ARENA_ACT, IMAGES, 1, 1, FEATURES);
    w = place(trial, VGG_ARENA_PARAM, 1, 1, FEATURES, OUTPUTS);
    b = place(trial, VGG_ARENA_PARAM, 1, 1, 1, OUTPUTS);
    dw = place(trial, VGG_ARENA_GRAD, 1, 1, FEATURES, OUTPUTS);
    db = place(trial, VGG_ARENA_GRAD, 1, 1, 1, OUTPUTS);
    trial->op[3] = (struct vgg_op) { .kind = VGG_OP_DENSE, .x = x, .y = y, .w = w, .b = b };
    trial->op[4] = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_DATA, .dx = dx, .dy = dy, .w = w };
    trial->op[5] = (struct vgg_op) { .kind = VGG_OP_DENSE_BWD_WEIGHT, .x = x, .dy = dy, .dw = dw, .db = db };
}

/* Mostly positive values, so that a conversion that cuts digits off is seen in the sums, and of more digits than fp16
 * has. */
static void fill(float *value, size_t count, uint32_t seed)
{
    uint32_t state = seed;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        value[i] = (float)(state >> 8) * 0x1p-23f - 0.5f;
    }
}

static size_t results_size(const struct trial *trial)
{
    return trial->size[VGG_ARENA_ACT] + trial->size[VGG_ARENA_GRAD];
}

static enum vgg_status trial_init(struct trial *trial, struct vk *vk)
{
    enum vgg_status status = VGG_OK;
    *trial = (struct trial) { 0 };
    place_all(trial);
    trial->expected = vgg_mem_calloc(1, results_size(trial));
    trial->got = vgg_mem_calloc(1, results_size(trial));
    if (!trial->expected || !trial->got) CHECK(vgg_fail_memory("a check of matrix cores", results_size(trial)));
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        if (!trial->size[i]) continue;
        trial->input[i] = vgg_mem_calloc(1, trial->size[i]);
        if (!trial->input[i]) CHECK(vgg_fail_memory("a check of matrix cores", trial->size[i]));
        fill(trial->input[i], trial->size[i] / sizeof(float), (uint32_t)i + 1);
        CHECK(vgg_buf_create(&vk->base, &trial->buf[i], trial->size[i]));
    }
fail:
    return status;
}

static void trial_finish(struct trial *trial)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        vgg_buf_destroy(trial->buf[i]);
        free(trial->input[i]);
    }
    free(trial->expected);
    free(trial->got);
}

static enum vgg_status run(struct vk *vk, struct trial *trial, float *out)
{
    enum vgg_status status = VGG_OK;
    struct vgg_list list = { .op = trial->op, .count = OPS };
    const struct vgg_step step = { .loss_scale = 1 };
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        list.arena[i] = trial->buf[i];
        if (trial->buf[i]) CHECK(vgg_buf_upload(trial->buf[i], 0, trial->input[i], trial->size[i]));
    }
    CHECK(vgg_backend_run(&vk->base, &list, &step));
    size_t act = trial->size[VGG_ARENA_ACT];
    CHECK(vgg_buf_download(trial->buf[VGG_ARENA_ACT], 0, out, act));
    CHECK(vgg_buf_download(trial->buf[VGG_ARENA_GRAD], 0, out + act / sizeof(float), trial->size[VGG_ARENA_GRAD]));
fail:
    return status;
}

/* The worst difference in any result, of that result's largest value; infinite for what is no number. */
static double difference(const struct trial *trial)
{
    double worst = 0;
    for (int i = 0; i < OPS; i++) {
        const struct vgg_op *op = &trial->op[i];
        const struct vgg_view *view = op->y.n ? &op->y : op->dx.n ? &op->dx : &op->dw;
        size_t first = view->offset + (view->arena == VGG_ARENA_GRAD ? trial->size[VGG_ARENA_ACT] : 0);
        const float *a = trial->expected + first / sizeof(float), *b = trial->got + first / sizeof(float);
        double largest = 0, apart = 0;
        for (size_t k = 0; k < vgg_view_count(view); k++) {
            double error = fabs((double)a[k] - (double)b[k]);
            if (!(error <= apart)) apart = isnan(error) ? (double)INFINITY : error;
            if (fabs((double)a[k]) > largest) largest = fabs((double)a[k]);
        }
        if (!(apart / largest <= worst)) worst = apart / largest;
    }
    return worst;
}

/* As the tests allow of any two ways to add so many products in fp32; cut digits make ten times as much. */
static const double BOUND = 2e-5;

/* The worst difference over all tiles. */
static enum vgg_status try_tiles(struct vk *vk, struct trial *trial, double *worst)
{
    static const int tiles[] = { VK_TILE_LARGEST, VK_TILE_NARROW, VK_TILE_THIN }; /* one for each of matrices */
    enum vgg_status status = VGG_OK;
    int tile = vk->limits.tile;
    *worst = 0;
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles && *worst <= BOUND; i++) {
        vk->limits.tile = tiles[i];
        status = run(vk, trial, trial->got);
        vk->limits.tile = tile;
        if (status != VGG_OK) return status;
        double now = difference(trial);
        if (!(now <= *worst)) *worst = now;
    }
    return status;
}

enum { GOOD = 'g', BITS = 'b', WRONG = 'w' };

static enum vgg_status judge(struct vk *vk, char *verdict)
{
    enum vgg_status status;
    struct trial trial;
    double worst = 0;
    CHECK(trial_init(&trial, vk));
    vk->matrix = false;
    status = run(vk, &trial, trial.expected);
    vk->matrix = true;
    CHECK(status);
    CHECK(try_tiles(vk, &trial, &worst));
    *verdict = GOOD;
    if (worst <= BOUND || !vk->matrix) goto fail; /* judged, or refused */
    vgg_log(VGG_LOG_DEBUG, "%s: matrix cores differ by %g; rounding by the bits", vk->base.device.name, worst);
    vk->matrix_bits = true;
    CHECK(try_tiles(vk, &trial, &worst));
    vk->matrix_bits = false;
    *verdict = worst <= BOUND ? BITS : WRONG;
fail:
    trial_finish(&trial);
    return status;
}

enum vgg_status vk_matrix_check(struct vk *vk)
{
    char verdict = vk_cache_verdict(vk);
    if (!verdict) {
        enum vgg_status status = judge(vk, &verdict);
        if (status != VGG_OK) return status;
        if (vk->matrix) vk_cache_keep_verdict(vk, verdict); /* what it refuses, it says anew */
    }
    vk->matrix_bits = verdict == BITS;
    if (verdict == WRONG) {
        vk->matrix = false;
        vgg_log(
            VGG_LOG_WARNING,
            "%s: its matrix cores compute something else than fp32 arithmetic on the same operands; fp16 is computed "
            "without them; update the driver (%s)",
            vk->gpu.properties.deviceName, vk->gpu.driver);
    }
    return VGG_OK;
}
