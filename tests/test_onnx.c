/* ONNX's own node tests (Debian: libonnx-testdata) on every backend found. Layouts are turned from NCHW to ours here.
 *
 * A case whose operation is not ours as it stands is run where an exact reduction exists: a convolution with another
 * stride or less padding is a part of ours; groups and 3x2 kernels are zeros in ours; alpha and beta of Gemm scale its
 * inputs; Softmax along an axis is rows of ours.
 *
 * Not applicable: Conv2d_dilated (dilation), convolutions in 1 or 3 dimensions, ConvInteger, ConvTranspose; MaxPool
 * with windows other than 2x2, dilation, ceil mode or padding (maxpool_2d_ceil, _dilations, _pads, _precomputed_pads,
 * _precomputed_same_upper, _same_lower, _same_upper, _strides, _uint8, _with_argmax_2d_precomputed_pads, MaxPool2d*);
 * AveragePool other than global; Dropout with a rate (another random generator); Adagrad. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/onnx_run.h"

/* Where element (n, c, y, x) of an NCHW tensor stands. */
static size_t nchw(const struct onnx_tensor *t, int n, int c, int y, int x)
{
    return (((size_t)n * (size_t)onnx_dim(t, 1) + (size_t)c) * (size_t)onnx_dim(t, 2) + (size_t)y) *
               (size_t)onnx_dim(t, 3) +
           (size_t)x;
}

static size_t at(const struct vgg_view *v, int n, int y, int x, int c)
{
    return (((size_t)n * (size_t)v->h + (size_t)y) * (size_t)v->w + (size_t)x) * (size_t)v->c + (size_t)c;
}

static void put_nchw(struct harness *h, const struct vgg_view *view, const struct onnx_tensor *t, int top, int left)
{
    float *values = malloc(vgg_view_size(view));
    for (int n = 0; n < view->n; n++)
        for (int y = 0; y < view->h; y++)
            for (int x = 0; x < view->w; x++)
                for (int c = 0; c < view->c; c++)
                    values[at(view, n, y, x, c)] = (float)t->values[nchw(t, n, c, y + top, x + left)];
    harness_put(h, view, values);
    free(values);
}

static void run_conv(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    const struct onnx_tensor *w = c->inputs > 1 ? &c->input[1] : &c->initializer[0];
    const struct onnx_tensor *b = c->initializers > 1 ? &c->initializer[1] : NULL;
    int stride = (int)onnx_int(c, "strides", 0, 1), groups = (int)onnx_int(c, "group", 0, 1);
    int top = (int)onnx_int(c, "pads", 0, 0), left = (int)onnx_int(c, "pads", 1, 0);
    if (onnx_string_is(c, "auto_pad", "SAME_LOWER")) { /* half of what is missing, rounded up, stands before */
        top = ((onnx_dim(y, 2) - 1) * stride + onnx_dim(w, 2) - onnx_dim(x, 2) + 1) / 2;
        left = ((onnx_dim(y, 3) - 1) * stride + onnx_dim(w, 3) - onnx_dim(x, 3) + 1) / 2;
    }
    int cin = onnx_dim(x, 1), cout = onnx_dim(w, 0), per_in = cin / groups, per_out = cout / groups;
    struct vgg_op op = { .kind = VGG_OP_CONV };
    op.x = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), onnx_dim(x, 2), onnx_dim(x, 3), cin);
    op.w = harness_view(h, VGG_ARENA_PARAM, 3, 3, cin, cout);
    op.b = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, cout);
    op.y = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), onnx_dim(x, 2), onnx_dim(x, 3), cout);
    harness_allocate(h);
    float *kernel = calloc((size_t)9 * (size_t)cin * (size_t)cout, sizeof *kernel), *bias = calloc((size_t)cout, 4);
    for (int o = 0; o < cout; o++) {
        for (int i = 0; i < per_in; i++)
            for (int r = 0; r < onnx_dim(w, 2); r++)
                for (int s = 0; s < onnx_dim(w, 3); s++)
                    kernel[at(&op.w, r, s, o / per_out * per_in + i, o)] = (float)w->values[nchw(w, o, i, r, s)];
        bias[o] = b ? (float)b->values[o] : 0.0f;
    }
    put_nchw(h, &op.x, x, 0, 0);
    harness_put(h, &op.w, kernel);
    harness_put(h, &op.b, bias);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    double scale = onnx_scale(y);
    for (int n = 0; n < onnx_dim(y, 0); n++)
        for (int o = 0; o < onnx_dim(y, 1); o++)
            for (int r = 0; r < onnx_dim(y, 2); r++)
                for (int s = 0; s < onnx_dim(y, 3); s++) {
                    int row = r * stride - top + 1, column = s * stride - left + 1; /* the middle of the window */
                    cr_assert(row >= 0 && row < op.y.h && column >= 0 && column < op.y.w, "%s", c->path);
                    onnx_equal(got[at(&op.y, n, row, column, o)], y->values[nchw(y, n, o, r, s)], scale, c, h);
                }
    free(kernel);
    free(bias);
    free(got);
}

Test(onnx, conv)
{
    static const char *const names[] = { "node/test_basic_conv_with_padding",
                                         "node/test_basic_conv_without_padding",
                                         "node/test_conv_with_autopad_same",
                                         "node/test_conv_with_strides_and_asymmetric_padding",
                                         "node/test_conv_with_strides_no_padding",
                                         "node/test_conv_with_strides_padding",
                                         "pytorch-converted/test_Conv2d",
                                         "pytorch-converted/test_Conv2d_depthwise",
                                         "pytorch-converted/test_Conv2d_depthwise_padded",
                                         "pytorch-converted/test_Conv2d_depthwise_strided",
                                         "pytorch-converted/test_Conv2d_depthwise_with_multiplier",
                                         "pytorch-converted/test_Conv2d_groups",
                                         "pytorch-converted/test_Conv2d_groups_thnn",
                                         "pytorch-converted/test_Conv2d_no_bias",
                                         "pytorch-converted/test_Conv2d_padding",
                                         "pytorch-converted/test_Conv2d_strided",
                                         "pytorch-operator/test_operator_conv" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        onnx_each(names[i], run_conv);
}

/* Stride 2 as it stands; stride 1 as four of ours on shifted images. */
static void run_maxpool(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    int stride = (int)onnx_int(c, "strides", 0, 1), shifts = stride == 1 ? 2 : 1;
    cr_assert(onnx_int(c, "kernel_shape", 0, 0) == 2 && stride <= 2);
    struct vgg_op op[4];
    for (int i = 0; i < shifts * shifts; i++) {
        int rows = onnx_dim(x, 2) - i / 2, columns = onnx_dim(x, 3) - i % 2;
        op[i] = (struct vgg_op) { .kind = VGG_OP_POOL2 };
        op[i].x = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), rows, columns, onnx_dim(x, 1));
        op[i].y = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), rows / 2, columns / 2, onnx_dim(x, 1));
        op[i].arg = harness_view_u8(h, onnx_dim(x, 0), rows / 2, columns / 2, onnx_dim(x, 1));
    }
    harness_allocate(h);
    for (int i = 0; i < shifts * shifts; i++)
        put_nchw(h, &op[i].x, x, i / 2, i % 2);
    harness_run(h, op, (size_t)(shifts * shifts), &(struct vgg_step) { 0 });
    for (int i = 0; i < shifts * shifts; i++) {
        float *got = harness_fetch(h, &op[i].y);
        uint8_t *arg = malloc(vgg_view_size(&op[i].arg));
        harness_get(h, &op[i].arg, arg);
        for (int n = 0; n < op[i].y.n; n++)
            for (int ch = 0; ch < op[i].y.c; ch++)
                for (int r = 0; r < op[i].y.h; r++)
                    for (int s = 0; s < op[i].y.w; s++) {
                        size_t mine = at(&op[i].y, n, r, s, ch);
                        size_t other = nchw(y, n, ch, r * shifts + i / 2, s * shifts + i % 2);
                        cr_assert_eq(got[mine], (float)y->values[other], "%s: %s", h->name, c->path);
                        if (c->outputs < 2) continue;
                        int row = 2 * r + arg[mine] / 2, column = 2 * s + arg[mine] % 2;
                        bool by_column = onnx_int(c, "storage_order", 0, 0) == 1;
                        int place = by_column ? column * onnx_dim(x, 2) + row : row * onnx_dim(x, 3) + column;
                        cr_assert_eq((double)place, c->output[1].values[other], "%s: %s", h->name, c->path);
                    }
        free(got);
        free(arg);
    }
}

Test(onnx, maxpool)
{
    onnx_each("node/test_maxpool_2d_precomputed_strides", run_maxpool);
    onnx_each("node/test_maxpool_with_argmax_2d_precomputed_strides", run_maxpool);
    onnx_each("node/test_maxpool_2d_default", run_maxpool);
}

static void run_global(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    struct vgg_op op = { .kind = strstr(c->path, "globalmax") ? VGG_OP_GMAXPOOL : VGG_OP_AVGPOOL };
    op.x = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), onnx_dim(x, 2), onnx_dim(x, 3), onnx_dim(x, 1));
    op.y = harness_view(h, VGG_ARENA_ACT, onnx_dim(x, 0), 1, 1, onnx_dim(x, 1));
    harness_allocate(h);
    put_nchw(h, &op.x, x, 0, 0);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (size_t i = 0; i < y->count; i++)
        onnx_equal(got[i], y->values[i], onnx_scale(y), c, h);
    free(got);
}

Test(onnx, global_pooling)
{
    onnx_each("node/test_globalaveragepool", run_global);
    onnx_each("node/test_globalaveragepool_precomputed", run_global);
    onnx_each("node/test_globalmaxpool", run_global);
    onnx_each("node/test_globalmaxpool_precomputed", run_global);
}

/* Row by row where each row has a bias of its own. */
static void run_gemm(struct harness *h, const struct onnx_case *c)
{
    bool linear = strstr(c->path, "Linear") != NULL; /* weights in the model; (out, in), without a Gemm if no bias */
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    const struct onnx_tensor *w = linear ? &c->initializer[0] : &c->input[1];
    const struct onnx_tensor *b = linear && c->initializers > 1 ? &c->initializer[1]
                                  : c->inputs > 2               ? &c->input[2]
                                                                : NULL;
    bool x_turned = onnx_int(c, "transA", 0, 0), w_turned = onnx_int(c, "transB", 0, 0) || linear;
    double alpha = onnx_float(c, "alpha", 1), beta = onnx_float(c, "beta", 1);
    int rows = onnx_dim(y, 0), units = onnx_dim(y, 1), in = onnx_dim(x, x_turned ? 0 : 1);
    bool by_row = b && b->rank == 2 && onnx_dim(b, 0) > 1;
    int runs = by_row ? rows : 1, n = by_row ? 1 : rows;
    struct vgg_op op[8];
    cr_assert_leq(runs, 8);
    struct vgg_view weights = harness_view(h, VGG_ARENA_PARAM, 1, 1, in, units);
    for (int i = 0; i < runs; i++) {
        op[i] = (struct vgg_op) { .kind = VGG_OP_DENSE, .w = weights };
        op[i].x = harness_view(h, VGG_ARENA_ACT, n, 1, 1, in);
        op[i].b = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, units);
        op[i].y = harness_view(h, VGG_ARENA_ACT, n, 1, 1, units);
    }
    harness_allocate(h);
    double *values = malloc(((size_t)in + 1) * (size_t)(units + rows) * sizeof *values);
    for (int k = 0; k < in; k++)
        for (int u = 0; u < units; u++)
            values[k * units + u] = alpha * w->values[w_turned ? u * in + k : k * units + u];
    onnx_put(h, &weights, values);
    for (int i = 0; i < runs; i++) {
        for (int r = 0; r < n; r++)
            for (int k = 0; k < in; k++)
                values[r * in + k] = x->values[x_turned ? k * rows + i + r : (i + r) * in + k];
        onnx_put(h, &op[i].x, values);
        for (int u = 0; u < units; u++)
            values[u] = b ? beta * b->values[by_row ? i * units + u : b->count == 1 ? 0 : u] : 0;
        onnx_put(h, &op[i].b, values);
    }
    harness_run(h, op, (size_t)runs, &(struct vgg_step) { 0 });
    for (int i = 0; i < runs; i++) {
        float *got = harness_fetch(h, &op[i].y);
        for (int k = 0; k < n * units; k++)
            onnx_equal(got[k], y->values[i * units + k], onnx_scale(y), c, h);
        free(got);
    }
    free(values);
}

Test(onnx, gemm)
{
    static const char *const names[] = { "node/test_gemm_all_attributes",
                                         "node/test_gemm_alpha",
                                         "node/test_gemm_beta",
                                         "node/test_gemm_default_matrix_bias",
                                         "node/test_gemm_default_no_bias",
                                         "node/test_gemm_default_scalar_bias",
                                         "node/test_gemm_default_single_elem_vector_bias",
                                         "node/test_gemm_default_vector_bias",
                                         "node/test_gemm_default_zero_bias",
                                         "node/test_gemm_transposeA",
                                         "node/test_gemm_transposeB",
                                         "pytorch-converted/test_Linear",
                                         "pytorch-converted/test_Linear_no_bias" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        onnx_each(names[i], run_gemm);
}

static void run_softmax(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    int axis = (int)onnx_int(c, "axis", 0, -1);
    if (axis < 0) axis += x->rank;
    int channels = onnx_dim(x, axis), rows = (int)x->count / channels;
    struct vgg_op op = { .kind = VGG_OP_SOFTMAX };
    op.x = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.y = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    harness_allocate(h);
    double *in = onnx_rows(x, axis), *want = onnx_rows(y, axis);
    onnx_put(h, &op.x, in);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (size_t i = 0; i < x->count; i++)
        onnx_equal(got[i], want[i], 1, c, h);
    free(in);
    free(want);
    free(got);
}

Test(onnx, softmax)
{
    static const char *const names[] = { "node/test_softmax_axis_0",
                                         "node/test_softmax_axis_1",
                                         "node/test_softmax_axis_2",
                                         "node/test_softmax_default_axis",
                                         "node/test_softmax_example",
                                         "node/test_softmax_large_number",
                                         "node/test_softmax_negative_axis",
                                         "pytorch-converted/test_Softmax",
                                         "pytorch-converted/test_softmax_functional_dim3",
                                         "pytorch-converted/test_softmax_lastdim" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        onnx_each(names[i], run_softmax);
}

static void run_sigmoid(struct harness *h, const struct onnx_case *c)
{
    int count = (int)c->input[0].count;
    struct vgg_op op = { .kind = VGG_OP_SIGMOID };
    op.x = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    op.y = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    harness_allocate(h);
    onnx_put(h, &op.x, c->input[0].values);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (int i = 0; i < count; i++)
        onnx_equal(got[i], c->output[0].values[i], 1, c, h);
    free(got);
}

Test(onnx, sigmoid)
{
    onnx_each("node/test_sigmoid", run_sigmoid);
    onnx_each("node/test_sigmoid_example", run_sigmoid);
    onnx_each("pytorch-converted/test_Sigmoid", run_sigmoid);
}

/* ReLU is a flag: here of a dense layer and of a convolution that copy their only channel. */
static void run_relu(struct harness *h, const struct onnx_case *c)
{
    int count = (int)c->input[0].count;
    struct vgg_op op[2] = { { .kind = VGG_OP_DENSE, .flags = VGG_OP_RELU },
                            { .kind = VGG_OP_CONV, .flags = VGG_OP_RELU } };
    op[0].x = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    op[1].x = harness_view(h, VGG_ARENA_ACT, 1, 1, count, 1);
    op[0].w = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, 1);
    op[1].w = harness_view(h, VGG_ARENA_PARAM, 3, 3, 1, 1);
    op[0].b = op[1].b = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, 1);
    op[0].y = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    op[1].y = harness_view(h, VGG_ARENA_ACT, 1, 1, count, 1);
    harness_allocate(h);
    onnx_put(h, &op[0].x, c->input[0].values);
    onnx_put(h, &op[1].x, c->input[0].values);
    onnx_put(h, &op[0].w, (double[]) { 1 });
    onnx_put(h, &op[1].w, (double[]) { 0, 0, 0, 0, 1, 0, 0, 0, 0 });
    onnx_put(h, &op[0].b, (double[]) { 0 });
    harness_run(h, op, 2, &(struct vgg_step) { 0 });
    for (int k = 0; k < 2; k++) {
        float *got = harness_fetch(h, &op[k].y);
        for (int i = 0; i < count; i++)
            onnx_equal(got[i], c->output[0].values[i], onnx_scale(&c->output[0]), c, h);
        free(got);
    }
}

Test(onnx, relu)
{
    onnx_each("node/test_relu", run_relu);
    onnx_each("pytorch-converted/test_ReLU", run_relu);
    onnx_each("simple/test_single_relu_model", run_relu);
}

static void run_dropout(struct harness *h, const struct onnx_case *c)
{
    int count = (int)c->input[0].count;
    struct vgg_op op = { .kind = VGG_OP_DROPOUT, .layer = 3, .rate = (float)c->input[1].values[0] };
    cr_assert_eq(op.rate, 0.0f);
    op.x = harness_view(h, VGG_ARENA_ACT, 1, 1, 1, count);
    op.y = harness_view(h, VGG_ARENA_ACT, 1, 1, 1, count);
    harness_allocate(h);
    onnx_put(h, &op.x, c->input[0].values);
    harness_run(h, &op, 1, &(struct vgg_step) { .seed = 1 });
    float *got = harness_fetch(h, &op.y);
    for (int i = 0; i < count; i++)
        cr_assert_eq(got[i], (float)c->output[0].values[i]);
    free(got);
}

Test(onnx, dropout_of_nothing)
{
    onnx_each("node/test_training_dropout_zero_ratio", run_dropout);
}
