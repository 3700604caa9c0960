/* bench_cpu.c: convolutions and dense layers of a VGG network on the CPU backend, layer by layer and pass by pass:
 * median and spread of the time, GFLOP/s and the share of the measured peak of fused multiply-adds. Variants are run
 * alternately, so that their ratios hold on a machine whose speed drifts. */
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arch/arch.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/bench/peak.h"
#include "core/bench/stats.h"
#include "core/engine/device.h"
#include "core/op/backend.h"

enum { MAX_VARIANTS = 4, MAX_REPEATS = 1000 };

/* Indices of the passes; a bit each in options. */
enum pass { FORWARD, DATA, WEIGHT, PASSES };
static const char *const pass_name[PASSES] = { "forward", "data", "weight" };

struct options {
    const char *arch, *layer;
    char *variant[MAX_VARIANTS]; /* ISA level, or ISA:CONV as in struct vgg_engine_options */
    int variants, threads, height, width, batch, repeats;
    unsigned passes;
    bool fresh; /* weights count as changed before each run, as in training */
};

/* One operation on buffers of one backend. */
struct bench {
    struct vgg_backend *backend;
    struct vgg_buf *arena[VGG_ARENA_COUNT];
    struct vgg_op op;
    double seconds[MAX_REPEATS];
};

static struct vgg_view view_at(size_t *end, enum vgg_arena arena, enum vgg_type type, int n, int h, int w, int c)
{
    struct vgg_view view = { .offset = *end, .arena = arena, .type = type, .n = n, .h = h, .w = w, .c = c };
    *end += (vgg_view_size(&view) + VGG_VIEW_ALIGN - 1) / VGG_VIEW_ALIGN * VGG_VIEW_ALIGN;
    return view;
}

/* The operation of one layer and pass, and the sizes of the arenas that it needs. */
static struct vgg_op op_of(size_t size[VGG_ARENA_COUNT], const struct vgg_arch *arch, int index, enum pass pass, int n)
{
    const struct vgg_layer *layer = &arch->layer[index];
    bool conv = layer->kind == VGG_LAYER_CONV;
    bool pool = conv && index + 1 < arch->count && arch->layer[index + 1].kind == VGG_LAYER_MAXPOOL;
    int h, w, c, out = layer->c, oh = layer->h, ow = layer->w;
    vgg_arch_shape(arch, index - 1, &h, &w, &c);
    struct vgg_op op = { .layer = index };
    memset(size, 0, VGG_ARENA_COUNT * sizeof *size);
    struct vgg_view weight = view_at(&size[VGG_ARENA_PARAM], VGG_ARENA_PARAM, VGG_F32, layer->kernel.n, layer->kernel.h,
                                     layer->kernel.w, layer->kernel.c);
    struct vgg_view bias = view_at(&size[VGG_ARENA_PARAM], VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, out);
    struct vgg_view x = view_at(&size[VGG_ARENA_ACT], VGG_ARENA_ACT, VGG_F32, n, h, w, c);
    struct vgg_view dy = view_at(&size[VGG_ARENA_ACT], VGG_ARENA_ACT, VGG_F32, n, oh, ow, out);
    switch (pass) {
    case FORWARD:
        op.kind = conv ? VGG_OP_CONV : VGG_OP_DENSE;
        op.flags = VGG_OP_RELU | (pool ? VGG_OP_POOL : 0);
        op.x = x, op.w = weight, op.b = bias, op.y = dy;
        if (pool) op.y.h /= 2, op.y.w /= 2;
        break;
    case DATA:
        op.kind = conv ? VGG_OP_CONV_BWD_DATA : VGG_OP_DENSE_BWD_DATA;
        op.flags = VGG_OP_RELU;
        op.w = weight, op.dy = dy, op.x = x;
        op.dx = view_at(&size[VGG_ARENA_ACT], VGG_ARENA_ACT, VGG_F32, n, h, w, c);
        break;
    default:
        op.kind = conv ? VGG_OP_CONV_BWD_WEIGHT : VGG_OP_DENSE_BWD_WEIGHT;
        op.x = x, op.dy = dy, op.dw = weight, op.db = bias;
        op.dw.arena = op.db.arena = VGG_ARENA_GRAD;
        size[VGG_ARENA_GRAD] = size[VGG_ARENA_PARAM];
        break;
    }
    return op;
}

/* The same 64 Ki random numbers again and again. */
static enum vgg_status buffer_fill(struct vgg_buf *buf, size_t size, float scale)
{
    static float data[1 << 16];
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        data[i] = (vgg_rng_uniform(1, VGG_RNG_INIT, 0, i) - 0.5f) * scale;
    enum vgg_status status = VGG_OK;
    for (size_t at = 0; at < size && status == VGG_OK; at += sizeof data)
        status = vgg_buf_upload(buf, at, data, size - at < sizeof data ? size - at : sizeof data);
    return status;
}

static enum vgg_status bench_run(struct bench *b, const struct options *o, int repeat)
{
    struct vgg_list list = { .op = &b->op, .count = 1 };
    memcpy(list.arena, b->arena, sizeof list.arena);
    struct vgg_step step = { .loss_scale = 1 };
    uint64_t ticket;
    enum vgg_status status = VGG_OK;
    float zero = 0;
    if (o->fresh && b->op.w.n) status = vgg_buf_upload(b->arena[VGG_ARENA_PARAM], b->op.w.offset, &zero, sizeof zero);
    double begin = vgg_clock_seconds();
    if (status == VGG_OK) status = vgg_backend_submit(b->backend, &list, &step, NULL, &ticket);
    if (status == VGG_OK) status = vgg_backend_wait(b->backend, ticket);
    b->seconds[repeat] = vgg_clock_seconds() - begin;
    return status;
}

/* Measures one layer and pass on all variants; *total gains the medians. */
static enum vgg_status layer_measure(struct vgg_backend *const *backend, const struct options *o,
                                     const struct vgg_arch *arch, int index, enum pass pass, const double *peak,
                                     double *total)
{
    enum vgg_status status = VGG_OK;
    static struct bench bench[MAX_VARIANTS];
    double medians[MAX_VARIANTS] = { 0 };
    memset(bench, 0, sizeof bench);
    for (int v = 0; v < o->variants; v++) {
        struct bench *b = &bench[v];
        size_t size[VGG_ARENA_COUNT];
        b->backend = backend[v];
        b->op = op_of(size, arch, index, pass, o->batch);
        for (int a = 0; a < VGG_ARENA_COUNT; a++)
            if (size[a]) {
                CHECK(vgg_buf_create(b->backend, &b->arena[a], size[a]));
                CHECK(buffer_fill(b->arena[a], size[a], a == VGG_ARENA_ACT ? 2.0f : 0.1f));
            }
        CHECK(bench_run(b, o, 0));
    }
    for (int r = 0; r < o->repeats; r++)
        for (int v = 0; v < o->variants; v++)
            CHECK(bench_run(&bench[v], o, r));
    printf("%-13s %-8s", arch->layer[index].name, pass_name[pass]);
    for (int v = 0; v < o->variants; v++) {
        struct vgg_bench_time time = vgg_bench_stats(bench[v].seconds, o->repeats);
        double rate = vgg_op_flops(&bench[v].op) / time.median;
        printf(" | %9.3f ms %5.1f%% %7.1f GF/s %5.1f%%", 1e3 * time.median, 100 * vgg_bench_spread(&time), 1e-9 * rate,
               100 * rate / peak[v]);
        medians[v] = time.median;
        total[v] += time.median;
    }
    if (o->variants > 1) printf(" | %5.2fx", medians[0] / medians[1]);
    putchar('\n');
    fflush(stdout);
fail:
    for (int v = 0; v < o->variants; v++)
        for (int a = 0; a < VGG_ARENA_COUNT; a++)
            vgg_buf_destroy(bench[v].arena[a]);
    return status;
}

static enum vgg_status all_measure(const struct options *o)
{
    static struct vgg_arch arch;
    struct vgg_backend *backend[MAX_VARIANTS] = { NULL };
    double peak[MAX_VARIANTS] = { 0 };
    enum vgg_status status = vgg_arch_base(&arch, o->arch, o->height, o->width, NULL);
    if (status == VGG_OK) status = vgg_arch_head(&arch, "top");
    for (int v = 0; v < o->variants && status == VGG_OK; v++) {
        char *conv = strchr(o->variant[v], ':');
        if (conv) *conv++ = '\0';
        struct vgg_engine_options options = {
            .backend = "cpu", .isa = o->variant[v], .conv = conv, .threads = o->threads
        };
        status = vgg_backend_open(&backend[v], &options);
        if (status == VGG_OK) status = vgg_bench_peak(backend[v], &peak[v]);
    }
    printf("%s %dx%d, batch %d, %d threads, peaks", arch.name, o->height, o->width, o->batch, o->threads);
    for (int v = 0; v < o->variants; v++)
        printf(" %.1f", 1e-9 * peak[v]);
    puts(" GFLOP/s; median, quartile distance, rate, share of the peak");
    for (int pass = 0; pass < PASSES && status == VGG_OK; pass++) {
        double total[MAX_VARIANTS] = { 0 };
        for (int i = 0; i < arch.count && status == VGG_OK; i++) {
            enum vgg_layer_kind kind = arch.layer[i].kind;
            bool wanted = o->layer ? strstr(arch.layer[i].name, o->layer) != NULL : kind == VGG_LAYER_CONV;
            if (!(o->passes >> pass & 1) || !wanted || (kind != VGG_LAYER_CONV && kind != VGG_LAYER_DENSE)) continue;
            status = layer_measure(backend, o, &arch, i, (enum pass)pass, peak, total);
        }
        if (!(o->passes >> pass & 1)) continue;
        printf("%-13s %-8s", "sum", pass_name[pass]);
        for (int v = 0; v < o->variants; v++)
            printf(" | %9.3f ms", 1e3 * total[v]);
        if (o->variants > 1) printf(" | %5.2fx", total[0] / total[1]);
        putchar('\n');
    }
    for (int v = 0; v < o->variants; v++)
        vgg_backend_close(backend[v]);
    return status;
}

static const char usage[] =
    "bench_cpu [--arch vgg16] [--layer PART] [--isa LEVEL[:CONV]]... [--threads N] [--size HxW] [--batch N] [--repeats "
    "N]\n"
    "          [--pass forward|data|weight]... [--fresh]\n"
    "Without --layer: every convolution; --layer fc, predictions or block names the rest. --fresh: weights change "
    "before\n"
    "each run, so that packing them counts.\n";

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "arch", required_argument, NULL, 'a' },    { "layer", required_argument, NULL, 'l' },
        { "isa", required_argument, NULL, 'i' },     { "threads", required_argument, NULL, 't' },
        { "size", required_argument, NULL, 's' },    { "batch", required_argument, NULL, 'b' },
        { "repeats", required_argument, NULL, 'r' }, { "pass", required_argument, NULL, 'p' },
        { "fresh", no_argument, NULL, 'f' },         { NULL, 0, NULL, 0 },
    };
    struct options o = { .arch = "vgg16", .height = 224, .width = 224, .batch = 1, .repeats = 11 };
    o.threads = omp_get_max_threads();
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        switch (c) {
        case 'a': o.arch = optarg; break;
        case 'l': o.layer = optarg; break;
        case 'i':
            if (o.variants < MAX_VARIANTS) o.variant[o.variants++] = optarg;
            break;
        case 't': o.threads = atoi(optarg); break;
        case 's':
            if (sscanf(optarg, "%dx%d", &o.height, &o.width) == 1) o.width = o.height;
            break;
        case 'b': o.batch = atoi(optarg); break;
        case 'r': o.repeats = atoi(optarg); break;
        case 'p':
            for (int i = 0; i < PASSES; i++)
                if (strcmp(optarg, pass_name[i]) == 0) o.passes |= 1u << i;
            break;
        case 'f': o.fresh = true; break;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (!o.passes) o.passes = (1u << PASSES) - 1;
    char standard[] = "auto";
    if (!o.variants) o.variant[o.variants++] = standard;
    if (o.threads < 1 || o.batch < 1 || o.repeats < 1 || o.repeats > MAX_REPEATS) {
        fputs(usage, stderr);
        return 2;
    }
    return all_measure(&o) == VGG_OK ? 0 : 1;
}
