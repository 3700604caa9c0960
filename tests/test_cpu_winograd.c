/* test_cpu_winograd.c: Winograd convolutions of every ISA level found, in all passes and for all tiles, against sums in
 * double and the bound that cpu/cpu_winograd.h states: the same computation on magnitudes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conv_trial.h"
#include "core/arch/arch.h"
#include "core/base/rng.h"
#include "cpu/cpu_winograd.h"

enum { T = CPU_WINOGRAD_MAX_T };

/* |B^T| (t x t), |G| (t x 3) and |A^T| (m x t). */
struct magnitudes {
    double b[T][T], g[T][3], a[T][T];
};

/* From Lavin and Gray (m = 2) and the same construction with the points of m = 4 and 6. */
static const struct magnitudes magnitudes[3] = {
    { .b = { { 1, 0, 1 }, { 0, 1, 1 }, { 0, 1, 1 }, { 0, 1, 0, 1 } },
      .g = { { 1 }, { 0.5, 0.5, 0.5 }, { 0.5, 0.5, 0.5 }, { 0, 0, 1 } },
      .a = { { 1, 1, 1, 0 }, { 0, 1, 1, 1 } } },
    { .b = { { 0.87890625, 0, 2.640625, 0, 1 },
             { 0, 1.40625, 2.25, 0.625, 1 },
             { 0, 1.40625, 2.25, 0.625, 1 },
             { 0, 0.5859375, 0.390625, 1.5, 1 },
             { 0, 0.5859375, 0.390625, 1.5, 1 },
             { 0, 0.87890625, 0, 2.640625, 0, 1 } },
      .g = { { 256.0 / 225 },
             { 2048.0 / 2975, 256.0 / 595, 32.0 / 119 },
             { 2048.0 / 2975, 256.0 / 595, 32.0 / 119 },
             { 128.0 / 1071, 64.0 / 357, 32.0 / 119 },
             { 128.0 / 1071, 64.0 / 357, 32.0 / 119 },
             { 0, 0, 1 } },
      .a = { { 1, 1, 1, 1, 1, 0 },
             { 0, 0.625, 0.625, 1.5, 1.5, 0 },
             { 0, 0.390625, 0.390625, 2.25, 2.25, 0 },
             { 0, 0.244140625, 0.244140625, 3.375, 3.375, 1 } } },
    { .b = { { 1, 0, 5.25, 0, 5.25, 0, 1 },
             { 0, 1, 1, 4.25, 4.25, 1, 1 },
             { 0, 1, 1, 4.25, 4.25, 1, 1 },
             { 0, 0.5, 0.25, 2.5, 1.25, 2, 1 },
             { 0, 0.5, 0.25, 2.5, 1.25, 2, 1 },
             { 0, 2, 4, 2.5, 5, 0.5, 1 },
             { 0, 2, 4, 2.5, 5, 0.5, 1 },
             { 0, 1, 0, 5.25, 0, 5.25, 0, 1 } },
      .g = { { 1 },
             { 2.0 / 9, 2.0 / 9, 2.0 / 9 },
             { 2.0 / 9, 2.0 / 9, 2.0 / 9 },
             { 1.0 / 90, 1.0 / 45, 2.0 / 45 },
             { 1.0 / 90, 1.0 / 45, 2.0 / 45 },
             { 32.0 / 45, 16.0 / 45, 8.0 / 45 },
             { 32.0 / 45, 16.0 / 45, 8.0 / 45 },
             { 0, 0, 1 } },
      .a = { { 1, 1, 1, 1, 1, 1, 1, 0 },
             { 0, 1, 1, 2, 2, 0.5, 0.5, 0 },
             { 0, 1, 1, 4, 4, 0.25, 0.25, 0 },
             { 0, 1, 1, 8, 8, 0.125, 0.125, 0 },
             { 0, 1, 1, 16, 16, 0.0625, 0.0625, 0 },
             { 0, 1, 1, 32, 32, 0.03125, 0.03125, 1 } } },
};

/* The tile that the bounds are computed for. */
static int tile_m;

/* out (rows x rows) = |l| |x| |l|^T for l (rows x inner) with `stride` columns; transposed: l^T is meant. */
static void sandwich(double *out, const double *l, int stride, int rows, int inner, bool transposed, const double *x)
{
    double mid[T][T] = { { 0 } };
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < inner; j++)
            for (int k = 0; k < inner; k++)
                mid[i][j] += (transposed ? l[k * stride + i] : l[i * stride + k]) * fabs(x[k * inner + j]);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            out[i * rows + j] = 0;
            for (int k = 0; k < inner; k++)
                out[i * rows + j] += mid[i][k] * (transposed ? l[k * stride + j] : l[j * stride + k]);
        }
}

/* The t x t or m x m values of one channel from (y, x) on, zero outside. */
static void tile_read(double *tile, const struct trial *t, const struct vgg_view *view, int i, int y, int x, int k,
                      int size)
{
    const float *data = trial_at(t, view);
    for (int a = 0; a < size; a++)
        for (int b = 0; b < size; b++) {
            bool inside = y + a >= 0 && y + a < view->h && x + b >= 0 && x + b < view->w;
            tile[a * size + b] = inside ? (double)data[((i * view->h + y + a) * view->w + x + b) * view->c + k] : 0;
        }
}

/* Forward and input gradient. */
static void product_bound(struct trial *t)
{
    const struct vgg_op *op = &t->op;
    const struct magnitudes *l = &magnitudes[tile_m / 2 - 1];
    bool turned = op->kind == VGG_OP_CONV_BWD_DATA;
    const struct vgg_view *in = turned ? &op->dy : &op->x;
    int m = tile_m, s = m + 2, cin = in->c, cout = turned ? op->dx.c : op->w.c;
    const float *w = trial_at(t, &op->w), *bias = trial_at(t, &op->b);
    double *u = malloc((size_t)(cin * cout * s * s) * sizeof *u), *v = malloc((size_t)(cin * s * s) * sizeof *v);
    t->bound = calloc((size_t)in->n * (size_t)in->h * (size_t)in->w * (size_t)cout, sizeof *t->bound);
    for (int c = 0; c < cin; c++)
        for (int k = 0; k < cout; k++) {
            double g[9];
            for (int tap = 0; tap < 9; tap++)
                g[tap] = (double)(turned ? w[((8 - tap) * cout + k) * cin + c] : w[(tap * cin + c) * cout + k]);
            sandwich(u + (c * cout + k) * s * s, l->g[0], 3, s, 3, false, g);
        }
    for (int i = 0; i < in->n; i++)
        for (int y = 0; y < in->h; y += m)
            for (int x = 0; x < in->w; x += m) {
                for (int c = 0; c < cin; c++) {
                    double d[T * T];
                    tile_read(d, t, in, i, y - 1, x - 1, c, s);
                    sandwich(v + c * s * s, l->b[0], T, s, s, false, d);
                }
                for (int k = 0; k < cout; k++) {
                    double sum[T * T] = { 0 }, out[T * T];
                    for (int c = 0; c < cin; c++)
                        for (int q = 0; q < s * s; q++)
                            sum[q] += v[c * s * s + q] * u[(c * cout + k) * s * s + q];
                    sandwich(out, l->a[0], T, m, s, false, sum);
                    for (int a = 0; a < m && y + a < in->h; a++)
                        for (int b = 0; b < m && x + b < in->w; b++)
                            t->bound[((i * in->h + y + a) * in->w + x + b) * cout + k] =
                                (cin + CPU_WINOGRAD_STEPS) * 0x1p-24 *
                                (out[a * m + b] + (bias && !turned ? fabs((double)bias[k]) : 0));
                }
            }
    t->exact = t->exact && m == 2;
    free(u);
    free(v);
}

/* Weight gradient. */
static void weight_bound(struct trial *t)
{
    const struct vgg_op *op = &t->op;
    const struct magnitudes *l = &magnitudes[tile_m / 2 - 1];
    int m = tile_m, s = m + 2, cin = op->x.c, cout = op->dy.c, tiles = 0;
    double *sum = calloc((size_t)(cin * cout * s * s), sizeof *sum);
    double *v = malloc((size_t)(cin * s * s) * sizeof *v), *d = malloc((size_t)(cout * s * s) * sizeof *d), tile[T * T];
    const float *dw = trial_at(t, &op->dw);
    t->bound = calloc((size_t)(9 * cin * cout), sizeof *t->bound);
    for (int i = 0; i < op->x.n; i++)
        for (int y = 0; y < op->x.h; y += m)
            for (int x = 0; x < op->x.w; x += m, tiles++) {
                for (int c = 0; c < cin; c++) {
                    tile_read(tile, t, &op->x, i, y - 1, x - 1, c, s);
                    sandwich(v + c * s * s, l->b[0], T, s, s, false, tile);
                }
                for (int k = 0; k < cout; k++) {
                    tile_read(tile, t, &op->dy, i, y, x, k, m);
                    sandwich(d + k * s * s, l->a[0], T, s, m, true, tile);
                }
                for (int c = 0; c < cin; c++)
                    for (int k = 0; k < cout; k++)
                        for (int q = 0; q < s * s; q++)
                            sum[(c * cout + k) * s * s + q] += v[c * s * s + q] * d[k * s * s + q];
            }
    for (int c = 0; c < cin; c++)
        for (int k = 0; k < cout; k++) {
            double out[9];
            sandwich(out, l->g[0], 3, 3, s, true, sum + (c * cout + k) * s * s);
            for (int tap = 0; tap < 9; tap++) {
                size_t o = (size_t)((tap * cin + c) * cout + k);
                t->bound[o] = (tiles + CPU_WINOGRAD_STEPS) * 0x1p-24 * (out[tap] + fabs((double)dw[o]));
            }
        }
    free(sum);
    free(v);
    free(d);
}

static const struct trial_shape shapes[] = {
    { 1, 1, 1, 16, 16 },   { 2, 5, 7, 16, 32 }, { 1, 12, 12, 32, 16 }, { 1, 13, 11, 48, 16 }, { 3, 2, 3, 16, 64 },
    { 2, 37, 38, 16, 16 }, { 1, 9, 9, 64, 80 }, { 7, 4, 4, 16, 16 },   { 1, 3, 2, 512, 16 },  { 1, 6, 5, 16, 272 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };
/* Filters that all threads share, and more tiles than one of their blocks holds. */
static const struct trial_shape shared = { 5, 14, 14, 192, 128 };
/* Few weights and many tiles: threads sum parts of them, of which there are four; the last panel has no partner. */
static const struct trial_shape parted = { 2, 41, 43, 16, 528 };
static const char *const tiles[] = { "winograd2", "winograd4", "winograd6" };

static void forward_all(const char *isa)
{
    for (int f = 0; f < 3; f++)
        for (int i = 0; i < SHAPES; i++) {
            tile_m = 2 * f + 2;
            trial_check(VGG_OP_CONV, 0, false, shapes[i], TRIAL_REALS, isa, tiles[f], product_bound);
            trial_check(VGG_OP_CONV, VGG_OP_RELU, false, shapes[i], TRIAL_EXTREMES, isa, tiles[f], product_bound);
            if (shapes[i].h < 2 || shapes[i].w < 2) continue;
            trial_check(VGG_OP_CONV, VGG_OP_POOL, false, shapes[i], TRIAL_REALS, isa, tiles[f], product_bound);
            trial_check(VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true, shapes[i], TRIAL_WHOLE, isa, tiles[f],
                        product_bound);
        }
    tile_m = 4;
    trial_check(VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true, shared, TRIAL_REALS, isa, tiles[1], product_bound);
}

static void data_all(const char *isa)
{
    for (int f = 0; f < 3; f++)
        for (int i = 0; i < SHAPES; i++) {
            tile_m = 2 * f + 2;
            trial_check(VGG_OP_CONV_BWD_DATA, 0, false, shapes[i], TRIAL_EXTREMES, isa, tiles[f], product_bound);
            trial_check(VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false, shapes[i], TRIAL_REALS, isa, tiles[f], product_bound);
        }
    tile_m = 4;
    trial_check(VGG_OP_CONV_BWD_DATA, 0, false, shared, TRIAL_REALS, isa, tiles[1], product_bound);
}

static void weight_all(const char *isa)
{
    for (int f = 0; f < 3; f++)
        for (int i = 0; i < SHAPES; i++) {
            tile_m = 2 * f + 2;
            trial_check(VGG_OP_CONV_BWD_WEIGHT, 0, false, shapes[i], i % 2 ? TRIAL_EXTREMES : TRIAL_REALS, isa,
                        tiles[f], weight_bound);
        }
    tile_m = 4;
    trial_check(VGG_OP_CONV_BWD_WEIGHT, 0, false, parted, TRIAL_REALS, isa, tiles[1], weight_bound);
}

Test(cpu_winograd, forward)
{
    trial_levels(forward_all);
}

Test(cpu_winograd, backward_data)
{
    trial_levels(data_all);
}

Test(cpu_winograd, backward_weight)
{
    trial_levels(weight_all);
}
