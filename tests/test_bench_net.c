/* The network of a benchmark: the parts that are measured are those that train. */
#include <math.h>
#include <stdlib.h>

#include <criterion/criterion.h>

#include "core/engine/device.h"
#include "core/engine/net.h"
#include "core/model/model.h"

/* The stretches that are measured are those that train: a pass in two halves, then a step of half the rate, which adds
 * the same gradient again, is one step. */
Test(bench_net, stretches_are_what_training_runs)
{
    struct vgg_model *model;
    struct vgg_backend *backend;
    const struct vgg_model_options network = {
        .arch = "vgg11", .weights = "random", .head = "gap,dense:3:softmax", .height = 32, .width = 32
    };
    enum { N = 3, PIXELS = N * 32 * 32 * 3 };
    float *x = malloc(PIXELS * sizeof *x);
    const float t[N] = { 2, 0, 1 }, w[N] = { 1, 0.5f, 2 };
    float y[2][3 * N], loss[2][N], *params[2] = { 0 };
    cr_assert_not_null(x);
    for (int i = 0; i < PIXELS; i++)
        x[i] = (float)((i * 37 + i / 96 * 11) % 101) / 50 - 1;
    cr_assert_eq(vgg_model_create(&model, &network), VGG_OK);
    cr_assert_eq(vgg_backend_open(&backend, &(struct vgg_engine_options) { .device = "cpu" }), VGG_OK);
    const struct vgg_plan_spec spec = {
        .arch = &model->arch, .batch = N, .last = model->arch.count, .loss = true, .optimizer = VGG_OPTIMIZER_SGD
    };
    const struct vgg_step step = { .seed = 5, .step = 1, .learning_rate = 0.01f };
    for (int apart = 0; apart < 2; apart++) {
        struct vgg_net *net;
        const struct vgg_plan *plan;
        cr_assert_eq(vgg_net_create(&net, backend, &spec, 0, 0, 0), VGG_OK);
        cr_assert_eq(vgg_net_set_params(net, model->params), VGG_OK);
        const struct vgg_net_io io = { .n = N, .x = x, .t = t, .w = w, .y = y[apart], .loss = loss[apart] };
        if (apart) {
            cr_assert_eq(vgg_net_put(net, &io), VGG_OK);
            cr_assert_eq(vgg_net_run(net, VGG_NET_FORWARD, &step, NULL), VGG_OK);
            cr_assert_eq(vgg_net_run(net, VGG_NET_BACKWARD, &step, NULL), VGG_OK);
            cr_assert_eq(vgg_net_plan(&plan, net), VGG_OK);
            size_t count = vgg_view_count(&plan->grads), zeros = 0;
            float *grads = malloc(count * sizeof *grads);
            cr_assert_eq(vgg_net_get_grads(net, grads), VGG_OK);
            for (size_t i = 0; i < count; i++)
                zeros += grads[i] == 0;
            cr_expect_lt(zeros, count / 2);
            /* Twice the gradient is twice the step. */
            struct vgg_step half = step;
            half.learning_rate /= 2;
            cr_assert_eq(vgg_net_put(net, &io), VGG_OK);
            cr_assert_eq(vgg_net_run(net, VGG_NET_STEP, &half, NULL), VGG_OK);
            free(grads);
        } else {
            cr_assert_eq(vgg_net_train(net, &io, &step), VGG_OK);
        }
        params[apart] = malloc(model->arch.param_size);
        cr_assert_eq(vgg_net_get_params(net, params[apart]), VGG_OK);
        vgg_net_destroy(net);
    }
    size_t count = model->arch.param_size / sizeof(float), moved = 0;
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        moved += params[0][i] != model->params[i];
        worst = fmax(worst, fabs((double)params[0][i] - (double)params[1][i]));
    }
    cr_expect_gt(moved, count / 2);
    cr_expect_lt(worst, 1e-6, "%g", worst);
    vgg_backend_close(backend);
    vgg_model_destroy(model);
    free(params[0]), free(params[1]), free(x);
}
