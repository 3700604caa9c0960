/* test_cpu_conv.c: convolutions and dense layers of every ISA level found, against sums in double: error bounds, fused
 * bias, ReLU, pooling and masks, guard bands, planted extremes, changed weights, and the same bits for any thread
 * count. */
#include <criterion/criterion.h>

#include "conv_trial.h"

/* Single elements, whole and ragged tiles, primes, rows longer than a block, layers of VGG networks. */
static const struct trial_shape shapes[] = {
    { 1, 1, 1, 1, 1 },    { 1, 2, 2, 3, 16 },   { 2, 2, 3, 4, 15 },     { 1, 5, 7, 3, 64 },
    { 2, 7, 5, 17, 19 },  { 3, 3, 2, 6, 17 },   { 1, 13, 11, 31, 33 },  { 5, 2, 2, 64, 64 },
    { 1, 3, 601, 3, 5 },  { 2, 9, 9, 128, 16 }, { 1, 14, 14, 512, 16 }, { 1, 4, 14, 16, 512 },
    { 1, 37, 38, 8, 12 }, { 1, 6, 224, 3, 64 }, { 1, 5, 112, 64, 32 },  { 3, 11, 100, 3, 32 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void forward_all(const char *isa)
{
    for (int i = 0; i < SHAPES; i++) {
        trial_check(VGG_OP_CONV, 0, false, shapes[i], TRIAL_REALS, isa, "direct", NULL);
        trial_check(VGG_OP_CONV, VGG_OP_RELU, false, shapes[i], TRIAL_EXTREMES, isa, "direct", NULL);
        if (shapes[i].h < 2 || shapes[i].w < 2) continue;
        trial_check(VGG_OP_CONV, VGG_OP_POOL, true, shapes[i], TRIAL_REALS, isa, "direct", NULL);
        trial_check(VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, true, shapes[i], TRIAL_WHOLE, isa, "direct", NULL);
        trial_check(VGG_OP_CONV, VGG_OP_RELU | VGG_OP_POOL, false, shapes[i], TRIAL_EXTREMES, isa, "direct", NULL);
    }
}

static void data_all(const char *isa)
{
    for (int i = 0; i < SHAPES; i++) {
        trial_check(VGG_OP_CONV_BWD_DATA, 0, false, shapes[i], TRIAL_REALS, isa, "direct", NULL);
        trial_check(VGG_OP_CONV_BWD_DATA, VGG_OP_RELU, false, shapes[i], TRIAL_EXTREMES, isa, "direct", NULL);
    }
}

static void weight_all(const char *isa)
{
    for (int i = 0; i < SHAPES; i++)
        trial_check(VGG_OP_CONV_BWD_WEIGHT, 0, false, shapes[i], i % 2 ? TRIAL_EXTREMES : TRIAL_REALS, isa, "direct",
                    NULL);
}

static void dense_all(const char *isa)
{
    static const struct trial_shape dense[] = {
        { 1, 1, 1, 1, 1 },     { 1, 1, 1, 7, 3 },    { 2, 1, 1, 8, 8 },      { 7, 1, 1, 17, 16 },
        { 6, 1, 1, 64, 513 },  { 1, 1, 1, 3001, 1 }, { 5, 1, 1, 300, 10 },   { 13, 1, 1, 101, 31 },
        { 3, 2, 2, 16, 1030 }, { 32, 1, 1, 256, 1 }, { 1, 1, 1, 1025, 700 },
    };
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        struct trial_shape s = dense[i];
        s.cin *= s.h * s.w, s.h = s.w = 1;
        for (enum trial_data data = TRIAL_REALS; data <= TRIAL_EXTREMES; data++) {
            trial_check(VGG_OP_DENSE, data == TRIAL_REALS ? 0 : VGG_OP_RELU, false, s, data, isa, "direct", NULL);
            trial_check(VGG_OP_DENSE_BWD_DATA, data == TRIAL_REALS ? 0 : VGG_OP_RELU, false, s, data, isa, "direct",
                        NULL);
            trial_check(VGG_OP_DENSE_BWD_WEIGHT, 0, false, s, data, isa, "direct", NULL);
        }
    }
}

Test(cpu_conv, forward)
{
    trial_levels(forward_all);
}

Test(cpu_conv, backward_data)
{
    trial_levels(data_all);
}

Test(cpu_conv, backward_weight)
{
    trial_levels(weight_all);
}

Test(cpu_conv, dense)
{
    trial_levels(dense_all);
}
