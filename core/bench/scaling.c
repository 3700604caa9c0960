/* The same work on one rank and on all of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/bench/network.h"
#include "core/bench/options.h"
#include "core/bench/stats.h"
#include "core/engine/engine.h"
#include "core/model/model.h"
#include "core/plan/shard.h"

/* A message whose time is latency, one whose time is bandwidth, and how many of each. */
enum { SMALL = 4, LARGE = 4 << 20, SMALLS = 200, LARGES = 8 };

/* One case. */
struct scaled {
    struct vgg_bench_cell cell;
    struct vgg_engine *engine;
    struct vgg_ranks *ranks;
    struct vgg_net *net;
    struct vgg_bench_input input;
    size_t values; /* of an image */
    int shard;
};

/* ---- messages ---- */

/* Median seconds of `count` exchanges of `size` bytes between the first rank and the last; 0 on others. */
static enum vgg_status exchange(struct vgg_ranks *ranks, char *sent, char *received, size_t size, int count,
                                double *median)
{
    double seconds[SMALLS] = { 0 };
    int last = ranks->size - 1, other = ranks->rank == 0 ? last : 0;
    enum vgg_status status = vgg_ranks_agree(ranks, VGG_OK, NULL);
    bool takes_part = ranks->rank == 0 || ranks->rank == last;
    for (int i = 0; i < count && takes_part && status == VGG_OK; i++) {
        double begin = vgg_clock_seconds();
        status = vgg_ranks_exchange(ranks, other, sent, size, other, received, size);
        seconds[i] = vgg_clock_seconds() - begin;
    }
    *median = vgg_bench_stats(seconds, count).median;
    return vgg_ranks_agree(ranks, status, NULL);
}

static enum vgg_status measure_messages(struct vgg_bench_scaling *scaling, struct vgg_ranks *ranks)
{
    char *room = vgg_mem_calloc(2, LARGE);
    double small, large;
    enum vgg_status status = room ? VGG_OK : vgg_fail_memory("messages", 2 * LARGE);
    CHECK(vgg_ranks_agree(ranks, status, NULL));
    CHECK(exchange(ranks, room, room + LARGE, SMALL, SMALLS, &small));
    CHECK(exchange(ranks, room, room + LARGE, LARGE, LARGES, &large));
    scaling->alpha = small;
    scaling->beta = large > small ? LARGE / (large - small) : (double)INFINITY;
fail:
    free(room);
    return status;
}

/* ---- one case ---- */

static enum vgg_status run(struct scaled *s, bool together)
{
    const struct vgg_step step = { .seed = s->cell.options->seed }; /* a rate of 0: all runs do the same */
    const struct vgg_bench_input *in = &s->input;
    bool forward = s->cell.pass == VGG_BENCH_FORWARD;
    struct vgg_share own = { 0, s->cell.batch };
    if (together) own = vgg_share_items(s->cell.batch, s->shard, s->ranks->rank, s->ranks->size);
    const float *x = in->x + (size_t)own.from * s->values;
    vgg_net_set_ranks(s->net, together ? s->ranks : NULL);
    if (!forward) {
        struct vgg_net_io io = { .n = s->cell.batch, .x = x, .t = in->t, .w = in->w, .y = in->y, .loss = in->loss };
        return vgg_net_train(s->net, &io, &step);
    }
    struct vgg_net_io io = { .n = own.to - own.from, .x = x };
    io.y = in->y + (size_t)own.from * vgg_net_output(s->net);
    return vgg_net_forward(s->net, &io);
}

/* One run, the other ranks waiting or at work too, until all know what came of it. */
static enum vgg_status time_run(struct scaled *s, bool together, double *seconds)
{
    struct vgg_progress *progress = s->cell.progress;
    const struct vgg_bench_options *o = s->cell.options;
    enum vgg_status status = VGG_OK;
    CHECK(vgg_ranks_agree(s->ranks, VGG_OK, NULL));
    double begin = vgg_clock_seconds();
    if (together || s->ranks->rank == 0) status = run(s, together);
    if (!together) *seconds = vgg_clock_seconds() - begin;
    CHECK(vgg_ranks_agree(s->ranks, status, NULL));
    if (together) *seconds = vgg_clock_seconds() - begin;
    progress->done++;
    bool go_on = !o->progress || o->progress(o->user, progress);
    status = vgg_ranks_agree(s->ranks, go_on ? VGG_OK : VGG_INTERRUPTED, NULL);
fail:
    return status;
}

static enum vgg_status init(struct scaled *s)
{
    enum vgg_status status = VGG_OK;
    struct vgg_plan *plan = NULL;
    const struct vgg_arch *arch = s->cell.arch;
    const struct vgg_plan_spec spec = vgg_bench_net_spec(&s->cell, VGG_PRECISION_FP32);
    s->shard = s->cell.pass == VGG_BENCH_FORWARD ? 1 : vgg_shard_size(arch, 0, spec.trainable);
    if (s->shard > s->cell.batch) s->shard = s->cell.batch;
    CHECK(vgg_bench_net_plan(&plan, &s->cell, false));
    s->values = vgg_view_count(&plan->input) / (size_t)s->cell.batch;
    CHECK(vgg_bench_input_init(&s->input, &s->cell, plan));
    CHECK(vgg_net_create(&s->net, s->engine->backend, &spec, 0, s->shard, s->engine->memory));
    CHECK(vgg_net_set_params(s->net, s->cell.params));
fail:
    vgg_plan_destroy(plan);
    return status;
}

/* As benchmarks/README.md has it; bytes: of all gradients, which travel in so many pieces. */
static double model_of(const struct scaled *s, const struct vgg_bench_scaling *scaling, double one, double bytes,
                       int pieces)
{
    int shards = vgg_share_shards(s->cell.batch, s->shard), most = 0, powers = 1, stages = 0;
    for (int r = 0; r < scaling->ranks; r++) {
        struct vgg_share own = vgg_share_of(shards, r, r + 1, scaling->ranks);
        if (own.to - own.from > most) most = own.to - own.from;
    }
    double seconds = one * most / shards;
    if (s->cell.pass == VGG_BENCH_FORWARD) return seconds;
    for (; 2 * powers <= scaling->ranks; powers *= 2)
        stages++;
    double added = pieces * 2 * stages * scaling->alpha + 2.0 * (powers - 1) / powers * bytes / scaling->beta;
    if (powers < scaling->ranks) added += pieces * 2 * scaling->alpha + 2 * bytes / scaling->beta;
    return seconds + fmax(added / pieces, added - 0.55 * one / shards);
}

static enum vgg_status fill(struct scaled *s, struct vgg_bench_scaling *scaling, struct vgg_bench_scaling_row *row)
{
    enum vgg_status status = VGG_OK;
    int repeats = s->cell.options->repeats;
    double *seconds = vgg_mem_calloc(2 * (size_t)repeats, sizeof *seconds), first;
    struct vgg_net_traffic before = { 0 };
    if (!seconds) status = vgg_fail_memory("times", 2 * (size_t)repeats * sizeof *seconds);
    CHECK(vgg_ranks_agree(s->ranks, status, NULL));
    for (int i = -1; i < repeats; i++) {
        if (i == 0) before = vgg_net_traffic(s->net);
        CHECK(time_run(s, false, i < 0 ? &first : &seconds[i]));
        CHECK(time_run(s, true, i < 0 ? &first : &seconds[repeats + i]));
    }
    struct vgg_net_traffic now = vgg_net_traffic(s->net);
    if (s->ranks->rank) seconds[0] = 0; /* did nothing alone */
    row->one = vgg_bench_stats(seconds, repeats);
    row->all = vgg_bench_stats(seconds + repeats, repeats);
    row->efficiency = row->one.median / (scaling->ranks * row->all.median);
    row->seconds = (now.seconds - before.seconds) / repeats;
    row->waited = (now.waited - before.waited) / repeats;
    row->bytes = (double)(now.bytes - before.bytes) / repeats;
    const struct vgg_arch *arch = s->cell.arch;
    int trainable = vgg_arch_trainable(arch, s->cell.options->trainable);
    double bytes = (double)arch->param_size;
    while (trainable < arch->count && arch->layer[trainable].kernel.n == 0)
        trainable++;
    if (trainable < arch->count) bytes -= (double)arch->layer[trainable].kernel.offset;
    row->model = model_of(s, scaling, row->one.median, bytes, now.pieces);
fail:
    free(seconds);
    return status;
}

static enum vgg_status measure(struct scaled *s, struct vgg_bench_scaling *scaling)
{
    struct vgg_bench_scaling_row *row = &scaling->row[scaling->rows];
    enum vgg_status status = vgg_ranks_agree(s->ranks, init(s), NULL);
    *row = (struct vgg_bench_scaling_row) { .pass = s->cell.pass, .batch = s->cell.batch, .shard = s->shard };
    row->height = s->cell.arch->h, row->width = s->cell.arch->w;
    if (status == VGG_OK) status = fill(s, scaling, row);
    scaling->rows += status == VGG_OK;
    vgg_net_destroy(s->net);
    vgg_bench_input_finish(&s->input);
    return status;
}

/* ---- all cases ---- */

static enum vgg_status measure_size(struct vgg_bench_scaling *scaling, struct vgg_engine *engine,
                                    const struct vgg_bench_options *o, const int size[2], struct vgg_progress *progress)
{
    static const enum vgg_bench_pass passes[] = { VGG_BENCH_FORWARD, VGG_BENCH_STEP };
    struct vgg_model *model;
    const struct vgg_model_options network = {
        .arch = o->arch, .weights = "random", .head = o->head, .height = size[0], .width = size[1], .seed = o->seed
    };
    enum vgg_status status = vgg_ranks_agree(engine->ranks, vgg_model_create(&model, &network), NULL);
    for (int k = 0; k < 2 * o->batches && status == VGG_OK; k++) {
        if (!(o->passes >> passes[k % 2] & 1)) continue;
        progress->phase = vgg_bench_pass_name(passes[k % 2]);
        struct scaled s = { .cell = { .options = o,
                                      .pass = passes[k % 2],
                                      .batch = o->batch[k / 2],
                                      .arch = &model->arch,
                                      .params = model->params,
                                      .progress = progress },
                            .engine = engine,
                            .ranks = engine->ranks };
        status = measure(&s, scaling);
    }
    vgg_model_destroy(model);
    return status;
}

static enum vgg_status check(const struct vgg_bench_options *o)
{
    const char *precision = o->engine.precision;
    if (vgg_ranks_size(o->engine.ranks) == 1) return vgg_fail(VGG_ERR_ARGUMENT, "scaling: needs ranks");
    if (o->on || o->layers || o->passes >> VGG_BENCH_BACKWARD & 1 || (precision && strcmp(precision, "fp32") != 0)) {
        return vgg_fail(VGG_ERR_ARGUMENT, "on several ranks forward and step are measured, as wholes, in fp32, on the "
                                          "device that each rank takes");
    }
    return VGG_OK;
}

static void describe(struct vgg_bench_scaling *scaling, const struct vgg_bench_options *o,
                     const struct vgg_engine *engine)
{
    struct vgg_device_info machine;
    snprintf(scaling->version, sizeof scaling->version, "%s", vgg_version());
    vgg_os_date(scaling->date, sizeof scaling->date, "%Y-%m-%dT%H:%M:%SZ", true);
    snprintf(scaling->arch, sizeof scaling->arch, "%s", o->arch);
    snprintf(scaling->head, sizeof scaling->head, "%s", o->head);
    snprintf(scaling->trainable, sizeof scaling->trainable, "%s", o->trainable);
    scaling->info = *vgg_engine_device(engine);
    if (vgg_device_find(&machine, NULL, "cpu") == VGG_OK)
        snprintf(scaling->machine, sizeof scaling->machine, "%s", machine.name);
    scaling->ranks = engine->ranks->size;
}

enum vgg_status vgg_bench_scale(struct vgg_bench_scaling **out, const struct vgg_bench_options *options)
{
    enum vgg_status status = VGG_OK;
    struct vgg_bench_options o;
    struct vgg_bench_scaling *scaling = NULL;
    struct vgg_engine *engine = NULL;
    *out = NULL;
    CHECK(check(options));
    CHECK(vgg_bench_options_read(&o, options));
    if (!options->passes) o.passes = 1u << VGG_BENCH_FORWARD | 1u << VGG_BENCH_STEP;
    int rows = o.sizes * o.batches * __builtin_popcount(o.passes);
    struct vgg_progress progress = { .unit = "runs", .total = 2 * (uint64_t)(rows * (o.repeats + 1)) };
    progress.loss = progress.accuracy = (double)NAN;
    CHECK(vgg_engine_create(&engine, &o.engine));
    scaling = vgg_mem_calloc(1, sizeof *scaling);
    if (scaling) scaling->row = vgg_mem_calloc((size_t)rows, sizeof *scaling->row);
    if (!scaling || !scaling->row) status = vgg_fail_memory("times", (size_t)rows * sizeof *scaling->row);
    CHECK(vgg_ranks_agree(engine->ranks, status, NULL));
    describe(scaling, &o, engine);
    CHECK(measure_messages(scaling, engine->ranks));
    for (int i = 0; i < o.sizes; i++)
        CHECK(measure_size(scaling, engine, &o, o.size[i], &progress));
    *out = scaling;
    scaling = NULL;
fail:
    vgg_bench_scaling_destroy(scaling);
    vgg_engine_destroy(engine);
    return status;
}

void vgg_bench_scaling_destroy(struct vgg_bench_scaling *scaling)
{
    if (!scaling) return;
    free(scaling->row);
    free(scaling);
}
