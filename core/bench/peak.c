#include "core/bench/peak.h"

#include "core/base/clock.h"

/* Runs of this many seconds: starting one costs nothing then. */
static const double long_enough = 0.02, too_long = 0.5;
/* The best of so many runs, and of as many more as take `patience` seconds. llvmpipe ends loops after 65535 turns. */
static const double patience = 0.25;
enum { RUNS = 6, MOST_ROUNDS = 1 << 15 };

/* Seconds of one operation that works on one arena. */
static enum vgg_status run(double *seconds, struct vgg_backend *backend, struct vgg_buf *buf, const struct vgg_op *op)
{
    const struct vgg_list list = { .op = op, .count = 1, .arena[VGG_ARENA_ACT] = buf };
    const struct vgg_step step = { .loss_scale = 1 };
    double begin = vgg_clock_seconds();
    enum vgg_status status = vgg_backend_run(backend, &list, &step);
    *seconds = vgg_clock_seconds() - begin;
    return status;
}

/* The shortest of several runs after one that warms up. */
static enum vgg_status fastest(double *best, struct vgg_backend *backend, struct vgg_buf *buf, const struct vgg_op *op)
{
    double begin = vgg_clock_seconds(), seconds;
    enum vgg_status status = run(best, backend, buf, op);
    for (int i = 0; status == VGG_OK && (i < RUNS || vgg_clock_seconds() - begin < patience); i++) {
        status = run(&seconds, backend, buf, op);
        if (i == 0 || seconds < *best) *best = seconds;
    }
    return status;
}

/* Doubles the rounds until a run is long and more rounds bring no more: reading and writing the values no longer
 * shows. */
static enum vgg_status settle_rounds(struct vgg_backend *backend, struct vgg_buf *buf, struct vgg_op *op)
{
    double seconds, rate = 0;
    enum vgg_status status = run(&seconds, backend, buf, op);
    for (; status == VGG_OK; op->rounds *= 2) {
        status = run(&seconds, backend, buf, op);
        double now = vgg_op_flops(op) / seconds;
        bool settled = seconds >= long_enough && now < 1.05 * rate;
        if (settled || seconds >= too_long || op->rounds >= MOST_ROUNDS) break;
        rate = now;
    }
    return status;
}

enum vgg_status vgg_bench_peak(struct vgg_backend *backend, double *flops)
{
    /* Pieces of the CPU's loops and workgroups of a GPU fill this evenly; the same for every thread. */
    enum { UNIT = 3 * 16384, UNITS = 64 };
    int threads = backend->device.threads > 0 ? backend->device.threads : 1;
    int units = (UNITS + threads - 1) / threads * threads;
    struct vgg_op op = { .kind = VGG_OP_FMA, .rounds = 64 };
    op.x = op.y = (struct vgg_view) { .arena = VGG_ARENA_ACT, .n = 1, .h = 1, .w = units, .c = UNIT };
    struct vgg_buf *buf;
    double seconds;
    enum vgg_status status = vgg_buf_create(backend, &buf, vgg_view_size(&op.x));
    if (status == VGG_OK) status = settle_rounds(backend, buf, &op);
    if (status == VGG_OK) status = fastest(&seconds, backend, buf, &op);
    if (status == VGG_OK) *flops = vgg_op_flops(&op) / seconds;
    vgg_buf_destroy(buf);
    return status;
}

enum vgg_status vgg_bench_bandwidth(struct vgg_backend *backend, double *bytes)
{
    size_t size = (size_t)128 << 20;
    while (backend->device.memory && size > backend->device.memory / 8 && size > (size_t)1 << 20)
        size /= 2;
    struct vgg_op update = { .kind = VGG_OP_SGD }, fill = { .kind = VGG_OP_ZERO };
    update.w = (struct vgg_view) { .arena = VGG_ARENA_ACT, .n = 1, .h = 1, .w = 1, .c = (int)(size / sizeof(float)) };
    update.dw = fill.y = update.w;
    update.dw.offset = fill.y.offset = size;
    struct vgg_buf *buf;
    double sweep, fast;
    enum vgg_status status = vgg_buf_create(backend, &buf, 2 * size);
    if (status == VGG_OK) status = fastest(&sweep, backend, buf, &update);
    if (status == VGG_OK) status = fastest(&fast, backend, buf, &fill);
    if (status == VGG_OK) {
        double by_update = vgg_op_bytes(&update) / sweep, by_fill = vgg_op_bytes(&fill) / fast;
        *bytes = by_update > by_fill ? by_update : by_fill;
    }
    vgg_buf_destroy(buf);
    return status;
}
