/* What the CPU backend promises beside results: errors in words, generations, packed weights, the caller's rounding. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/selftest/op_case.h"
#include "cpu/cpu.h"
#include "cpu/cpu_backend.h"

static char line[512];

static void on_log(void *user, enum vgg_log_level level, const char *text)
{
    (void)user;
    if (level == VGG_LOG_ERROR) snprintf(line, sizeof line, "%s", text);
}

static struct cpu *open_with(const char *isa, int threads, enum vgg_status expected)
{
    struct vgg_backend *backend;
    const struct vgg_backend_options options = { .device = -1, .isa = isa, .threads = threads };
    line[0] = '\0';
    vgg_log_set(on_log, NULL, VGG_LOG_ERROR);
    cr_assert_eq(cpu_backend_vtable.open(&backend, &options), expected, "isa %s threads %d", isa, threads);
    cr_assert_eq(backend != NULL, expected == VGG_OK);
    return (struct cpu *)backend;
}

static void close_cpu(struct cpu *cpu)
{
    cpu_backend_vtable.close(&cpu->base);
}

Test(cpu_backend, options_are_checked_in_words)
{
    open_with("sse9", 0, VGG_ERR_ARGUMENT);
    cr_expect_not_null(strstr(line, "sse9"));
    cr_expect_not_null(strstr(line, "avx2"));
    for (int isa = 0; isa < CPU_ISA_COUNT; isa++) {
        const char *name = cpu_isa_name((enum cpu_isa)isa);
        if (cpu_isa_found((enum cpu_isa)isa)) {
            struct cpu *cpu = open_with(name, 0, VGG_OK);
            cr_expect_eq(cpu->isa, (enum cpu_isa)isa);
            close_cpu(cpu);
        } else {
            open_with(name, 0, VGG_ERR_UNSUPPORTED);
            cr_expect_not_null(strstr(line, name));
        }
    }
    open_with(NULL, -1, VGG_ERR_ARGUMENT);
    cr_expect_not_null(strstr(line, "-1"));
    open_with(NULL, 1 << 20, VGG_ERR_ARGUMENT);
    struct vgg_backend *backend;
    const struct vgg_backend_options second = { .device = 1 };
    cr_expect_eq(cpu_backend_vtable.open(&backend, &second), VGG_ERR_MISSING);
    cr_expect_null(backend);
}

Test(cpu_backend, the_device_is_described)
{
    struct vgg_device_info *device;
    size_t count;
    cr_assert_eq(cpu_backend_vtable.devices(&device, &count), VGG_OK);
    cr_assert_eq(count, 1);
    cr_expect_str_eq(device->backend, "cpu");
    cr_expect_str_eq(device->type, "cpu");
    cr_expect_gt(strlen(device->name), 0);
    cr_expect_eq(strncmp(device->driver, "scalar", 6), 0);
    cr_expect_not_null(strstr(device->driver, cpu_isa_name(cpu_isa_best())));
    cr_expect_gt(device->memory, 1u << 20);
    cr_expect_geq(device->threads, 1);
    free(device);
}

Test(cpu_backend, generations_follow_writes)
{
    struct cpu *cpu = open_with(NULL, 2, VGG_OK);
    struct vgg_buf *base;
    cr_assert_eq(vgg_buf_create(&cpu->base, &base, 1 << 16), VGG_OK);
    struct cpu_buf *buf = (struct cpu_buf *)base;
    uint64_t fresh = cpu_buf_generation(buf, 0, 4096);
    char data[512] = { 0 };
    cr_assert_eq(vgg_buf_upload(base, 4096, data, sizeof data), VGG_OK);
    cr_expect_eq(cpu_buf_generation(buf, 0, 4096), fresh, "bytes before the write");
    cr_expect_eq(cpu_buf_generation(buf, 4608, 64), fresh, "bytes after the write");
    uint64_t written = cpu_buf_generation(buf, 4000, 200);
    cr_expect_gt(written, fresh);
    cr_assert_eq(vgg_buf_upload(base, 4096, data, sizeof data), VGG_OK);
    cr_expect_gt(cpu_buf_generation(buf, 4600, 8), written);
    cr_expect_eq(buf->spans, 1, "the same range takes one span");
    /* More ranges than are remembered: never an old generation for bytes that were written. */
    for (size_t i = 0; i < 40; i++) {
        uint64_t before = cpu->generation;
        cr_assert_eq(vgg_buf_upload(base, i * 7 % 40 * 1024, data, sizeof data), VGG_OK);
        cr_expect_gt(cpu_buf_generation(buf, i * 7 % 40 * 1024 + 511, 1), before);
        for (size_t j = 0; j < i; j++)
            cr_expect_gt(cpu_buf_generation(buf, j * 7 % 40 * 1024 + 511, 1), written, "range %zu after %zu", j, i);
    }
    cr_expect_leq(buf->spans, CPU_SPANS);
    uint64_t last = cpu->generation;
    vgg_buf_destroy(base);
    cr_assert_eq(vgg_buf_create(&cpu->base, &base, 1 << 16), VGG_OK);
    cr_expect_gt(cpu_buf_generation((struct cpu_buf *)base, 0, 1), last, "a new buffer at an old address");
    vgg_buf_destroy(base);
    close_cpu(cpu);
}

Test(cpu_backend, packed_weights_live_as_long_as_their_generation)
{
    struct cpu *cpu = open_with(NULL, 2, VGG_OK);
    float weights[300];
    void *first, *again;
    bool valid;
    struct cpu_args args = { .w = weights, .w_generation = 5 };
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, 100, &first, &valid), VGG_OK);
    cr_expect_not(valid);
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, 100, &again, &valid), VGG_OK);
    cr_expect(valid);
    cr_expect_eq(first, again);
    args.w_generation = 6;
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, 100, &again, &valid), VGG_OK);
    cr_expect_not(valid, "weights changed");
    cr_expect_eq(first, again, "the memory is used again");
    cr_assert_eq(cpu_pack_get(cpu, &args, 2, 100, &again, &valid), VGG_OK);
    cr_expect_not(valid, "another form");
    cr_expect_neq(first, again);
    for (int i = 0; i < 200; i++) {
        args.w = weights + i;
        cr_assert_eq(cpu_pack_get(cpu, &args, 1, 64, &again, &valid), VGG_OK);
    }
    cpu_pack_drop(cpu, weights, 100 * sizeof(float));
    args.w = weights + 100;
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, 64, &again, &valid), VGG_OK);
    cr_expect(valid, "outside of what was dropped");
    args.w = weights + 99;
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, 64, &again, &valid), VGG_OK);
    cr_expect_not(valid, "dropped");
    close_cpu(cpu);
}

Test(cpu_backend, weights_packed_for_one_operation_share_their_memory)
{
    struct cpu *cpu = open_with(NULL, 2, VGG_OK);
    enum { SIZE = 3 << 20 };
    float weights[2];
    void *kept, *passing, *again;
    bool valid;
    struct cpu_args args = { .w = weights, .w_generation = 5 };
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, SIZE, &kept, &valid), VGG_OK);
    memset(kept, 1, SIZE);
    args.passing = true;
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, SIZE, &passing, &valid), VGG_OK);
    cr_expect_not(valid);
    cr_expect_neq(kept, passing);
#ifdef __linux__
    cr_expect_eq(((unsigned char *)kept)[SIZE / 2], 0, "was not given back");
#endif
    cr_assert_eq(cpu_pack_get(cpu, &args, 2, SIZE / 2, &again, &valid), VGG_OK);
    cr_expect_not(valid);
    cr_expect_eq(passing, again);
    args.w = weights + 1;
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, SIZE, &again, &valid), VGG_OK);
    cr_expect_not(valid);
    cr_expect_eq(passing, again);
    args = (struct cpu_args) { .w = weights, .w_generation = 5 };
    cr_assert_eq(cpu_pack_get(cpu, &args, 1, SIZE, &again, &valid), VGG_OK);
    cr_expect_not(valid, "what was given back");
    cr_expect_eq(kept, again);
    close_cpu(cpu);
}

/* A list that makes the gradient of its weights keeps nothing packed; others do, and their bits agree. */
Test(cpu_backend, a_step_keeps_nothing_packed)
{
    enum { H = 12, W = 14, IN = 16, OUT = 32, KERNEL = 9 * IN * OUT, COUNT = KERNEL + 64, MAP = H * W * IN };
    const struct vgg_view x = { 0, VGG_ARENA_ACT, VGG_F32, 1, H, W, IN };
    const struct vgg_view w = { 0, VGG_ARENA_PARAM, VGG_F32, 3, 3, IN, OUT };
    const struct vgg_view b = { KERNEL * sizeof(float), VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, OUT };
    const struct vgg_view y = { MAP * sizeof(float), VGG_ARENA_ACT, VGG_F32, 1, H, W, OUT };
    const struct vgg_view dx = { 3 * MAP * sizeof(float), VGG_ARENA_ACT, VGG_F32, 1, H, W, IN };
    struct vgg_view dw = w, db = b;
    dw.arena = db.arena = VGG_ARENA_GRAD;
    struct vgg_op op[] = { { VGG_OP_CONV, .layer = 3, .x = x, .w = w, .b = b, .y = y },
                           { VGG_OP_CONV_BWD_WEIGHT, .layer = 3, .x = x, .dy = y, .dw = dw, .db = db },
                           { VGG_OP_CONV_BWD_DATA, .layer = 3, .dy = y, .w = w, .dx = dx } };
    static float values[COUNT], results[2][MAP];
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)(i * 37 % 101) / 101 - 0.5f;
    for (int other = 0; other < 2; other++) { /* the gradient of another layer's weights */
        struct cpu *cpu = open_with(NULL, 2, VGG_OK);
        struct vgg_list list = { .op = op, .count = 3 };
        const size_t size[] = { COUNT * sizeof(float), COUNT * sizeof(float), 0, 4 * MAP * sizeof(float) };
        op[1].layer = 3 + other;
        for (int i = 0; i < 4; i++)
            if (size[i]) cr_assert_eq(vgg_buf_create(&cpu->base, &list.arena[i], size[i]), VGG_OK);
        cr_assert_eq(vgg_buf_upload(list.arena[VGG_ARENA_PARAM], 0, values, sizeof values), VGG_OK);
        cr_assert_eq(vgg_buf_upload(list.arena[VGG_ARENA_ACT], 0, values, MAP * sizeof(float)), VGG_OK);
        cr_assert_eq(vgg_backend_run(&cpu->base, &list, &(struct vgg_step) { 0 }), VGG_OK);
        cr_assert_eq(vgg_buf_download(list.arena[VGG_ARENA_ACT], dx.offset, results[other], sizeof results[other]),
                     VGG_OK);
        bool packs = cpu->isa != CPU_ISA_SCALAR;
        cr_expect_eq(cpu->pack_count, packs && other ? 2u : 0u);
        cr_expect_eq(cpu->passing.size > 0, packs && !other);
        for (int i = 0; i < 4; i++)
            vgg_buf_destroy(list.arena[i]);
        close_cpu(cpu);
    }
    cr_expect_arr_eq(results[0], results[1], sizeof results[0]);
    cr_expect_neq(results[0][5], 0);
}

/* One convolution 3x3 of a 6x5 map with 16 channels to 32, in buffers of its own. */
static void run_settled(struct cpu *cpu, struct vgg_buf *param, struct vgg_buf *act, float *y, enum vgg_status expected)
{
    const struct vgg_view x = { 0, VGG_ARENA_ACT, VGG_F32, 1, 6, 5, 16 };
    const struct vgg_op op = { .kind = VGG_OP_CONV,
                               .x = x,
                               .w = { 8192, VGG_ARENA_PARAM, VGG_F32, 3, 3, 16, 32 },
                               .b = { 8192 + 18432, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, 32 },
                               .y = { 4096, VGG_ARENA_ACT, VGG_F32, 1, 6, 5, 32 } };
    const struct vgg_list list = { .op = &op,
                                   .count = 1,
                                   .arena = { [VGG_ARENA_PARAM] = param, [VGG_ARENA_ACT] = act } };
    cr_assert_eq(vgg_backend_run(&cpu->base, &list, &(struct vgg_step) { 0 }), expected, "%s", line);
    if (expected == VGG_OK) cr_assert_eq(vgg_buf_download(act, op.y.offset, y, vgg_view_size(&op.y)), VGG_OK);
}

Test(cpu_backend, settled_kernels_are_there_in_their_packed_form_alone)
{
    enum { KERNEL = 18432, AT = 8192, ALL = AT + KERNEL + 128, OUT = 6 * 5 * 32 };
    static float params[ALL / 4], map[6 * 5 * 16], expected[OUT], y[OUT], back[ALL / 4];
    struct cpu *cpu = open_with(NULL, 2, VGG_OK);
    struct vgg_buf *param, *act;
    for (int i = 0; i < ALL / 4; i++)
        params[i] = (float)((i * 37 + i / 7) % 101 - 50) / 64;
    for (int i = 0; i < 6 * 5 * 16; i++)
        map[i] = (float)((i * 29 + i / 5) % 83 - 41) / 32;
    cr_assert_eq(vgg_buf_create(&cpu->base, &act, 4096 + sizeof y), VGG_OK);
    cr_assert_eq(vgg_buf_upload(act, 0, map, sizeof map), VGG_OK);
    for (int settled = 0; settled < 2; settled++) {
        cr_assert_eq(vgg_buf_create(&cpu->base, &param, ALL), VGG_OK);
        if (settled) vgg_buf_settle(param);
        cr_assert_eq(vgg_buf_upload(param, 0, params, ALL), VGG_OK);
        run_settled(cpu, param, act, settled ? y : expected, VGG_OK);
        if (!settled) vgg_buf_destroy(param);
    }
    cr_expect_arr_eq(y, expected, sizeof y, "the first run");
    cr_assert_eq(cpu->pack_count, 1);
    cr_expect_eq(vgg_buf_download(param, 0, back, AT + 4), VGG_ERR_ARGUMENT, "the kernel's first value");
    cr_expect_not_null(strstr(line, "given back"));
    cr_expect_eq(vgg_buf_download(param, AT + KERNEL - 4, back, 132), VGG_ERR_ARGUMENT, "the kernel's last value");
    cr_assert_eq(vgg_buf_download(param, 0, back, AT), VGG_OK);
    cr_expect_arr_eq(back, params, AT, "what lies before");
    cr_assert_eq(vgg_buf_download(param, AT + KERNEL, back, 128), VGG_OK);
    cr_expect_arr_eq(back, params + (AT + KERNEL) / 4, 128, "the bias");
    cr_expect_eq(vgg_buf_upload(param, AT + 4, params, KERNEL), VGG_ERR_ARGUMENT, "not the kernel's first value");
    cr_expect_eq(vgg_buf_upload(param, AT - 4, params, KERNEL), VGG_ERR_ARGUMENT, "not its last two");
    /* More writes beside it than spans are kept: what is taken for newer weights than were packed. */
    for (size_t i = 0; i < 3 * CPU_SPANS; i++)
        cr_assert_eq(vgg_buf_upload(param, i % 2 ? AT + KERNEL + i % 32 * 4 : i * 8, params, 4), VGG_OK);
    cr_assert_eq(vgg_buf_upload(param, AT + KERNEL, params + (AT + KERNEL) / 4, 128), VGG_OK);
    run_settled(cpu, param, act, y, VGG_OK);
    cr_expect_arr_eq(y, expected, sizeof y, "after writes beside the kernel");
    for (int i = 0; i < KERNEL / 4; i++)
        params[AT / 4 + i] *= 2;
    for (int i = 0; i < 32; i++)
        params[(AT + KERNEL) / 4 + i] *= 2;
    cr_assert_eq(vgg_buf_upload(param, AT, params + AT / 4, KERNEL + 128), VGG_OK);
    cr_assert_eq(vgg_buf_download(param, AT, back, KERNEL), VGG_OK);
    cr_expect_arr_eq(back, params + AT / 4, KERNEL, "written as a whole");
    run_settled(cpu, param, act, y, VGG_OK);
    for (int i = 0; i < OUT; i++)
        cr_expect_eq(y[i], 2 * expected[i], "new weights, value %d", i);
    vgg_buf_destroy(param);
    vgg_buf_destroy(act);
    close_cpu(cpu);
}

/* Results must not depend on which thread met a denormal, and the caller's arithmetic stays as it was. */
Test(cpu_backend, denormals_are_flushed_inside_and_only_inside)
{
    enum { COUNT = 16384 * 7 };
    struct cpu *cpu = open_with(NULL, 3, VGG_OK);
    struct vgg_buf *buf;
    float *values = malloc(COUNT * sizeof *values);
    cr_assert_not_null(values);
    for (size_t i = 0; i < COUNT; i++)
        values[i] = 1e-40f;
    cr_assert_eq(vgg_buf_create(&cpu->base, &buf, COUNT * sizeof *values), VGG_OK);
    cr_assert_eq(vgg_buf_upload(buf, 0, values, COUNT * sizeof *values), VGG_OK);
    struct vgg_op op = { .kind = VGG_OP_DROPOUT };
    op.x = op.y = (struct vgg_view) { .arena = VGG_ARENA_ACT, .n = 1, .h = 1, .w = 1, .c = COUNT };
    const struct vgg_list list = { .op = &op, .count = 1, .arena = { [VGG_ARENA_ACT] = buf } };
    const struct vgg_step step = { .seed = 1 };
    cr_assert_eq(vgg_backend_run(&cpu->base, &list, &step), VGG_OK);
    cr_assert_eq(vgg_buf_download(buf, 0, values, COUNT * sizeof *values), VGG_OK);
    for (size_t i = 0; i < COUNT; i++)
        cr_assert_eq(values[i], 0, "element %zu", i);
    volatile float tiny = 1e-40f;
    cr_expect_neq(tiny * 0.5f, 0, "the caller's own denormals are gone");
    vgg_buf_destroy(buf);
    free(values);
    close_cpu(cpu);
}

/* After the first run of a list nothing grows. */
Test(cpu_backend, the_steady_state_keeps_its_memory)
{
    struct cpu *cpu = open_with(NULL, 2, VGG_OK);
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large) continue;
        struct vgg_op_case_memory memory;
        struct vgg_list once = { .op = &test->op, .count = 1 };
        cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
        for (int a = 0; a < VGG_ARENA_COUNT; a++) {
            if (!test->arena_size[a]) continue;
            cr_assert_eq(vgg_buf_create(&cpu->base, &once.arena[a], test->arena_size[a]), VGG_OK);
            cr_assert_eq(vgg_buf_upload(once.arena[a], 0, memory.arena[a], test->arena_size[a]), VGG_OK);
        }
        double seconds = -1;
        uint64_t ticket = 1;
        cr_assert_eq(vgg_backend_submit(&cpu->base, &once, &test->step, &seconds, &ticket), VGG_OK, "%s", line);
        cr_expect_eq(ticket, 0);
        cr_expect_geq(seconds, 0);
        const void *scratch = cpu->scratch.data;
        size_t packs = cpu->pack_count;
        cr_assert_eq(vgg_backend_run(&cpu->base, &once, &test->step), VGG_OK);
        cr_expect_eq(cpu->scratch.data, scratch, "%s", test->text);
        cr_expect_eq(cpu->pack_count, packs, "%s", test->text);
        for (int a = 0; a < VGG_ARENA_COUNT; a++)
            vgg_buf_destroy(once.arena[a]);
        cr_expect_eq(cpu->pack_count, 0, "weights packed for a buffer that is gone: %s", test->text);
        vgg_op_case_memory_finish(&memory);
    }
    vgg_op_case_list_finish(&list);
    close_cpu(cpu);
}
