/* One cell of a benchmark: a pass at one batch and input size, on every device in turn. */
#include "core/bench/cell.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/bench/machine.h"
#include "core/bench/network.h"
#include "core/bench/result.h"
#include "core/bench/stats.h"

/* Runs before those that are timed: the one whose values are compared, and one of the very pass. */
enum { WARM_UP = 2, LEAST_KEPT = 3 };

/* A device at work on the cell. */
struct player {
    const struct vgg_bench_subject *subject;
    int device; /* index in bench->device */
    struct vgg_bench_net net;
    struct vgg_bench_result result;
    double *seconds; /* repeats */
    double *layer;   /* repeats for each operation timed, an operation's together; NULL without layers */
    int runs, layer_runs;
    double joules;
};

/* The devices that take turns. */
struct gang {
    struct vgg_bench *bench;
    const struct vgg_bench_cell *cell;
    struct player *player;
    size_t count, hosts; /* hosts: of them in the machine's own memory */
    uint64_t size, held; /* bytes of one's arenas; of the hosts' together */
    struct vgg_bench_input input;
    float *values;
};

/* What the first device of the cell gave. */
struct expected {
    float *values;
    char device[64];
};

uint64_t vgg_bench_cell_runs(const struct vgg_bench_options *options)
{
    return WARM_UP + (uint64_t)options->repeats * (options->layers ? 2 : 1);
}

/* Counts a run; false when the caller wants to stop. */
static bool tell(const struct vgg_bench_cell *cell, uint64_t runs)
{
    const struct vgg_bench_options *o = cell->options;
    cell->progress->done += runs;
    return !o->progress || o->progress(o->user, cell->progress);
}

static enum vgg_status check_agreement(const struct gang *gang, struct player *player, struct expected *expected)
{
    /* Where the two largest values of a pooling window tie within rounding, devices send its gradient different ways:
     * one such window in block5 moves the gradients of all layers below by up to 2e-2 of their norm. */
    static const double output_bound = 1e-3, gradient_bound = 5e-2, bf16_bound = 5e-2, int8_bound = 2e-1;
    const struct vgg_bench_cell *cell = gang->cell;
    struct vgg_bench_result *result = &player->result;
    result->bound = cell->pass == VGG_BENCH_FORWARD ? output_bound : gradient_bound;
    if (player->subject->backend->precision == VGG_PRECISION_BF16) result->bound = bf16_bound;
    if (player->subject->backend->precision == VGG_PRECISION_INT8) result->bound = int8_bound;
    size_t count = vgg_bench_net_values(&player->net);
    const char *where = "nothing";
    if (!expected->values) {
        expected->values = vgg_mem_calloc(count, sizeof *expected->values);
        if (!expected->values) return vgg_fail_memory("values to compare", count * sizeof *expected->values);
        memcpy(expected->values, gang->values, count * sizeof *expected->values);
        snprintf(expected->device, sizeof expected->device, "%s", player->subject->device.name);
    }
    result->error = vgg_bench_net_distance(&player->net, expected->values, gang->values, &where);
    if (result->error <= result->bound) return VGG_OK;
    return vgg_fail(VGG_ERR_NUMERIC,
                    "%s does not agree with %s, so nothing is timed: %s, batch %d at %dx%d, %s is off by %.2e of its "
                    "norm and %.0e is allowed; find the operation with `vgg16 selftest`",
                    player->subject->device.name, expected->device, vgg_bench_pass_name(cell->pass), cell->batch,
                    cell->arch->h, cell->arch->w, where, result->error, result->bound);
}

/* Does the device compute in the machine's own memory? */
static bool on_host(const struct vgg_bench_subject *subject)
{
    const struct vgg_device_info *info = &subject->backend->device;
    return strcmp(info->type, "cpu") == 0 || strcmp(info->type, "integrated") == 0;
}

/* What the limit leaves beside arenas, of the machine's own memory an equal share. */
static size_t spare_of(const struct gang *gang, const struct vgg_bench_subject *subject)
{
    bool host = on_host(subject);
    uint64_t used = host ? gang->held : gang->size, left = subject->memory > used ? subject->memory - used : 0;
    if (!subject->memory) return SIZE_MAX;
    return (size_t)(host ? left / gang->hosts : left);
}

/* Puts the network on the device, compares what it gives, and runs the pass once untimed. */
static enum vgg_status player_start(struct gang *gang, struct player *player, struct expected *expected)
{
    enum vgg_status status;
    const struct vgg_bench_cell *cell = gang->cell;
    size_t repeats = (size_t)cell->options->repeats;
    double seconds;
    if (player->subject->backend->precision == VGG_PRECISION_INT8)
        CHECK(vgg_bench_input_scales(&gang->input, player->subject->backend, cell));
    CHECK(vgg_bench_net_init(&player->net, player->subject->backend, cell, &gang->input,
                             spare_of(gang, player->subject)));
    size_t count = vgg_bench_net_values(&player->net), timed = vgg_bench_net_count(&player->net);
    if (!gang->values) gang->values = vgg_mem_calloc(count, sizeof *gang->values);
    player->seconds = vgg_mem_calloc(repeats, sizeof *player->seconds);
    if (cell->options->layers) player->layer = vgg_mem_calloc(repeats * timed, sizeof *player->layer);
    if (!gang->values || !player->seconds || (cell->options->layers && !player->layer))
        CHECK(vgg_fail_memory("values to compare", count * sizeof *gang->values));
    double begin = vgg_clock_seconds();
    CHECK(vgg_bench_net_fetch(&player->net, gang->values));
    player->result.first = vgg_clock_seconds() - begin;
    CHECK(check_agreement(gang, player, expected));
    if (!tell(cell, 1)) CHECK(VGG_INTERRUPTED);
    CHECK(vgg_bench_net_run(&player->net, &seconds));
    if (!tell(cell, 1)) CHECK(VGG_INTERRUPTED);
fail:
    return status;
}

static enum vgg_status take_turns(struct gang *gang)
{
    enum vgg_status status = VGG_OK;
    struct vgg_bench_energy energy;
    vgg_bench_energy_init(&energy, "/sys/class/powercap");
    for (int r = 0; r < gang->cell->options->repeats; r++) {
        for (size_t i = 0; i < gang->count; i++) {
            struct player *player = &gang->player[i];
            vgg_bench_energy_since(&energy);
            CHECK(vgg_bench_net_run(&player->net, &player->seconds[r]));
            player->joules += vgg_bench_energy_since(&energy);
            player->runs++;
            if (!tell(gang->cell, 1)) CHECK(VGG_INTERRUPTED);
        }
    }
fail:
    return status;
}

static enum vgg_status take_turns_layers(struct gang *gang)
{
    enum vgg_status status = VGG_OK;
    int repeats = gang->cell->options->repeats;
    for (int r = 0; r < repeats; r++) {
        for (size_t i = 0; i < gang->count; i++) {
            struct player *player = &gang->player[i];
            size_t first = vgg_bench_net_first(&player->net), count = vgg_bench_net_count(&player->net);
            CHECK(vgg_bench_net_run_layers(&player->net));
            for (size_t k = 0; k < count; k++)
                player->layer[k * (size_t)repeats + (size_t)r] = player->net.seconds[first + k];
            player->layer_runs++;
            if (!tell(gang->cell, 1)) CHECK(VGG_INTERRUPTED);
        }
    }
fail:
    return status;
}

/* ---- results ---- */

static enum vgg_status layers_fill(const struct gang *gang, struct player *player)
{
    const struct vgg_bench_device *device = &gang->bench->device[player->device];
    size_t first = vgg_bench_net_first(&player->net), count = vgg_bench_net_count(&player->net);
    player->result.layer = vgg_mem_calloc(count, sizeof *player->result.layer);
    if (!player->result.layer) return vgg_fail_memory("results", count * sizeof *player->result.layer);
    player->result.layers = count;
    for (size_t k = 0; k < count; k++) {
        const struct vgg_op *op = &player->net.plan->op[first + k];
        struct vgg_bench_layer *layer = &player->result.layer[k];
        layer->stage = vgg_bench_net_stage(&player->net, first + k);
        bool update = layer->stage == VGG_BENCH_UPDATE;
        snprintf(layer->name, sizeof layer->name, "%s",
                 update ? "parameters" : gang->cell->arch->layer[op->layer].name);
        snprintf(layer->op, sizeof layer->op, "%s", vgg_op_name(op->kind));
        layer->flops = vgg_op_flops(op);
        layer->bytes = vgg_op_bytes(op);
        layer->roof = fmin(device->peak, device->bandwidth * layer->flops / layer->bytes);
        layer->time = vgg_bench_stats(player->layer + k * (size_t)gang->cell->options->repeats, player->layer_runs);
    }
    return VGG_OK;
}

/* Everything but layers, which need runs of their own. */
static void result_fill(const struct gang *gang, struct player *player, double others, double steal)
{
    struct vgg_bench_result *result = &player->result;
    const struct vgg_plan *plan = player->net.plan;
    size_t first = vgg_bench_net_first(&player->net), count = vgg_bench_net_count(&player->net);
    result->device = player->device;
    result->pass = gang->cell->pass;
    result->batch = gang->cell->batch;
    result->height = gang->cell->arch->h;
    result->width = gang->cell->arch->w;
    result->time = vgg_bench_stats(player->seconds, player->runs);
    result->energy = player->joules / player->runs;
    result->others = others;
    result->steal = steal;
    result->noise = vgg_bench_noise_of(&result->time, others, steal);
    result->parameters = plan->arena_size[VGG_ARENA_PARAM] + vgg_net_kept(player->net.net);
    result->gradients = plan->arena_size[VGG_ARENA_GRAD];
    result->moments = plan->arena_size[VGG_ARENA_MOMENT];
    result->activations = plan->arena_size[VGG_ARENA_ACT];
    for (size_t k = 0; k < count; k++) {
        result->flops += vgg_op_flops(&plan->op[first + k]);
        result->bytes += vgg_op_bytes(&plan->op[first + k]);
    }
}

/* Hands the player's result over to the benchmark. */
static enum vgg_status result_keep(const struct gang *gang, struct player *player)
{
    struct vgg_bench *bench = gang->bench;
    const struct vgg_bench_options *o = gang->cell->options;
    struct vgg_bench_result *grown = realloc(bench->result, (bench->results + 1) * sizeof *grown);
    if (!grown) return vgg_fail_memory("results", (bench->results + 1) * sizeof *grown);
    bench->result = grown;
    grown[bench->results++] = player->result;
    player->result.layer = NULL;
    bench->peak_resident = vgg_bench_peak_resident();
    if (o->on_result) o->on_result(o->user, bench, &grown[bench->results - 1]);
    return VGG_OK;
}

/* ---- gangs ---- */

/* Measures the players together. Of an interrupted case the runs so far count if they are LEAST_KEPT or more. */
static enum vgg_status gang_measure(struct gang *gang, struct expected *expected)
{
    enum vgg_status status;
    struct vgg_bench_cpu_time begin = vgg_bench_cpu_now();
    double others, steal;
    for (size_t i = 0; i < gang->count; i++)
        CHECK(player_start(gang, &gang->player[i], expected));
    status = take_turns(gang);
    if (status != VGG_OK && status != VGG_INTERRUPTED) goto fail;
    struct vgg_bench_cpu_time end = vgg_bench_cpu_now();
    vgg_bench_busy(&begin, &end, vgg_limits_online(), &others, &steal);
    enum vgg_status turns = status;
    if (status == VGG_OK && gang->cell->options->layers) turns = take_turns_layers(gang);
    if (turns != VGG_OK && turns != VGG_INTERRUPTED) CHECK(turns);
    int least = gang->cell->options->repeats < LEAST_KEPT ? gang->cell->options->repeats : LEAST_KEPT;
    for (size_t i = 0; i < gang->count; i++) {
        struct player *player = &gang->player[i];
        if (player->runs < least) continue;
        result_fill(gang, player, others, steal);
        if (player->layer_runs >= least) CHECK(layers_fill(gang, player));
        CHECK(result_keep(gang, player));
    }
    status = turns;
fail:
    return status;
}

static void gang_finish(struct gang *gang)
{
    for (size_t i = 0; i < gang->count; i++) {
        struct player *player = &gang->player[i];
        vgg_bench_net_finish(&player->net);
        free(player->seconds);
        free(player->layer);
        free(player->result.layer);
    }
    free(gang->values);
    gang->values = NULL;
    gang->count = 0;
}

/* Does the device give at once what the largest arena of the plan takes? */
static bool gives(const struct vgg_bench_subject *subject, const struct vgg_plan *plan)
{
    uint64_t most = subject->backend->device.allocation;
    return !most || vgg_bench_net_largest(plan) <= most;
}

/* Skips a device that has too little memory. */
static enum vgg_status skip(struct vgg_bench *bench, const struct vgg_bench_subject *subject,
                            const struct vgg_bench_cell *cell, const struct vgg_plan *plan)
{
    uint64_t size = vgg_bench_net_size(plan), most = subject->memory;
    if (!gives(subject, plan)) size = vgg_bench_net_largest(plan), most = subject->backend->device.allocation;
    char what[64], why[160];
    snprintf(what, sizeof what, "%s, batch %d at %dx%d", vgg_bench_pass_name(cell->pass), cell->batch, cell->arch->h,
             cell->arch->w);
    snprintf(why, sizeof why, "needs %.0f MiB%s, the limit is %.0f MiB", (double)size / 0x1p20,
             gives(subject, plan) ? "" : " at once", (double)most / 0x1p20);
    cell->progress->total -= vgg_bench_cell_runs(cell->options);
    return vgg_bench_skip_add(bench, subject->device.name, what, why);
}

enum vgg_status vgg_bench_cell_measure(struct vgg_bench *bench, const struct vgg_bench_subjects *subjects,
                                       const struct vgg_bench_cell *cell)
{
    enum vgg_status status;
    struct expected expected = { 0 };
    struct gang gang = { .bench = bench, .cell = cell };
    struct vgg_plan *plan = NULL;
    gang.player = vgg_mem_calloc(subjects->count, sizeof *gang.player);
    if (!gang.player) CHECK(vgg_fail_memory("devices to measure", subjects->count * sizeof *gang.player));
    bool halves = subjects->count && subjects->item[0].backend->halves; /* one precision for all */
    CHECK(vgg_bench_net_plan(&plan, cell, halves));
    CHECK(vgg_bench_input_init(&gang.input, cell, plan));
    gang.size = vgg_bench_net_size(plan);
    for (size_t i = 0; i <= subjects->count; i++) {
        const struct vgg_bench_subject *subject = i < subjects->count ? &subjects->item[i] : NULL;
        bool fits = subject && (!subject->memory || gang.size <= subject->memory) && gives(subject, plan);
        bool joins = fits && (!on_host(subject) || !subject->memory || gang.held + gang.size <= subject->memory);
        if (gang.count && (!subject || (fits && !joins))) {
            CHECK(gang_measure(&gang, &expected));
            gang_finish(&gang);
            gang.hosts = 0, gang.held = 0;
        }
        if (!subject) break;
        if (!fits) {
            CHECK(skip(bench, subject, cell, plan));
            continue;
        }
        gang.player[gang.count++] = (struct player) { .subject = subject, .device = (int)i };
        if (on_host(subject)) gang.hosts++, gang.held += gang.size;
    }
fail:
    gang_finish(&gang);
    vgg_bench_input_finish(&gang.input);
    free(gang.player);
    free(expected.values);
    vgg_plan_destroy(plan);
    return status;
}
