/* What benchmarks are made of, against numbers by hand: quartiles, distances, noise, load, energy, bytes of operations;
 * and roofs that are roofs. */
#include <math.h>

#include "core/bench/machine.h"
#include "core/bench/peak.h"
#include "core/bench/stats.h"
#include "core/engine/device.h"
#include "core/op/backend.h"
#include "tests/data_files.h"

Test(bench_stats, quartiles_of_known_numbers)
{
    double seconds[] = { 5, 1, 4, 2, 3 }, two[] = { 2, 1 }, one[] = { 7 };
    struct vgg_bench_time t = vgg_bench_stats(seconds, 5);
    cr_assert_eq(t.runs, 5);
    cr_expect_float_eq(t.min, 1, 1e-12);
    cr_expect_float_eq(t.q1, 2, 1e-12);
    cr_expect_float_eq(t.median, 3, 1e-12);
    cr_expect_float_eq(t.q3, 4, 1e-12);
    cr_expect_float_eq(t.max, 5, 1e-12);
    cr_expect_float_eq(vgg_bench_spread(&t), 2.0 / 3, 1e-12);
    t = vgg_bench_stats(two, 2);
    cr_expect_float_eq(t.q1, 1.25, 1e-12);
    cr_expect_float_eq(t.median, 1.5, 1e-12);
    t = vgg_bench_stats(one, 1);
    cr_expect_float_eq(t.q1, 7, 1e-12);
    cr_expect_float_eq(t.q3, 7, 1e-12);
}

Test(bench_stats, distance)
{
    const float a[] = { 3, 4, 0 }, b[] = { 3, 4, 0.5f }, bad[] = { 3, NAN, 0 }, zero[3] = { 0 };
    cr_expect_float_eq(vgg_bench_distance(a, a, 3), 0, 0);
    cr_expect_float_eq(vgg_bench_distance(a, b, 3), 0.1, 1e-12);
    cr_expect(isinf(vgg_bench_distance(a, bad, 3)));
    cr_expect(isinf(vgg_bench_distance(bad, a, 3)));
    cr_expect(isinf(vgg_bench_distance(zero, a, 3)));
    cr_expect_float_eq(vgg_bench_distance(zero, zero, 3), 0, 0);
}

Test(bench_stats, noise)
{
    const struct vgg_bench_time calm = { 5, 1, 1, 1, 1.09, 9 }, wild = { 5, 1, 1, 1, 1.11, 1.2 };
    cr_expect_eq(vgg_bench_noise_of(&calm, 0.04, 0.01), 0u);
    cr_expect_eq(vgg_bench_noise_of(&calm, (double)NAN, (double)NAN), 0u);
    cr_expect_eq(vgg_bench_noise_of(&wild, 0, 0), (unsigned)VGG_BENCH_NOISE_SPREAD);
    cr_expect_eq(vgg_bench_noise_of(&calm, 0.06, 0), (unsigned)VGG_BENCH_NOISE_LOAD);
    cr_expect_eq(vgg_bench_noise_of(&calm, 0, 0.03), (unsigned)VGG_BENCH_NOISE_STEAL);
}

Test(bench_machine, load_of_others)
{
    struct vgg_bench_cpu_time begin = { .wall = 10, .busy = 100, .steal = 3, .own = 5 };
    struct vgg_bench_cpu_time end = { .wall = 12, .busy = 103, .steal = 3.2, .own = 7 };
    double others, steal;
    vgg_bench_busy(&begin, &end, 4, &others, &steal);
    cr_expect_float_eq(others, (3.0 - 2.0) / (2 * 4), 1e-12);
    cr_expect_float_eq(steal, 0.2 / (2 * 4), 1e-9);
    end.own = 9; /* the kernel's ticks and ours do not meet exactly */
    vgg_bench_busy(&begin, &end, 4, &others, &steal);
    cr_expect_float_eq(others, 0, 0);
    end.wall = 10.4;
    vgg_bench_busy(&begin, &end, 4, &others, &steal);
    cr_expect(isnan(others) && isnan(steal), "too short to tell");
    end.wall = 12, end.busy = -1;
    vgg_bench_busy(&begin, &end, 4, &others, &steal);
    cr_expect(isnan(others), "not readable");
}

Test(bench_machine, processor_time_grows)
{
    struct vgg_bench_cpu_time begin = vgg_bench_cpu_now(), end;
    volatile double x = 1;
    do {
        for (int i = 0; i < 1000000; i++)
            x = x * 0.5 + 1;
        end = vgg_bench_cpu_now();
    } while (end.own - begin.own < 0.05);
    cr_expect_gt(end.wall, begin.wall);
    cr_expect_geq(end.busy - begin.busy, 0.02);
    cr_expect_gt(vgg_bench_peak_resident(), (uint64_t)1 << 20);
}

static void write_counter(const char *folder, int package, const char *value)
{
    char name[64];
    snprintf(name, sizeof name, "intel-rapl:%d/energy_uj", package);
    write_file(folder, name, value, strlen(value));
    snprintf(name, sizeof name, "intel-rapl:%d/max_energy_range_uj", package);
    write_file(folder, name, "10000000\n", 9);
}

Test(bench_machine, energy)
{
    char *folder = make_folder();
    struct vgg_bench_energy energy;
    vgg_bench_energy_init(&energy, folder);
    cr_expect_eq(energy.packages, 0);
    cr_expect(isnan(vgg_bench_energy_since(&energy)));
    write_counter(folder, 0, "1000000\n");
    write_counter(folder, 1, "9500000\n");
    vgg_bench_energy_init(&energy, folder);
    cr_assert_eq(energy.packages, 2);
    write_counter(folder, 0, "1250000\n");
    write_counter(folder, 1, "500000\n"); /* started anew */
    cr_expect_float_eq(vgg_bench_energy_since(&energy), 0.25 + 1.0, 1e-9);
    cr_expect_float_eq(vgg_bench_energy_since(&energy), 0, 1e-12);
    remove_folder(folder);
}

Test(bench_peak, bytes_and_operations_of_an_operation)
{
    struct vgg_op op = { .kind = VGG_OP_CONV,
                         .x = { .n = 2, .h = 4, .w = 6, .c = 8 },
                         .w = { .n = 3, .h = 3, .w = 8, .c = 16 },
                         .b = { .n = 1, .h = 1, .w = 1, .c = 16 },
                         .y = { .n = 2, .h = 4, .w = 6, .c = 16 } };
    cr_expect_float_eq(vgg_op_bytes(&op), 4.0 * (384 + 1152 + 16 + 768), 0);
    cr_expect_float_eq(vgg_op_flops(&op), 2.0 * 9 * 384 * 16, 0);
    struct vgg_op update = { .kind = VGG_OP_SGD, .w = { .n = 1, .h = 1, .w = 1, .c = 100 } };
    update.dw = update.m = update.w;
    cr_expect_float_eq(vgg_op_bytes(&update), 4.0 * 100 * (2 + 1 + 2), 0);
    struct vgg_op data = { .kind = VGG_OP_CONV_BWD_DATA, .x = op.x, .dx = op.x, .dy = op.y, .w = op.w };
    cr_expect_float_eq(vgg_op_bytes(&data), 4.0 * (384 + 768 + 1152), 0, "the mask is not read");
    data.flags = VGG_OP_RELU;
    cr_expect_float_eq(vgg_op_bytes(&data), 4.0 * (384 + 384 + 768 + 1152), 0);
}

Test(bench_peak, roofs_are_positive)
{
    const struct vgg_engine_options options = { .backend = "cpu" };
    struct vgg_backend *backend;
    double flops = 0, bytes = 0;
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    backend->device.memory = 64 << 20; /* sweeps over a few MiB */
    cr_assert_eq(vgg_bench_peak(backend, &flops), VGG_OK);
    cr_assert_eq(vgg_bench_bandwidth(backend, &bytes), VGG_OK);
    cr_expect(flops > 1e7 && flops < 1e15, "%g FLOP/s", flops);
    cr_expect(bytes > 1e7 && bytes < 1e14, "%g bytes/s", bytes);
    vgg_backend_close(backend);
}
