/* Kernels in Winograd's domain are kept from run to run: every change of them is seen, what does not change is not made
 * again, and the bits are those of a device that has no room to keep anything. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/arch/arch.h"
#include "core/base/rng.h"
#include "core/bench/cell.h"
#include "core/engine/device.h"
#include "core/engine/net_store.h"
#include "core/model/model.h"
#include "vk/vk_rec.h"
#include "vk_driver.h"

/* Two layers, and a gradient through the upper one. */
enum { SIDE = 20, C = 64, MAP = SIDE * SIDE * C, KERNEL = 9 * C * C, LAYER = KERNEL + C };

static size_t made;                              /* bytes of a kernel in Winograd's domain */
enum { PADDED = 36 * VK_WINO_PLANE(C * C) * 4 }; /* on devices of CPU type */
enum { X, Y0, Y1, DY, DX, MAPS };

enum { FORWARD, BACKWARD, TRAIN, LISTS };

struct side {
    struct vgg_backend *backend;
    struct vgg_op op[LISTS][4];
    struct vgg_list list[LISTS];
};

static float value(uint64_t stream, uint64_t i)
{
    return vgg_rng_uniform(3, VGG_RNG_INIT, stream, i) - 0.5f;
}

static struct vgg_view map(int which)
{
    size_t offset = (size_t)which * MAP * 4;
    return (struct vgg_view) { .arena = VGG_ARENA_ACT, .offset = offset, .n = 1, .h = SIDE, .w = SIDE, .c = C };
}

static struct vgg_view kernel(enum vgg_arena arena, int layer)
{
    size_t offset = (size_t)layer * LAYER * 4;
    return (struct vgg_view) { .arena = arena, .offset = offset, .n = 3, .h = 3, .w = C, .c = C };
}

static struct vgg_view bias(enum vgg_arena arena, int layer)
{
    size_t offset = ((size_t)layer * LAYER + KERNEL) * 4;
    return (struct vgg_view) { .arena = arena, .offset = offset, .n = 1, .h = 1, .w = 1, .c = C };
}

/* The upper kernel as updates see it. */
static struct vgg_view flat(enum vgg_arena arena)
{
    return (struct vgg_view) { .arena = arena, .offset = LAYER * 4, .n = 1, .h = 1, .w = 1, .c = KERNEL };
}

static struct vgg_op convolution(int layer)
{
    return (struct vgg_op) { .kind = VGG_OP_CONV,
                             .flags = VGG_OP_RELU,
                             .x = map(layer),
                             .y = map(layer + 1),
                             .w = kernel(VGG_ARENA_PARAM, layer),
                             .b = bias(VGG_ARENA_PARAM, layer) };
}

static void open_side(struct side *side, size_t spare)
{
    static const size_t size[] = {
        [VGG_ARENA_PARAM] = 2 * LAYER * 4, [VGG_ARENA_GRAD] = 2 * LAYER * 4, [VGG_ARENA_ACT] = (size_t)MAPS * MAP * 4
    };
    static float values[MAPS * MAP];
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_buf *arena[VGG_ARENA_COUNT] = { NULL };
    memset(side, 0, sizeof *side);
    cr_assert_eq(vgg_backend_open(&side->backend, &options), VGG_OK);
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        if (!size[i]) continue;
        cr_assert_eq(vgg_buf_create(side->backend, &arena[i], size[i]), VGG_OK);
        for (size_t k = 0; k < size[i] / 4; k++)
            values[k] = i == VGG_ARENA_GRAD ? 0 : value(i, k) * (i == VGG_ARENA_PARAM ? 0.1f : 1.0f);
        cr_assert_eq(vgg_buf_upload(arena[i], 0, values, size[i]), VGG_OK);
    }
    vgg_buf_spare(arena[VGG_ARENA_PARAM], spare);
    side->op[FORWARD][0] = side->op[TRAIN][0] = convolution(0);
    side->op[FORWARD][1] = side->op[TRAIN][1] = convolution(1);
    side->op[BACKWARD][0] =
        (struct vgg_op) { .kind = VGG_OP_CONV_BWD_DATA, .dx = map(DX), .dy = map(DY), .w = kernel(VGG_ARENA_PARAM, 1) };
    side->op[TRAIN][2] = (struct vgg_op) { .kind = VGG_OP_CONV_BWD_WEIGHT,
                                           .x = map(Y0),
                                           .dy = map(DY),
                                           .dw = kernel(VGG_ARENA_GRAD, 1),
                                           .db = bias(VGG_ARENA_GRAD, 1) };
    side->op[TRAIN][3] = (struct vgg_op) { .kind = VGG_OP_SGD, .w = flat(VGG_ARENA_PARAM), .dw = flat(VGG_ARENA_GRAD) };
    static const size_t count[LISTS] = { 2, 1, 4 };
    for (int i = 0; i < LISTS; i++) {
        side->list[i] = (struct vgg_list) { .op = side->op[i], .count = count[i] };
        side->list[i].key = vgg_backend_key(side->backend);
        memcpy(side->list[i].arena, arena, sizeof arena);
    }
}

static struct vgg_buf *params(const struct side *side)
{
    return side->list[0].arena[VGG_ARENA_PARAM];
}

static void close_side(struct side *side)
{
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        vgg_buf_destroy(side->list[0].arena[i]);
    vgg_backend_close(side->backend);
}

/* Submissions that a run took: one, and one for each kernel that was made anew. */
static int run(struct side *side, int list)
{
    const struct vk *vk = (const struct vk *)side->backend;
    uint64_t before = vk->ticket;
    cr_assert_eq(vgg_backend_run(side->backend, &side->list[list], &(struct vgg_step) { .learning_rate = 1e-3f }),
                 VGG_OK);
    return (int)(vk->ticket - before);
}

static void expect_same(struct side *a, struct side *b)
{
    static float x[MAPS * MAP], y[MAPS * MAP];
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        struct vgg_buf *buf = a->list[0].arena[i];
        if (!buf) continue;
        cr_assert_eq(vgg_buf_download(buf, 0, x, buf->size), VGG_OK);
        cr_assert_eq(vgg_buf_download(b->list[0].arena[i], 0, y, buf->size), VGG_OK);
        cr_expect_eq(memcmp(x, y, buf->size), 0, "arena %d differs", i);
    }
}

/* Both run the list; the one with room takes so many submissions. */
static void expect_run(struct side *kept, struct side *none, int list, int submissions)
{
    cr_expect_eq(run(none, list), 1);
    int took = run(kept, list);
    cr_expect_eq(took, submissions, "list %d took %d submissions, not %d", list, took, submissions);
    expect_same(kept, none);
}

static void upload(struct side *side, size_t offset, size_t count, uint64_t stream)
{
    static float values[2 * LAYER];
    for (size_t i = 0; i < count; i++)
        values[i] = value(stream, i);
    cr_assert_eq(vgg_buf_upload(params(side), 4 * offset, values, 4 * count), VGG_OK);
}

static void change(struct side *kept, struct side *none, size_t offset, size_t count)
{
    static uint64_t stream = 100;
    upload(kept, offset, count, ++stream);
    upload(none, offset, count, stream);
}

static void every_change_is_seen(void)
{
    struct side kept, none;
    open_side(&kept, SIZE_MAX);
    open_side(&none, 0);
    expect_run(&kept, &none, FORWARD, 3);
    expect_run(&kept, &none, FORWARD, 1);
    cr_expect_eq(params(&kept)->kept, 2 * made);
    cr_expect_eq(params(&none)->kept, 0);

    change(&kept, &none, 0, 2 * LAYER); /* everything */
    expect_run(&kept, &none, FORWARD, 3);
    change(&kept, &none, KERNEL - 1, 1); /* the last number of the lower kernel */
    expect_run(&kept, &none, FORWARD, 2);
    change(&kept, &none, KERNEL, C); /* the bias beside it */
    expect_run(&kept, &none, FORWARD, 1);
    change(&kept, &none, LAYER, 1); /* the first number of the upper one */
    expect_run(&kept, &none, FORWARD, 2);

    expect_run(&kept, &none, BACKWARD, 2); /* the same kernel, turned */
    expect_run(&kept, &none, BACKWARD, 1);
    cr_expect_eq(params(&kept)->kept, 3 * made);
    change(&kept, &none, LAYER + 7, 100);
    expect_run(&kept, &none, FORWARD, 2);
    expect_run(&kept, &none, BACKWARD, 2);
    close_side(&kept);
    close_side(&none);
}

/* What a list changes itself is made anew in it; what lies below stays. */
static void training_keeps_what_is_frozen(void)
{
    struct side kept, none;
    open_side(&kept, SIZE_MAX);
    open_side(&none, 0);
    expect_run(&kept, &none, TRAIN, 2);
    cr_expect_eq(params(&kept)->kept, made);
    expect_run(&kept, &none, TRAIN, 1);
    expect_run(&kept, &none, FORWARD, 2); /* the upper one for the first time */
    expect_run(&kept, &none, FORWARD, 1);
    expect_run(&kept, &none, TRAIN, 1);
    expect_run(&kept, &none, FORWARD, 2);
    expect_run(&kept, &none, FORWARD, 1);
    cr_expect_eq(params(&kept)->kept, 2 * made);
    close_side(&kept);
    close_side(&none);
}

static void room_for_one(void)
{
    struct side kept, none;
    open_side(&kept, 2 * made - 1);
    open_side(&none, 0);
    expect_run(&kept, &none, FORWARD, 2);
    expect_run(&kept, &none, FORWARD, 1);
    cr_expect_eq(params(&kept)->kept, made);
    change(&kept, &none, 0, 2 * LAYER);
    expect_run(&kept, &none, FORWARD, 2);
    close_side(&kept);
    close_side(&none);
    open_side(&kept, made - 1);
    cr_expect_eq(run(&kept, FORWARD), 1);
    cr_expect_eq(params(&kept)->kept, 0);
    close_side(&kept);
}

/* Lists that run once and timed ones without a key keep nothing. */
static void once(void)
{
    struct side kept;
    open_side(&kept, SIZE_MAX);
    kept.list[FORWARD].key = 0;
    cr_expect_eq(run(&kept, FORWARD), 1);
    cr_expect_eq(params(&kept)->kept, 0);
    close_side(&kept);
}

static struct vgg_buf *crowded;
static PFN_vkAllocateMemory allocate_memory;
static int errors;

static VkResult allocate_beside(VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a,
                                VkDeviceMemory *m)
{
    return crowded->kept ? VK_ERROR_OUT_OF_DEVICE_MEMORY : allocate_memory(d, i, a, m);
}

static void count_errors(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)line;
    errors += level == VGG_LOG_ERROR;
}

/* A buffer that is wanted comes before. */
static void gives_way(void)
{
    struct side kept, none;
    struct vgg_buf *wanted;
    open_side(&kept, SIZE_MAX);
    open_side(&none, 0);
    expect_run(&kept, &none, FORWARD, 3);
    struct vk *vk = (struct vk *)kept.backend;
    crowded = params(&kept);
    allocate_memory = vk->lib.fn.AllocateMemory;
    vk->lib.fn.AllocateMemory = allocate_beside;
    vgg_log_set(count_errors, NULL, VGG_LOG_ERROR);
    cr_assert_eq(vgg_buf_create(kept.backend, &wanted, 8), VGG_OK); /* in a block that is there */
    vgg_buf_destroy(wanted);
    cr_expect_eq(params(&kept)->kept, 2 * made);
    cr_assert_eq(vgg_buf_create(kept.backend, &wanted, (size_t)20 << 20), VGG_OK);
    vgg_buf_destroy(wanted);
    cr_expect_eq(params(&kept)->kept, 0);
    cr_expect_eq(errors, 0);
    expect_run(&kept, &none, FORWARD, 1);
    cr_expect_eq(params(&kept)->kept, 0, "what was given up does not come back");
    close_side(&kept);
    close_side(&none);
}

/* A device whose memory is nearly all in use keeps nothing, and fails for nothing. */
static void full_device(void)
{
    struct side kept, none;
    open_side(&kept, SIZE_MAX);
    open_side(&none, 0);
    struct vk *vk = (struct vk *)kept.backend;
    expect_run(&kept, &none, BACKWARD, 2); /* whatever it allocates itself is there */
    vk->gpu.budget = vk_mem_total(vk);
    expect_run(&kept, &none, FORWARD, 1);
    cr_expect_eq(params(&kept)->kept, made);
    close_side(&kept);
    close_side(&none);
}

static void as(const char *class)
{
    vk_driver_lavapipe();
    made = 36 * 4 * (class ? C * C : VK_WINO_PLANE(C * C));
    if (class) setenv("VGG16_VK_CLASS", class, 1);
}

TestSuite(vk_kept, .timeout = 120);

Test(vk_kept, every_change_is_seen)
{
    as(NULL);
    every_change_is_seen();
}

Test(vk_kept, every_change_is_seen_discrete)
{
    as("discrete");
    every_change_is_seen();
}

Test(vk_kept, every_change_is_seen_by_staging)
{
    as("integrated");
    setenv("VGG16_VK_STAGING", "1", 1);
    struct side kept, none; /* an upload is a submission there */
    open_side(&kept, SIZE_MAX);
    open_side(&none, 0);
    for (int i = 0; i < 3; i++) {
        expect_run(&kept, &none, FORWARD, 3);
        change(&kept, &none, 0, 2 * LAYER);
    }
    close_side(&kept);
    close_side(&none);
}

Test(vk_kept, training_keeps_what_is_frozen)
{
    as(NULL);
    training_keeps_what_is_frozen();
}

Test(vk_kept, training_keeps_what_is_frozen_discrete)
{
    as("discrete");
    training_keeps_what_is_frozen();
}

Test(vk_kept, room_for_one)
{
    as("integrated");
    room_for_one();
}

Test(vk_kept, once)
{
    as(NULL);
    once();
}

Test(vk_kept, gives_way)
{
    as("discrete");
    gives_way();
}

Test(vk_kept, full_device)
{
    as("discrete");
    full_device();
}

/* ---- whole networks ---- */

enum { SIZE = 64, BATCH = 4, STEPS = 2, CLASSES = 10 };

static struct vgg_net *new_net(struct vgg_backend *backend, const struct vgg_arch *arch, int shard, uint64_t memory)
{
    struct vgg_net *net;
    const struct vgg_plan_spec spec = { .arch = arch,
                                        .batch = BATCH,
                                        .last = arch->count,
                                        .loss = true,
                                        .trainable = vgg_arch_trainable(arch, "block3"),
                                        .optimizer = VGG_OPTIMIZER_SGD };
    cr_assert_eq(vgg_net_create(&net, backend, &spec, 0, shard, memory), VGG_OK);
    float *values = malloc(arch->param_size);
    cr_assert(values);
    for (size_t i = 0; i < arch->param_size / 4; i++)
        values[i] = 0.1f * value(1, i);
    cr_assert_eq(vgg_net_set_params(net, values), VGG_OK);
    free(values);
    return net;
}

static uint64_t arenas(const struct vgg_net *net)
{
    uint64_t sum = 0;
    for (int i = 0; i < VGG_ARENA_COUNT; i++)
        sum += net->arena[i] ? net->arena[i]->size : 0;
    for (int i = 1; i < net->sums; i++)
        sum += net->sum[i]->size;
    return sum;
}

static void train_both(struct vgg_net *net[2], float *params[2], size_t size)
{
    static float x[BATCH * SIZE * SIZE * 3], t[BATCH], w[BATCH], y[2][BATCH * CLASSES], loss[BATCH];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = value(2, i);
    for (int i = 0; i < BATCH; i++)
        t[i] = (float)(i * 3 % CLASSES), w[i] = 1;
    for (int step = 0; step < STEPS; step++) {
        for (int k = 0; k < 2; k++) {
            struct vgg_net_io io = { .n = BATCH, .x = x, .t = t, .w = w, .loss = loss };
            cr_assert_eq(vgg_net_train(net[k], &io, &(struct vgg_step) { .learning_rate = 0.1f }), VGG_OK);
            io.n = BATCH - 1, io.y = y[k];
            cr_assert_eq(vgg_net_forward(net[k], &io), VGG_OK);
            cr_assert_eq(vgg_net_get_params(net[k], params[k]), VGG_OK);
        }
        cr_expect_eq(memcmp(y[0], y[1], sizeof y[0]), 0, "step %d: outputs differ", step);
        cr_expect_eq(memcmp(params[0], params[1], size), 0, "step %d: parameters differ", step);
    }
}

/* Steps and evaluations in turn, with all the memory and with no more than the arenas. */
static void networks(int shard)
{
    struct vgg_arch arch;
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_backend *backend;
    cr_assert_eq(vgg_arch_base(&arch, "vgg13", SIZE, SIZE, "block3_conv2"), VGG_OK);
    cr_assert_eq(vgg_arch_head(&arch, "gap,dense:10:softmax"), VGG_OK);
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    struct vgg_net *net[2];
    float *values[2] = { malloc(arch.param_size), malloc(arch.param_size) };
    cr_assert(values[0] && values[1]);
    net[0] = new_net(backend, &arch, shard, 0);
    net[1] = new_net(backend, &arch, shard, arenas(net[0]) + 1000);
    cr_expect_eq(arenas(net[1]), arenas(net[0]));
    train_both(net, values, arch.param_size);
    cr_expect_geq(vgg_net_kept(net[0]), (size_t)36 * 4 * 128 * 128);
    cr_expect_eq(vgg_net_kept(net[0]), net[0]->arena[VGG_ARENA_PARAM]->kept);
    cr_expect_eq(vgg_net_kept(net[1]), 0, "more than the limit");
    vgg_net_destroy(net[0]);
    vgg_net_destroy(net[1]);
    free(values[0]);
    free(values[1]);
    vgg_backend_close(backend);
}

Test(vk_kept, networks)
{
    as(NULL);
    networks(0);
}

Test(vk_kept, networks_in_shards_discrete)
{
    as("discrete");
    networks(1);
}

/* ---- benchmarks ---- */

/* Of VGG11 at 32x32, where one kernel goes by Winograd's algorithm, by `count` devices. */
struct measuring {
    struct vgg_bench bench;
    struct vgg_bench_subjects subjects;
    struct vgg_bench_options options;
    struct vgg_model *model;
};

static void open_measuring(struct measuring *m, const char *on)
{
    *m = (struct measuring) { .options = { .on = on, .passes = 1 << VGG_BENCH_FORWARD, .repeats = 1 } };
    const struct vgg_model_options network = { .arch = "vgg11", .weights = "random", .height = 32, .width = 32 };
    cr_assert_eq(vgg_bench_subjects_open(&m->subjects, &m->bench, &m->options), VGG_OK);
    cr_assert_eq(vgg_model_create(&m->model, &network), VGG_OK);
}

static void close_measuring(struct measuring *m)
{
    vgg_bench_subjects_close(&m->subjects);
    vgg_model_destroy(m->model);
    free(m->bench.result);
}

/* What the first device's result is with so much memory for each network. */
static struct vgg_bench_result measure(struct measuring *m, uint64_t memory)
{
    struct vgg_progress progress = { 0 };
    const struct vgg_bench_cell cell = {
        .options = &m->options, .batch = 1, .arch = &m->model->arch, .params = m->model->params, .progress = &progress
    };
    m->bench.results = 0;
    for (size_t i = 0; i < m->subjects.count; i++)
        m->subjects.item[i].memory = memory;
    cr_assert_eq(vgg_bench_cell_measure(&m->bench, &m->subjects, &cell), VGG_OK);
    cr_assert_eq(m->bench.results, m->subjects.count);
    return m->bench.result[0];
}

/* Copies count as parameters, and the limit holds for all that a benchmark has in one memory at a time. */
Test(vk_kept, benchmark)
{
    const uint64_t copy = (uint64_t)36 * 4 * VK_WINO_PLANE(64 * 128);
    struct measuring alone, both;
    as(NULL);
    open_measuring(&alone, "vulkan:0");
    struct vgg_bench_result all = measure(&alone, 0);
    uint64_t weights = all.parameters - copy, arenas = weights + all.activations;
    cr_expect_eq(weights, alone.model->arch.param_size);
    cr_expect_eq(measure(&alone, arenas).parameters, weights);
    cr_expect_eq(measure(&alone, arenas + copy - 1).parameters, weights);
    cr_expect_eq(measure(&alone, arenas + copy).parameters, weights + copy);
    close_measuring(&alone);
    open_measuring(&both, "vulkan:0,cpu:auto");
    cr_expect_eq(measure(&both, 2 * (arenas + copy) - 1).parameters, weights);
    cr_expect_eq(measure(&both, 2 * (arenas + copy)).parameters, weights + copy);
    cr_expect_eq(measure(&both, arenas + copy).parameters, weights + copy, "one after the other");
    close_measuring(&both);
}

/* What has memory of its own shares with nobody. */
Test(vk_kept, benchmark_discrete)
{
    const uint64_t copy = (uint64_t)36 * 4 * 64 * 128;
    struct measuring both;
    as("discrete");
    open_measuring(&both, "vulkan:0,cpu:auto");
    struct vgg_bench_result all = measure(&both, 0);
    uint64_t weights = both.model->arch.param_size, arenas = weights + all.activations;
    cr_expect_eq(all.parameters, weights + copy);
    cr_expect_eq(measure(&both, arenas + copy - 1).parameters, weights);
    cr_expect_eq(measure(&both, arenas + copy).parameters, weights + copy);
    close_measuring(&both);
}
