/* Sums of values on the host, with the bits that the device's own additions have. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/net_store.h"

enum { HARD = 28, PAIRS = HARD * HARD };

static float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

static void add_exactly(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* A sum that is too small for a normal number is exact, so that it makes no difference when it is found to be so. */
static void add_flushed(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = flushed(flushed(y[i]) + flushed(x[i]));
}

static enum vgg_status add_on_device(struct vgg_net_sum *sum, float *y, const float *x, size_t n)
{
    enum vgg_status status;
    struct vgg_op op = { .kind = VGG_OP_ADD };
    struct vgg_list list = { .op = &op, .count = 1 };
    op.y = (struct vgg_view) { 0, VGG_ARENA_GRAD, VGG_F32, 1, 1, 1, (int)n };
    op.x = (struct vgg_view) { 0, VGG_ARENA_SUM, VGG_F32, 1, 1, 1, (int)n };
    list.arena[VGG_ARENA_GRAD] = sum->term[0];
    list.arena[VGG_ARENA_SUM] = sum->term[1];
    CHECK(vgg_buf_upload(sum->term[0], 0, y, n * sizeof *y));
    CHECK(vgg_buf_upload(sum->term[1], 0, x, n * sizeof *x));
    CHECK(vgg_backend_run(sum->term[0]->backend, &list, &(struct vgg_step) { 0 }));
    CHECK(vgg_buf_download(sum->term[0], 0, y, n * sizeof *y));
fail:
    return status;
}

/* ---- which way ---- */

/* Where additions can differ: zeros, denormal values and sums, ties of rounding, the largest numbers. */
static float hard(int i)
{
    static const uint32_t bits[HARD / 2] = {
        0x00000000, 0x00000001, 0x00400003, 0x007fffff, /* 0, denormal values */
        0x00800000, 0x00800001, 0x00c00000, 0x01000001, /* the smallest normal ones */
        0x33800000, 0x34000000, 0x3f800000, 0x3f800001, /* 2^-24, 2^-23, 1 and its neighbour */
        0x4b7fffff, 0x7f7fffff,                         /* 2^24 - 1, the largest */
    };
    float x;
    uint32_t own = bits[i / 2] | (uint32_t)(i % 2) << 31;
    memcpy(&x, &own, sizeof x);
    return x;
}

static bool agrees(const float *sums, void (*add)(float *restrict, const float *restrict, size_t))
{
    for (int i = 0; i < PAIRS; i++) {
        float y = hard(i / HARD), x = hard(i % HARD);
        add(&y, &x, 1);
        if (memcmp(&y, &sums[i], sizeof y) != 0) return false;
    }
    return true;
}

enum vgg_status vgg_net_sum_init(struct vgg_net_sum *sum, struct vgg_backend *backend, size_t most)
{
    enum vgg_status status = VGG_OK;
    float y[PAIRS], x[PAIRS];
    size_t size = (most > PAIRS ? most : PAIRS) * sizeof(float);
    for (int i = 0; i < PAIRS; i++)
        y[i] = hard(i / HARD), x[i] = hard(i % HARD);
    for (int i = 0; i < 2; i++)
        CHECK(vgg_buf_create(backend, &sum->term[i], size));
    CHECK(add_on_device(sum, y, x, PAIRS));
    sum->way = agrees(y, add_exactly)   ? VGG_NET_SUM_EXACT
               : agrees(y, add_flushed) ? VGG_NET_SUM_FLUSHED
                                        : VGG_NET_SUM_DEVICE;
    if (sum->way != VGG_NET_SUM_DEVICE) vgg_net_sum_finish(sum);
fail:
    return status;
}

void vgg_net_sum_finish(struct vgg_net_sum *sum)
{
    for (int i = 0; i < 2; i++) {
        vgg_buf_destroy(sum->term[i]);
        sum->term[i] = NULL;
    }
}

enum vgg_status vgg_net_sum_add(struct vgg_net_sum *sum, float *y, const float *x, size_t n)
{
    if (n == 0) return VGG_OK;
    switch (sum->way) {
    case VGG_NET_SUM_EXACT: add_exactly(y, x, n); break;
    case VGG_NET_SUM_FLUSHED: add_flushed(y, x, n); break;
    case VGG_NET_SUM_DEVICE: return add_on_device(sum, y, x, n);
    }
    return VGG_OK;
}
