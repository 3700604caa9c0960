#include "core/train/frozen.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/infer/pass.h"

static size_t feature_count(const struct vgg_arch *arch, int last)
{
    int h, w, c;
    vgg_arch_shape(arch, last - 1, &h, &w, &c);
    return (size_t)h * (size_t)w * (size_t)c;
}

bool vgg_frozen_fits(const struct vgg_arch *arch, int last, size_t count)
{
    uint64_t memory = vgg_limits_memory();
    return !memory || vgg_mem_mul(vgg_mem_mul(count, feature_count(arch, last)), sizeof(float)) <= memory / 2;
}

struct keep {
    struct vgg_frozen *frozen;
    const struct vgg_data *data;
    size_t features, count;
};

static enum vgg_status keep(void *sink, const struct vgg_batch *batch, const float *y, const float *loss)
{
    (void)loss;
    struct keep *k = sink;
    size_t n = (size_t)batch->count;
    memcpy(k->frozen->x + k->count * k->features, y, n * k->features * sizeof *y);
    for (size_t i = 0; i < n; i++)
        k->frozen->labels[k->count + i] = vgg_data_label(k->data, batch->index[i]);
    k->count += n;
    return VGG_OK;
}

enum vgg_status vgg_frozen_create(struct vgg_frozen *frozen, struct vgg_engine *engine, const struct vgg_model *model,
                                  const struct vgg_data *data, int first, int last,
                                  const struct vgg_image_options *images, int batch, vgg_progress_fn *progress,
                                  void *user)
{
    enum vgg_status status = VGG_OK;
    struct vgg_net *net = NULL;
    struct keep k = { frozen, data, feature_count(&model->arch, last), 0 };
    size_t count = vgg_data_count(data);
    *frozen = (struct vgg_frozen) { 0 };
    frozen->x = vgg_mem_calloc(vgg_mem_mul(count, k.features), sizeof *frozen->x);
    frozen->labels = vgg_mem_calloc(count, sizeof *frozen->labels);
    if (!frozen->x || !frozen->labels) CHECK(vgg_fail_memory("features", count * k.features * sizeof *frozen->x));
    struct vgg_plan_spec spec = {
        .arch = &model->arch, .batch = batch, .first = first, .last = last, .trainable = model->arch.count
    };
    CHECK(vgg_net_create(&net, engine->backend, &spec, first, 0, engine->memory));
    CHECK(vgg_net_set_params(net, model->params));
    struct vgg_pass pass = { .net = net,
                             .data = data,
                             .images = *images,
                             .batch = batch,
                             .phase = "features",
                             .progress = progress,
                             .user = user,
                             .ranks = engine->ranks };
    CHECK(vgg_pass_run(&pass, keep, &k));
    CHECK(vgg_ranks_broadcast(engine->ranks, VGG_OK, &k.count, sizeof k.count));
    CHECK(vgg_ranks_broadcast(engine->ranks, VGG_OK, frozen->x, k.count * k.features * sizeof *frozen->x));
    CHECK(vgg_ranks_broadcast(engine->ranks, VGG_OK, frozen->labels, k.count * sizeof *frozen->labels));
    int h, w, c;
    vgg_arch_shape(&model->arch, last - 1, &h, &w, &c);
    CHECK(vgg_data_from_features(&frozen->data, data, frozen->x, frozen->labels, k.count, h, w, c));
    vgg_net_destroy(net);
    return VGG_OK;
fail:
    status = vgg_ranks_agree(engine->ranks, status, NULL);
    vgg_net_destroy(net);
    vgg_frozen_finish(frozen);
    return status;
}

void vgg_frozen_finish(struct vgg_frozen *frozen)
{
    vgg_data_destroy(frozen->data);
    free(frozen->x);
    free(frozen->labels);
    *frozen = (struct vgg_frozen) { 0 };
}
