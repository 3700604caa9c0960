/* conv_trial.h: one convolution or dense layer of the CPU backend, run with guard bands and poisoned outputs and
 * compared with sums in double. Every function fails the running test when something is wrong. */
#ifndef TESTS_CONV_TRIAL_H
#define TESTS_CONV_TRIAL_H

#include "core/op/backend.h"

/* How test data is drawn: uniform reals, small whole numbers (sums are exact, maxima tie), reals with extremes. */
enum trial_data { TRIAL_REALS, TRIAL_WHOLE, TRIAL_EXTREMES };

struct trial_shape {
    int n, h, w, cin, cout;
};

/* One operation with host copies of its arenas before the run. */
struct trial {
    struct vgg_op op;
    size_t size[VGG_ARENA_COUNT];
    char *memory[VGG_ARENA_COUNT];
    uint64_t seed;
    bool exact; /* places of maxima are certain: whole numbers, and an algorithm that keeps them so */
    double
        *bound; /* of each output of a convolution before pooling, or of each weight; NULL: (n + 3) 2^-24 sum |a b| */
};

/* What of t's memory the view names. */
void *trial_at(const struct trial *t, const struct vgg_view *view);

/* Runs one operation with 1, 2, 3, 5 and 7 threads: errors within bounds, nothing else written, the same bits each
 * time, nothing left of what was packed from other weights. arg: with the places of maxima. conv: as in struct
 * vgg_engine_options, or "bf16": in that precision, on operands that it holds. bound (or NULL) sets t->bound, by
 * malloc. */
void trial_check(enum vgg_op_kind kind, unsigned flags, bool arg, struct trial_shape s, enum trial_data data,
                 const char *isa, const char *conv, void (*bound)(struct trial *t));

/* Calls `check` with every ISA level above plain C that this machine has, or skips the running test. */
void trial_levels(void (*check)(const char *isa));

#endif
