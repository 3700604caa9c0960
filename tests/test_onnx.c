/* ONNX's own node tests (Debian: libonnx-testdata) on every backend found. Layouts are turned from NCHW to ours here.
 *
 * A case whose operation is not ours as it stands is run where an exact reduction exists: a convolution with another
 * stride or less padding is a part of ours; groups and 3x2 kernels are zeros in ours; alpha and beta of Gemm scale its
 * inputs; Softmax along an axis is rows of ours; SoftmaxCrossEntropyLoss weighs images by the weight of their class.
 * Adam's bias correction is off in ONNX at T = 0 and always on in ours: learning rate and epsilon absorb it.
 *
 * Not applicable: Conv2d_dilated (dilation), convolutions in 1 or 3 dimensions, ConvInteger, ConvTranspose; MaxPool
 * with windows other than 2x2, dilation, ceil mode or padding (maxpool_2d_ceil, _dilations, _pads, _precomputed_pads,
 * _precomputed_same_upper, _same_lower, _same_upper, _strides, _uint8, _with_argmax_2d_precomputed_pads, MaxPool2d*);
 * AveragePool other than global; Dropout with a rate (another random generator); Adagrad. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "tests/harness.h"
#include "tests/onnx_file.h"

static const char *const FOLDER = "/usr/share/libonnx-testdata/data";
static const double BOUND = 1e-5; /* of the output's scale: fp32 on a few hundred terms */

static void open_case(struct onnx_case *c, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    if (!onnx_open(c, path)) cr_skip_test("%s is not there; Debian package libonnx-testdata holds it", path);
}

static int dim(const struct onnx_tensor *t, int i)
{
    return i < t->rank ? (int)t->dims[i] : 1;
}

/* Where element (n, c, y, x) of an NCHW tensor stands. */
static size_t nchw(const struct onnx_tensor *t, int n, int c, int y, int x)
{
    return (((size_t)n * (size_t)dim(t, 1) + (size_t)c) * (size_t)dim(t, 2) + (size_t)y) * (size_t)dim(t, 3) +
           (size_t)x;
}

static size_t at(const struct vgg_view *v, int n, int y, int x, int c)
{
    return (((size_t)n * (size_t)v->h + (size_t)y) * (size_t)v->w + (size_t)x) * (size_t)v->c + (size_t)c;
}

static double scale_of(const struct onnx_tensor *t)
{
    double scale = 0;
    for (size_t i = 0; i < t->count; i++)
        scale = fmax(scale, fabs(t->values[i]));
    return scale;
}

static void equal(double got, double want, double scale, const struct onnx_case *c, const struct harness *h)
{
    cr_assert(fabs(got - want) <= BOUND * scale, "%s: %s: %.9g, not %.9g", h->name, c->path, got, want);
}

static void put_values(struct harness *h, const struct vgg_view *view, const double *values)
{
    size_t count = vgg_view_count(view);
    float *narrow = malloc(count * sizeof *narrow);
    for (size_t i = 0; i < count; i++)
        narrow[i] = (float)values[i];
    harness_put(h, view, narrow);
    free(narrow);
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

/* Runs one function on one case with every target. */
static void each(const char *name, void (*run)(struct harness *, const struct onnx_case *))
{
    struct onnx_case c;
    struct harness_target target[HARNESS_MAX_TARGETS];
    open_case(&c, name);
    size_t targets = harness_targets(target);
    for (size_t t = 0; t < targets; t++) {
        struct harness h;
        harness_open(&h, &target[t]);
        run(&h, &c);
        harness_close(&h);
    }
    onnx_close(&c);
}

static void run_conv(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    const struct onnx_tensor *w = c->inputs > 1 ? &c->input[1] : &c->initializer[0];
    const struct onnx_tensor *b = c->initializers > 1 ? &c->initializer[1] : NULL;
    int stride = (int)onnx_int(c, "strides", 0, 1), groups = (int)onnx_int(c, "group", 0, 1);
    int top = (int)onnx_int(c, "pads", 0, 0), left = (int)onnx_int(c, "pads", 1, 0);
    if (onnx_string_is(c, "auto_pad", "SAME_LOWER")) { /* half of what is missing, rounded up, stands before */
        top = ((dim(y, 2) - 1) * stride + dim(w, 2) - dim(x, 2) + 1) / 2;
        left = ((dim(y, 3) - 1) * stride + dim(w, 3) - dim(x, 3) + 1) / 2;
    }
    int cin = dim(x, 1), cout = dim(w, 0), per_in = cin / groups, per_out = cout / groups;
    struct vgg_op op = { .kind = VGG_OP_CONV };
    op.x = harness_view(h, VGG_ARENA_ACT, dim(x, 0), dim(x, 2), dim(x, 3), cin);
    op.w = harness_view(h, VGG_ARENA_PARAM, 3, 3, cin, cout);
    op.b = harness_view(h, VGG_ARENA_PARAM, 1, 1, 1, cout);
    op.y = harness_view(h, VGG_ARENA_ACT, dim(x, 0), dim(x, 2), dim(x, 3), cout);
    harness_allocate(h);
    float *kernel = calloc((size_t)9 * (size_t)cin * (size_t)cout, sizeof *kernel), *bias = calloc((size_t)cout, 4);
    for (int o = 0; o < cout; o++) {
        for (int i = 0; i < per_in; i++)
            for (int r = 0; r < dim(w, 2); r++)
                for (int s = 0; s < dim(w, 3); s++)
                    kernel[at(&op.w, r, s, o / per_out * per_in + i, o)] = (float)w->values[nchw(w, o, i, r, s)];
        bias[o] = b ? (float)b->values[o] : 0.0f;
    }
    put_nchw(h, &op.x, x, 0, 0);
    harness_put(h, &op.w, kernel);
    harness_put(h, &op.b, bias);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    double scale = scale_of(y);
    for (int n = 0; n < dim(y, 0); n++)
        for (int o = 0; o < dim(y, 1); o++)
            for (int r = 0; r < dim(y, 2); r++)
                for (int s = 0; s < dim(y, 3); s++) {
                    int row = r * stride - top + 1, column = s * stride - left + 1; /* the middle of the window */
                    cr_assert(row >= 0 && row < op.y.h && column >= 0 && column < op.y.w, "%s", c->path);
                    equal(got[at(&op.y, n, row, column, o)], y->values[nchw(y, n, o, r, s)], scale, c, h);
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
        each(names[i], run_conv);
}

/* Stride 2 as it stands; stride 1 as four of ours on shifted images. */
static void run_maxpool(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    int stride = (int)onnx_int(c, "strides", 0, 1), shifts = stride == 1 ? 2 : 1;
    cr_assert(onnx_int(c, "kernel_shape", 0, 0) == 2 && stride <= 2);
    struct vgg_op op[4];
    for (int i = 0; i < shifts * shifts; i++) {
        int rows = dim(x, 2) - i / 2, columns = dim(x, 3) - i % 2;
        op[i] = (struct vgg_op) { .kind = VGG_OP_POOL2 };
        op[i].x = harness_view(h, VGG_ARENA_ACT, dim(x, 0), rows, columns, dim(x, 1));
        op[i].y = harness_view(h, VGG_ARENA_ACT, dim(x, 0), rows / 2, columns / 2, dim(x, 1));
        op[i].arg = harness_view_u8(h, dim(x, 0), rows / 2, columns / 2, dim(x, 1));
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
                        int place = by_column ? column * dim(x, 2) + row : row * dim(x, 3) + column;
                        cr_assert_eq((double)place, c->output[1].values[other], "%s: %s", h->name, c->path);
                    }
        free(got);
        free(arg);
    }
}

Test(onnx, maxpool)
{
    each("node/test_maxpool_2d_precomputed_strides", run_maxpool);
    each("node/test_maxpool_with_argmax_2d_precomputed_strides", run_maxpool);
    each("node/test_maxpool_2d_default", run_maxpool);
}

static void run_global(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    struct vgg_op op = { .kind = strstr(c->path, "globalmax") ? VGG_OP_GMAXPOOL : VGG_OP_AVGPOOL };
    op.x = harness_view(h, VGG_ARENA_ACT, dim(x, 0), dim(x, 2), dim(x, 3), dim(x, 1));
    op.y = harness_view(h, VGG_ARENA_ACT, dim(x, 0), 1, 1, dim(x, 1));
    harness_allocate(h);
    put_nchw(h, &op.x, x, 0, 0);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (size_t i = 0; i < y->count; i++)
        equal(got[i], y->values[i], scale_of(y), c, h);
    free(got);
}

Test(onnx, global_pooling)
{
    each("node/test_globalaveragepool", run_global);
    each("node/test_globalaveragepool_precomputed", run_global);
    each("node/test_globalmaxpool", run_global);
    each("node/test_globalmaxpool_precomputed", run_global);
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
    int rows = dim(y, 0), units = dim(y, 1), in = dim(x, x_turned ? 0 : 1);
    bool by_row = b && b->rank == 2 && dim(b, 0) > 1;
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
    put_values(h, &weights, values);
    for (int i = 0; i < runs; i++) {
        for (int r = 0; r < n; r++)
            for (int k = 0; k < in; k++)
                values[r * in + k] = x->values[x_turned ? k * rows + i + r : (i + r) * in + k];
        put_values(h, &op[i].x, values);
        for (int u = 0; u < units; u++)
            values[u] = b ? beta * b->values[by_row ? i * units + u : b->count == 1 ? 0 : u] : 0;
        put_values(h, &op[i].b, values);
    }
    harness_run(h, op, (size_t)runs, &(struct vgg_step) { 0 });
    for (int i = 0; i < runs; i++) {
        float *got = harness_fetch(h, &op[i].y);
        for (int k = 0; k < n * units; k++)
            equal(got[k], y->values[i * units + k], scale_of(y), c, h);
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
        each(names[i], run_gemm);
}

/* A tensor as rows along `axis`: the element of row r, channel k. */
static size_t row_at(const struct onnx_tensor *t, int axis, size_t r, size_t k)
{
    size_t inner = 1;
    for (int i = axis + 1; i < t->rank; i++)
        inner *= (size_t)t->dims[i];
    return (r / inner * (size_t)dim(t, axis) + k) * inner + r % inner;
}

static double *rows_of(const struct onnx_tensor *t, int axis)
{
    size_t channels = (size_t)dim(t, axis), rows = t->count / channels;
    double *values = malloc(t->count * sizeof *values);
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < channels; k++)
            values[r * channels + k] = t->values[row_at(t, axis, r, k)];
    return values;
}

static void run_softmax(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *y = &c->output[0];
    int axis = (int)onnx_int(c, "axis", 0, -1);
    if (axis < 0) axis += x->rank;
    int channels = dim(x, axis), rows = (int)x->count / channels;
    struct vgg_op op = { .kind = VGG_OP_SOFTMAX };
    op.x = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.y = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    harness_allocate(h);
    double *in = rows_of(x, axis), *want = rows_of(y, axis);
    put_values(h, &op.x, in);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (size_t i = 0; i < x->count; i++)
        equal(got[i], want[i], 1, c, h);
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
        each(names[i], run_softmax);
}

static void run_sigmoid(struct harness *h, const struct onnx_case *c)
{
    int count = (int)c->input[0].count;
    struct vgg_op op = { .kind = VGG_OP_SIGMOID };
    op.x = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    op.y = harness_view(h, VGG_ARENA_ACT, count, 1, 1, 1);
    harness_allocate(h);
    put_values(h, &op.x, c->input[0].values);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *got = harness_fetch(h, &op.y);
    for (int i = 0; i < count; i++)
        equal(got[i], c->output[0].values[i], 1, c, h);
    free(got);
}

Test(onnx, sigmoid)
{
    each("node/test_sigmoid", run_sigmoid);
    each("node/test_sigmoid_example", run_sigmoid);
    each("pytorch-converted/test_Sigmoid", run_sigmoid);
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
    put_values(h, &op[0].x, c->input[0].values);
    put_values(h, &op[1].x, c->input[0].values);
    put_values(h, &op[0].w, (double[]) { 1 });
    put_values(h, &op[1].w, (double[]) { 0, 0, 0, 0, 1, 0, 0, 0, 0 });
    put_values(h, &op[0].b, (double[]) { 0 });
    harness_run(h, op, 2, &(struct vgg_step) { 0 });
    for (int k = 0; k < 2; k++) {
        float *got = harness_fetch(h, &op[k].y);
        for (int i = 0; i < count; i++)
            equal(got[i], c->output[0].values[i], scale_of(&c->output[0]), c, h);
        free(got);
    }
}

Test(onnx, relu)
{
    each("node/test_relu", run_relu);
    each("pytorch-converted/test_ReLU", run_relu);
    each("simple/test_single_relu_model", run_relu);
}

static void run_dropout(struct harness *h, const struct onnx_case *c)
{
    int count = (int)c->input[0].count;
    struct vgg_op op = { .kind = VGG_OP_DROPOUT, .layer = 3, .rate = (float)c->input[1].values[0] };
    cr_assert_eq(op.rate, 0.0f);
    op.x = harness_view(h, VGG_ARENA_ACT, 1, 1, 1, count);
    op.y = harness_view(h, VGG_ARENA_ACT, 1, 1, 1, count);
    harness_allocate(h);
    put_values(h, &op.x, c->input[0].values);
    harness_run(h, &op, 1, &(struct vgg_step) { .seed = 1 });
    float *got = harness_fetch(h, &op.y);
    for (int i = 0; i < count; i++)
        cr_assert_eq(got[i], (float)c->output[0].values[i]);
    free(got);
}

Test(onnx, dropout_of_nothing)
{
    each("node/test_training_dropout_zero_ratio", run_dropout);
}

/* Scores (N, C, d...), labels (N, d...), weights of classes; reduction; log-probabilities as second output. */
static void run_cross_entropy(struct harness *h, const struct onnx_case *c)
{
    const struct onnx_tensor *x = &c->input[0], *label = &c->input[1], *weight = c->inputs > 2 ? &c->input[2] : NULL;
    int channels = dim(x, 1), rows = (int)x->count / channels;
    int64_t ignored = onnx_int(c, "ignore_index", 0, INT64_MIN);
    struct vgg_op op = { .kind = VGG_OP_SOFTMAX_XENT };
    op.x = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.y = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, channels);
    op.t = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    op.sw = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    op.loss = harness_view(h, VGG_ARENA_ACT, rows, 1, 1, 1);
    harness_allocate(h);
    double *scores = rows_of(x, 1), *target = malloc(label->count * sizeof *target), total = 0, sum = 0;
    double *sw = malloc(label->count * sizeof *sw);
    cr_assert_eq(label->count, (size_t)rows);
    for (int i = 0; i < rows; i++) {
        bool out = (int64_t)label->values[i] == ignored;
        target[i] = out ? 0 : label->values[i];
        sw[i] = out ? 0 : weight ? weight->values[(size_t)target[i]] : 1;
        total += sw[i];
    }
    put_values(h, &op.x, scores);
    put_values(h, &op.t, target);
    put_values(h, &op.sw, sw);
    harness_run(h, &op, 1, &(struct vgg_step) { 0 });
    float *loss = harness_fetch(h, &op.loss), *y = harness_fetch(h, &op.y);
    const struct onnx_tensor *want = &c->output[0];
    for (int i = 0; i < rows; i++) {
        sum += loss[i];
        if (onnx_string_is(c, "reduction", "none")) equal(loss[i], want->values[i], scale_of(want), c, h);
    }
    if (onnx_string_is(c, "reduction", "mean")) equal(sum / total, want->values[0], scale_of(want), c, h);
    if (onnx_string_is(c, "reduction", "sum")) equal(sum, want->values[0], scale_of(want), c, h);
    if (c->outputs > 1) {
        double *logs = rows_of(&c->output[1], 1);
        for (size_t i = 0; i < x->count; i++)
            equal(y[i], exp(logs[i]), 1, c, h);
        free(logs);
    }
    free(scores);
    free(target);
    free(sw);
    free(loss);
    free(y);
}

Test(onnx, softmax_cross_entropy)
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
            each(name, run_cross_entropy);
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
        put_values(h, &op[i].w, c->input[2 + i].values);
        put_values(h, &op[i].dw, c->input[2 + tensors + i].values);
        put_values(h, &op[i].m, c->input[2 + 2 * tensors + i].values);
        if (adam) put_values(h, &op[i].v, c->input[2 + 3 * tensors + i].values);
    }
    harness_run(h, op, (size_t)tensors, &(struct vgg_step) { .learning_rate = (float)rate });
    for (int i = 0; i < tensors; i++) {
        const struct vgg_view *view[] = { &op[i].w, &op[i].m, &op[i].v };
        for (int k = 0; k < groups - 1; k++) {
            const struct onnx_tensor *want = &c->output[k * tensors + i];
            float *got = harness_fetch(h, view[k]);
            for (size_t e = 0; e < want->count; e++)
                equal(got[e], want->values[e], scale_of(want), c, h);
            free(got);
        }
    }
}

Test(onnx, updates)
{
    each("node/test_adam", run_update);
    each("node/test_adam_multiple", run_update);
    each("node/test_momentum", run_update);
    each("node/test_momentum_multiple", run_update);
    each("node/test_nesterov_momentum", run_update);
}
