/* ONNX's own node tests (Debian: libonnx-testdata) of losses and updates on every backend found.
 *
 * SoftmaxCrossEntropyLoss weighs images by the weight of their class, ignored ones by 0. Adam's bias correction is off
 * in ONNX at T = 0 and always on in ours: learning rate and epsilon absorb it. Momentum at T = 0 is ours as it stands.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/onnx_run.h"

/* Scores (N, C, d...), labels (N, d...), weights of classes; reduction; log-probabilities as second output. */
static void run_cross_entropy(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *label = &c->input[1], *weight = c->inputs > 2 ? &c->input[2] : NULL;
    int channels = onnx_dim(x, 1), rows = (int)x->count / channels;
    int64_t ignored = onnx_int(c, "ignore_index", 0, INT64_MIN);
    struct vgg_op op = { .kind = VGG_OP_SOFTMAX_XENT };
    op.x = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.y = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.t = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    op.sw = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    op.loss = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    harness_allocate(h);
    double *scores = onnx_rows(x, 1), *target = malloc(label->count * sizeof *target), total = 0, sum = 0;
    double *sw = malloc(label->count * sizeof *sw);
    cr_assert_eq(label->count, (size_t)rows);
    for (int i = 0; i < rows; i++) {
        bool out = (int64_t)label->values[i] == ignored;
        target[i] = out ? 0 : label->values[i];
        sw[i] = out ? 0 : weight ? weight->values[(size_t)target[i]] : 1;
        total += sw[i];
    }
    onnx_put(h, &op.x, scores);
    onnx_put(h, &op.t, target);
    onnx_put(h, &op.sw, sw);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *loss = harness_fetch(h, &op.loss), *y = harness_fetch(h, &op.y);
    const struct onnx_tensor *want = &c->output[0];
    for (int i = 0; i < rows; i++) {
        sum += loss[i];
        if (onnx_string_is(c, "reduction", "none")) onnx_equal(loss[i], want->values[i], onnx_scale(want), c, h);
    }
    if (onnx_string_is(c, "reduction", "mean")) onnx_equal(sum / total, want->values[0], onnx_scale(want), c, h);
    if (onnx_string_is(c, "reduction", "sum")) onnx_equal(sum, want->values[0], onnx_scale(want), c, h);
    if (c->outputs > 1) {
        double *logs = onnx_rows(&c->output[1], 1);
        for (size_t i = 0; i < x->count; i++)
            onnx_equal(y[i], exp(logs[i]), 1, c, h);
        free(logs);
    }
    free(scores);
    free(target);
    free(sw);
    free(loss);
    free(y);
}

Test(onnx_training, softmax_cross_entropy)
{
    static const char *const names[] = { "none",
                                         "none_weights",
                                         "mean",
                                         "mean_3d",
                                         "mean_no_weight_ii",
                                         "mean_no_weight_ii_3d",
                                         "mean_no_weight_ii_4d",
                                         "mean_weight",
                                         "mean_weight_ii",
                                         "mean_weight_ii_3d",
                                         "mean_weight_ii_4d",
                                         "sum",
                                         "NCd1_mean_weight_negative_ii",
                                         "NCd1d2d3_none_no_weight_negative_ii",
                                         "NCd1d2d3_sum_weight_high_ii",
                                         "NCd1d2d3d4d5_mean_weight",
                                         "NCd1d2d3d4d5_none_no_weight" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int logs = 0; logs < 2; logs++) {
            char name[128];
            snprintf(name, sizeof name, "node/test_sce_%s%s", names[i], logs ? "_log_prob" : "");
            onnx_each(name, run_cross_entropy);
        }
}

/* Inputs: rate, T, then groups of tensors: parameters, gradients, moments. Outputs: parameters and moments after. */
static void run_update(struct harness *h, const struct onnx_case *c)
{
    bool adam = strstr(c->path, "adam") != NULL, nesterov = onnx_string_is(c, "mode", "nesterov");
    int groups = adam ? 4 : 3, tensors = (c->inputs - 2) / groups;
    double alpha = onnx_float(c, "alpha", 0), beta = onnx_float(c, "beta", 0), rate = c->input[0].values[0];
    cr_assert_eq(c->input[1].values[0], 0, "%s: only T = 0 is one of ours", c->path);
    cr_assert_eq(c->inputs, 2 + groups * tensors);
    struct vgg_hyper hyper = { .weight_decay = (float)onnx_float(c, "norm_coefficient", 0) };
    if (adam) { /* undo the bias corrections of a first step: m / (1 - b1), sqrt(v / (1 - b2)) */
        /* adam_multiple was computed with epsilon 1e-2, though its node leaves it out. */
        hyper.beta1 = (float)alpha, hyper.beta2 = (float)beta;
        hyper.epsilon = (float)(onnx_float(c, "epsilon", 1e-2) / sqrt(1 - beta));
        rate *= (1 - alpha) / sqrt(1 - beta);
    } else {
        hyper.momentum = (float)alpha;
    }
    struct vgg_op op[2];
    for (int i = 0; i < tensors; i++) {
        int count = (int)c->input[2 + i].count;
        op[i] = (struct vgg_op) { .kind = adam ? VGG_OP_ADAM : VGG_OP_SGD,
                                  .flags = nesterov ? VGG_OP_NESTEROV : 0,
                                  .hyper = hyper };
        op[i].w = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, count);
        op[i].dw = harness_view(h, VGG_ARENA_GRAD, 1, 1, 1, count);
        op[i].m = harness_view(h, VGG_ARENA_MOMENT, 1, 1, 1, count);
        if (adam) op[i].v = harness_view(h, VGG_ARENA_MOMENT, 1, 1, 1, count);
    }
    harness_allocate(h);
    for (int i = 0; i < tensors; i++) {
        onnx_put(h, &op[i].w, c->input[2 + i].values);
        onnx_put(h, &op[i].dw, c->input[2 + tensors + i].values);
        onnx_put(h, &op[i].m, c->input[2 + 2 * tensors + i].values);
        if (adam) onnx_put(h, &op[i].v, c->input[2 + 3 * tensors + i].values);
    }
    harness_run(h, op, (size_t)tensors, &(struct vgg_step) { .learning_rate = (float)rate });
    for (int i = 0; i < tensors; i++) {
        const struct vgg_view *view[] = { &op[i].w, &op[i].m, &op[i].v };
        for (int k = 0; k < groups - 1; k++) {
            const struct onnx_tensor *want = &c->output[k * tensors + i];
            float *got = harness_fetch(h, view[k]);
            for (size_t e = 0; e < want->count; e++)
                onnx_equal(got[e], want->values[e], onnx_scale(want), c, h);
            free(got);
        }
    }
}

Test(onnx_training, updates)
{
    onnx_each("node/test_adam", run_update);
    onnx_each("node/test_adam_multiple", run_update);
    onnx_each("node/test_momentum", run_update);
    onnx_each("node/test_momentum_multiple", run_update);
    onnx_each("node/test_nesterov_momentum", run_update);
}
