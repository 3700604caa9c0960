/* A list is recorded once and replayed; on a GPU that is much slower than it was taken for it is cut into shorter
 * submissions, with the same result. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/device.h"
#include "vk/vk_rec.h"
#include "vk_driver.h"

enum { SIDE = 28, C = 128, MAP = SIDE * SIDE * C, KERNEL = 9 * C * C, RUNS = 6 };

struct work {
    struct vgg_backend *backend;
    struct vgg_op op;
    struct vgg_list list;
};

static void start(struct work *work)
{
    static float x[MAP], w[KERNEL + C];
    const struct vgg_engine_options options = { .backend = "vulkan", .conv = "direct" };
    for (int i = 0; i < MAP; i++)
        x[i] = (float)(i % 13) - 6.0f;
    for (int i = 0; i < KERNEL + C; i++)
        w[i] = (float)(i % 7) * 0.01f - 0.03f;
    cr_assert_eq(vgg_backend_open(&work->backend, &options), VGG_OK);
    work->op = (struct vgg_op) { .kind = VGG_OP_CONV, .flags = VGG_OP_RELU };
    work->op.w = (struct vgg_view) { .arena = VGG_ARENA_PARAM, .n = 3, .h = 3, .w = C, .c = C };
    work->op.b = (struct vgg_view) { .arena = VGG_ARENA_PARAM, .offset = 4 * KERNEL, .n = 1, .h = 1, .w = 1, .c = C };
    work->op.x = (struct vgg_view) { .arena = VGG_ARENA_ACT, .n = 1, .h = SIDE, .w = SIDE, .c = C };
    work->op.y = work->op.x;
    work->op.y.offset = 4 * MAP;
    work->list = (struct vgg_list) { .op = &work->op, .count = 1, .key = vgg_backend_key(work->backend) };
    cr_assert_eq(vgg_buf_create(work->backend, &work->list.arena[VGG_ARENA_PARAM], sizeof w), VGG_OK);
    cr_assert_eq(vgg_buf_create(work->backend, &work->list.arena[VGG_ARENA_ACT], 8 * MAP), VGG_OK);
    cr_assert_eq(vgg_buf_upload(work->list.arena[VGG_ARENA_PARAM], 0, w, sizeof w), VGG_OK);
    cr_assert_eq(vgg_buf_upload(work->list.arena[VGG_ARENA_ACT], 0, x, sizeof x), VGG_OK);
}

/* The recording that served a run. */
static const struct vk_rec *run(struct work *work, float *y)
{
    cr_assert_eq(vgg_backend_run(work->backend, &work->list, &(struct vgg_step) { 0 }), VGG_OK);
    cr_assert_eq(vgg_buf_download(work->list.arena[VGG_ARENA_ACT], 4 * MAP, y, 4 * MAP), VGG_OK);
    struct vk *vk = (struct vk *)work->backend;
    const struct vk_rec *rec = vk_rec_find(vk, work->list.key);
    cr_assert(rec);
    return rec;
}

static void stop(struct work *work)
{
    vgg_buf_destroy(work->list.arena[VGG_ARENA_PARAM]);
    vgg_buf_destroy(work->list.arena[VGG_ARENA_ACT]);
    vgg_backend_close(work->backend);
}

Test(vk_record, once_and_replayed)
{
    static float first[MAP], y[MAP];
    struct work work;
    vk_driver_lavapipe();
    start(&work);
    const struct vk_rec *rec = run(&work, first);
    for (int i = 1; i < RUNS; i++) {
        cr_expect_eq(run(&work, y), rec);
        cr_expect_eq(memcmp(first, y, sizeof y), 0);
    }
    stop(&work);
}

Test(vk_record, cut_anew_for_a_slow_gpu)
{
    static float first[MAP], y[MAP];
    struct work work;
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", "discrete", 1); /* is taken for forty times as fast as it is */
    start(&work);
    const struct vk_rec *rec = run(&work, first);
    double guess = rec->cut_rate;
    int replays = 0;
    for (int i = 0; i < 5 * RUNS && replays < 2;
         i++) { /* lavapipe compiles in the first run, which makes it slower yet */
        const struct vk_rec *before = rec;
        rec = run(&work, y);
        replays = rec == before ? replays + 1 : 0;
        cr_expect_eq(memcmp(first, y, sizeof y), 0);
    }
    cr_expect_eq(replays, 2, "it never settles");
    cr_expect_lt(rec->cut_rate, guess / 4);
    stop(&work);
}
