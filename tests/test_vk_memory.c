/* Cutting tensors to what one binding covers; buffers in few allocations; refusal with numbers; a kernel larger than
 * any binding. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/device.h"
#include "vk/vk_chunk.h"
#include "vk/vk_device.h"
#include "vk/vk_transfer.h"
#include "vk/vk_wino_part.h"
#include "vk_driver.h"

/* Every row is made once, in order, and what is read lies inside of the image and of one binding. */
static void check_cut(const struct vk_cut *cut, size_t range)
{
    struct vk vk = { .limits.range = range };
    struct vk_part part = { 0 };
    int image = 0, row = 0, x_h = cut->x_h > cut->h ? cut->x_h : cut->h;
    cr_assert(vk_chunk_possible(&vk, cut));
    while (vk_chunk_next(&vk, cut, &part)) {
        cr_assert_eq(part.n0, image);
        cr_assert_eq(part.y0, row);
        cr_assert(part.images >= 1 && part.rows >= 1);
        cr_assert(part.images == 1 || (part.rows == cut->h && part.y0 == 0));
        cr_assert(part.y0 % cut->quantum == 0);
        cr_assert(part.x0 >= 0 && part.x0 + part.x_rows <= x_h);
        cr_assert(part.x0 <= part.y0 && part.x0 + part.x_rows >= part.y0 + part.rows);
        cr_assert(part.y0 == 0 || part.x0 <= part.y0 - cut->halo / 2);
        cr_assert_leq((size_t)part.images * (size_t)part.x_rows * cut->row_bytes, range);
        row += part.rows;
        if (row == cut->h) {
            row = 0;
            image += part.images;
        }
    }
    cr_assert_eq(image, cut->n);
    cr_assert_eq(row, 0);
}

Test(vk_memory, parts_cover_every_row_once)
{
    static const size_t ranges[] = { 1000, 1700, 5000, 64000, 1 << 20 };
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        for (int n = 1; n < 9; n += 3) {
            for (int h = 1; h < 40; h += 5) {
                struct vk_cut cut = { .n = n, .h = h, .row_bytes = 100, .halo = 2, .quantum = 1, .images = 1 };
                check_cut(&cut, ranges[r]);
                cut.most_rows = 7;
                check_cut(&cut, ranges[r]);
                struct vk_cut pool = {
                    .n = n, .h = 2 * h, .x_h = 2 * h + 1, .row_bytes = 100, .halo = 2, .quantum = 2
                };
                check_cut(&pool, ranges[r]);
            }
        }
    }
}

Test(vk_memory, rows_of_tiles_are_those_that_scratch_and_workgroups_hold)
{
    struct vk vk = { .limits = { .scratch = 1 << 20, .groups = 20 } };
    const struct vk_wino_layout row = { .u = 3 << 16, .v = 3 << 12, .m = 5 << 12 };
    cr_expect_eq(vk_wino_rows(&vk, row, 9, 8), ((1u << 20) / 16 * 15 - row.u) / (row.v + row.m));
    cr_expect_eq(vk_wino_rows(&vk, row, 33, 8), 160u / 9);
    cr_expect_eq(vk_wino_rows(&vk, row, 33, 4), 80u / 9);
    vk.limits.scratch = 3 << 16;
    cr_expect_eq(vk_wino_rows(&vk, row, 9, 8), 0u);
}

static struct vk *open_device(void)
{
    struct vk *vk;
    cr_assert_eq(vk_device_open(&vk, -1, false), VGG_OK);
    return vk;
}

Test(vk_memory, small_buffers_share_one_allocation)
{
    vk_driver_lavapipe();
    struct vk *vk = open_device();
    struct vk_buf *buf[64];
    for (size_t i = 0; i < 64; i++)
        cr_assert_eq(vk_mem_create(vk, &buf[i], 1000 * i, VK_MEM_DEVICE), VGG_OK);
    cr_expect_eq(vk_mem_block_count(vk), 1);
    for (size_t i = 0; i < 64; i += 2)
        vk_mem_destroy(vk, buf[i]);
    for (size_t i = 0; i < 64; i += 2)
        cr_assert_eq(vk_mem_create(vk, &buf[i], 900 * i, VK_MEM_DEVICE), VGG_OK);
    cr_expect_eq(vk_mem_block_count(vk), 1);
    for (size_t i = 0; i < 64; i++) {
        for (size_t k = 0; k < i; k++) {
            cr_expect(buf[i]->offset + buf[i]->size <= buf[k]->offset ||
                      buf[k]->offset + buf[k]->size <= buf[i]->offset);
        }
    }
    for (size_t i = 0; i < 64; i++)
        vk_mem_destroy(vk, buf[i]);
    cr_expect_eq(vk_mem_block_count(vk), 0);
    vk_device_close(vk);
}

static char last_error[512];

static void on_log(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    if (level == VGG_LOG_ERROR) strncpy(last_error, line, sizeof last_error - 1);
}

Test(vk_memory, refusal_names_the_numbers)
{
    vk_driver_lavapipe();
    struct vk *vk = open_device();
    struct vk_buf *buf;
    vgg_log_set(on_log, NULL, VGG_LOG_ERROR);
    cr_expect_eq(vk_mem_create(vk, &buf, (size_t)1 << 40, VK_MEM_DEVICE), VGG_ERR_MEMORY);
    cr_expect_null(buf);
    cr_expect(strstr(last_error, "1048576 MiB"), "%s", last_error);
    vgg_log_set(NULL, NULL, VGG_LOG_WARNING);
    vk_device_close(vk);
}

/* Round trips through staging, in pieces and at odd offsets. */
static void round_trip(void)
{
    struct vk *vk = open_device();
    struct vk_buf *buf;
    size_t size = ((size_t)40 << 20) + 12;
    unsigned char *sent = malloc(size), *back = malloc(size);
    cr_assert(sent && back);
    for (size_t i = 0; i < size; i++)
        sent[i] = (unsigned char)(i * 2654435761u >> 13);
    cr_assert_eq(vk_mem_create(vk, &buf, size + 4096, VK_MEM_DEVICE), VGG_OK);
    cr_assert_eq(vk_mem_zero(vk, buf), VGG_OK);
    cr_assert_eq(vk_mem_upload(vk, buf, 1028, sent, size), VGG_OK);
    cr_assert_eq(vk_mem_download(vk, buf, 1028, back, size), VGG_OK);
    cr_expect_eq(memcmp(sent, back, size), 0);
    cr_assert_eq(vk_mem_download(vk, buf, 1024, back, 4), VGG_OK);
    cr_expect_eq(memcmp(back, "\0\0\0\0", 4), 0);
    vk_mem_destroy(vk, buf);
    vk_device_close(vk);
    free(sent);
    free(back);
}

Test(vk_memory, round_trip_mapped)
{
    vk_driver_lavapipe();
    round_trip();
}

Test(vk_memory, round_trip_staged)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_STAGING", "1", 1);
    round_trip();
}

/* fc1 of VGG16: a kernel of 411 MB where a binding covers 128 MiB. One row in each part is not zero. */
Test(vk_memory, kernel_larger_than_a_binding)
{
    enum { IN = 25088, OUT = 4096 };
    static const int rows[] = { 0, 8191, 8192, 20000, IN - 1 };
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_backend *backend;
    static float x[IN], row[OUT], y[OUT];
    vk_driver_lavapipe();
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    size_t kernel = (size_t)IN * OUT * 4;
    struct vgg_op op = { .kind = VGG_OP_DENSE };
    op.w = (struct vgg_view) { .arena = VGG_ARENA_PARAM, .n = 1, .h = 1, .w = IN, .c = OUT };
    op.b = (struct vgg_view) { .arena = VGG_ARENA_PARAM, .offset = kernel, .n = 1, .h = 1, .w = 1, .c = OUT };
    op.x = (struct vgg_view) { .arena = VGG_ARENA_ACT, .n = 1, .h = 7, .w = 7, .c = 512 };
    op.y = (struct vgg_view) { .arena = VGG_ARENA_ACT, .offset = (size_t)IN * 4, .n = 1, .h = 1, .w = 1, .c = OUT };
    struct vgg_list list = { .op = &op, .count = 1 };
    cr_assert_eq(vgg_buf_create(backend, &list.arena[VGG_ARENA_PARAM], kernel + OUT * 4), VGG_OK);
    cr_assert_eq(vgg_buf_create(backend, &list.arena[VGG_ARENA_ACT], (IN + OUT) * 4), VGG_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int k = 0; k < OUT; k++)
            row[k] = (float)((int)(i + 1) * (k % 7));
        cr_assert_eq(vgg_buf_upload(list.arena[VGG_ARENA_PARAM], (size_t)rows[i] * OUT * 4, row, sizeof row), VGG_OK);
    }
    for (int i = 0; i < IN; i++)
        x[i] = 1;
    cr_assert_eq(vgg_buf_upload(list.arena[VGG_ARENA_ACT], 0, x, sizeof x), VGG_OK);
    cr_assert_eq(vgg_backend_run(backend, &list, &(struct vgg_step) { 0 }), VGG_OK);
    cr_assert_eq(vgg_buf_download(list.arena[VGG_ARENA_ACT], IN * 4, y, sizeof y), VGG_OK);
    for (int k = 0; k < OUT; k++)
        cr_assert_float_eq(y[k], 15.0f * (float)(k % 7), 1e-3f);
    vgg_buf_destroy(list.arena[VGG_ARENA_PARAM]);
    vgg_buf_destroy(list.arena[VGG_ARENA_ACT]);
    vgg_backend_close(backend);
}
