/* Every NEON kernel against plain C, bit for bit except where products are fused, in a program of its own: it is built
 * for aarch64 and run by an emulator where the processor is another. Prints a line for each kernel; exit code 1 when
 * one differs. */
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "cpu/cpu_kernels.h"

enum { MOST = 300, GUARD = 8 };

static const size_t sizes[] = { 0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 67 };
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Inputs with signs, zeros, equal neighbours and extremes. */
static void fill(float *x, size_t count, uint64_t stream)
{
    static const float planted[] = { 0.0f, -0.0f, 1e30f, -1e30f, 1e-30f, 1.0f };
    for (size_t i = 0; i < count; i++) {
        uint32_t r = vgg_rng_u32(3, VGG_RNG_INIT, stream, i);
        x[i] = r % 7 == 0 ? planted[r / 7 % 6] : (float)(int32_t)r * 0x1p-30f;
    }
}

static int failures;

static void report(const char *name, int differs)
{
    printf("%s %s\n", differs ? "FAIL" : "pass", name);
    failures += differs;
}

static void check_pool(void)
{
    static float x[4 * 20 * 67], y[2][20 * 67 + GUARD], dx[2][4 * 20 * 67 + GUARD];
    static uint8_t arg[2][20 * 67 + GUARD];
    int forward = 0, backward = 0;
    for (int s = 0; s < SIZES; s++) {
        for (size_t w = 0; w <= 5; w++) {
            size_t c = sizes[s], row = 2 * w * c;
            fill(x, 2 * row, s);
            memset(y, 0x5A, sizeof y), memset(arg, 0x5A, sizeof arg), memset(dx, 0x5A, sizeof dx);
            cpu_pool2_row_c(y[0], arg[0], x, x + row, w, c);
            cpu_pool2_row_neon(y[1], arg[1], x, x + row, w, c);
            forward |= memcmp(y[0], y[1], sizeof y[0]) || memcmp(arg[0], arg[1], sizeof arg[0]);
            cpu_pool2_bwd_row_c(dx[0], dx[0] + row, x, arg[0], y[0], w, c);
            cpu_pool2_bwd_row_neon(dx[1], dx[1] + row, x, arg[0], y[0], w, c);
            backward |= memcmp(dx[0], dx[1], sizeof dx[0]) != 0;
        }
    }
    report("pool2_row", forward);
    report("pool2_bwd_row", backward);
}

static void check_global_pool(void)
{
    static float x[9 * 70], y[2][70], dx[2][9 * 70];
    int average = 0, maximum = 0, average_bwd = 0, maximum_bwd = 0;
    for (int s = 0; s < SIZES; s++) {
        size_t c = sizes[s], pixels = 9, stride = 70;
        fill(x, pixels * stride, s);
        memset(y, 0x5A, sizeof y), memset(dx, 0x5A, sizeof dx);
        cpu_avgpool_c(y[0], x, pixels, stride, c), cpu_avgpool_neon(y[1], x, pixels, stride, c);
        average |= memcmp(y[0], y[1], sizeof y[0]) != 0;
        cpu_gmaxpool_c(y[0], x, pixels, stride, c), cpu_gmaxpool_neon(y[1], x, pixels, stride, c);
        maximum |= memcmp(y[0], y[1], sizeof y[0]) != 0;
        cpu_avgpool_bwd_c(dx[0], y[0], x, pixels, stride, c), cpu_avgpool_bwd_neon(dx[1], y[0], x, pixels, stride, c);
        average_bwd |= memcmp(dx[0], dx[1], sizeof dx[0]) != 0;
        cpu_gmaxpool_bwd_c(dx[0], y[0], x, true, pixels, stride, c);
        cpu_gmaxpool_bwd_neon(dx[1], y[0], x, true, pixels, stride, c);
        maximum_bwd |= memcmp(dx[0], dx[1], sizeof dx[0]) != 0;
    }
    report("avgpool", average);
    report("gmaxpool", maximum);
    report("avgpool_bwd", average_bwd);
    report("gmaxpool_bwd", maximum_bwd);
}

static void check_dropout(void)
{
    static float x[MOST], y[2][MOST + GUARD];
    const struct cpu_dropout dropout = { 5, vgg_rng_dropout_stream(9, 3), vgg_rng_dropout_threshold(0.4f), 0.6f };
    int differs = 0;
    fill(x, MOST, 1);
    for (int s = 0; s < SIZES; s++) {
        for (uint64_t index = 0; index < 6; index++) {
            memset(y, 0x5A, sizeof y);
            cpu_dropout_c(y[0], x, sizes[s], index, &dropout);
            cpu_dropout_neon(y[1], x, sizes[s], index, &dropout);
            differs |= memcmp(y[0], y[1], sizeof y[0]) != 0;
        }
    }
    report("dropout", differs);
}

static void check_update(const char *name, cpu_update_fn *plain, cpu_update_fn *neon)
{
    static float w[2][MOST], m[2][MOST], v[2][MOST], dw[MOST];
    int differs = 0;
    for (int s = 0; s < SIZES; s++) {
        for (int nesterov = 0; nesterov < 2; nesterov++) {
            const struct cpu_update update = { 1e-2f, 0.9f, 0.9f, 0.9f, 0.999f, 1e-7f, 1e-3f, 0.1f, 1e-3f, nesterov };
            for (int k = 0; k < 2; k++) {
                for (size_t i = 0; i < MOST; i++) {
                    w[k][i] = vgg_rng_uniform(1, VGG_RNG_INIT, 1, i) - 0.5f;
                    m[k][i] = vgg_rng_uniform(1, VGG_RNG_INIT, 2, i) - 0.5f;
                    v[k][i] = vgg_rng_uniform(1, VGG_RNG_INIT, 3, i);
                    dw[i] = vgg_rng_uniform(1, VGG_RNG_INIT, 4, i) - 0.5f;
                }
                (k ? neon : plain)(w[k], m[k], v[k], dw, sizes[s], &update);
            }
            differs |=
                memcmp(w[0], w[1], sizeof w[0]) || memcmp(m[0], m[1], sizeof m[0]) || memcmp(v[0], v[1], sizeof v[0]);
        }
    }
    report(name, differs);
}

/* Fused or rounded twice: within a few units in the last place. */
static void check_fma(void)
{
    static float x[MOST], y[2][MOST + GUARD];
    int differs = 0;
    for (size_t i = 0; i < MOST; i++)
        x[i] = 4.0f * vgg_rng_uniform(1, VGG_RNG_INIT, 5, i) - 2.0f;
    for (size_t count = 0; count <= MOST; count += 12) {
        memset(y, 0x5A, sizeof y);
        cpu_fma_c(y[0], x, count, 7);
        cpu_fma_neon(y[1], x, count, 7);
        for (size_t i = 0; i < count; i++)
            differs |= !(y[0][i] - y[1][i] < 2e-6f && y[1][i] - y[0][i] < 2e-6f);
        differs |= memcmp(y[0] + count, y[1] + count, GUARD * sizeof(float)) != 0;
    }
    report("fma", differs);
}

int main(void)
{
    check_pool();
    check_global_pool();
    check_dropout();
    check_fma();
    check_update("sgd_update", cpu_sgd_update_c, cpu_sgd_update_neon);
    check_update("rmsprop_update", cpu_rmsprop_update_c, cpu_rmsprop_update_neon);
    check_update("adam_update", cpu_adam_update_c, cpu_adam_update_neon);
    check_update("adamw_update", cpu_adamw_update_c, cpu_adamw_update_neon);
    return failures != 0;
}
