/* rank_steps: training steps of several ranks, which are threads of this process, each with the one that moves its
 * gradients, without Criterion, whose way of starting tests ThreadSanitizer does not bear. The parameters must be those
 * of one rank. Prints and returns what Criterion would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine/engine.h"
#include "core/engine/net.h"
#include "core/model/model.h"
#include "tests/rank_threads.h"

enum { SIZE = 32, BATCH = 7, SHARD = 2, CLASSES = 4, STEPS = 3, VALUES = SIZE * SIZE * 3 };

struct work {
    struct vgg_model *model;
    float x[BATCH * VALUES], t[BATCH], loss[16][BATCH];
    float *params[16]; /* of each rank after all steps */
};

static bool run(struct vgg_ranks *ranks, void *user)
{
    struct work *work = user;
    struct vgg_engine *engine = NULL;
    struct vgg_net *net = NULL;
    int rank = vgg_ranks_rank(ranks), size = vgg_ranks_size(ranks);
    const struct vgg_engine_options options = { .ranks = ranks, .backend = "cpu", .threads = 1 };
    const struct vgg_arch *arch = &work->model->arch;
    const struct vgg_plan_spec spec = {
        .arch = arch, .batch = BATCH, .last = arch->count, .loss = true, .optimizer = VGG_OPTIMIZER_SGD
    };
    const struct vgg_share share = vgg_share_items(BATCH, SHARD, rank, size);
    struct vgg_net_io io = {
        .n = BATCH, .x = work->x + (size_t)share.from * VALUES, .t = work->t, .loss = work->loss[rank]
    };
    struct vgg_step step = { .seed = 3, .learning_rate = 0.05f };
    work->params[rank] = malloc(arch->param_size);
    bool good = vgg_engine_create(&engine, &options) == VGG_OK &&
                vgg_net_create(&net, engine->backend, &spec, 0, SHARD, 0) == VGG_OK;
    if (good) vgg_net_set_ranks(net, ranks);
    good = good && vgg_net_set_params(net, work->model->params) == VGG_OK;
    for (; good && step.step < STEPS; step.step++)
        good = vgg_net_train(net, &io, &step) == VGG_OK;
    good = good && vgg_net_get_params(net, work->params[rank]) == VGG_OK;
    vgg_net_destroy(net);
    vgg_engine_destroy(engine);
    return good;
}

static bool create(struct work *work)
{
    /* Large enough for pieces that leave before the backward pass is over. */
    const struct vgg_model_options options = { .arch = "vgg11",
                                               .weights = "random",
                                               .head = "gap,dense:600:relu,dense:300:relu,dense:4:softmax",
                                               .height = SIZE,
                                               .width = SIZE,
                                               .last = "block1_pool",
                                               .seed = 9 };
    for (int i = 0; i < BATCH * VALUES; i++)
        work->x[i] = (float)(i * 7919 % 211) / 211.0f;
    for (int i = 0; i < BATCH; i++)
        work->t[i] = (float)(i * i % CLASSES);
    return vgg_model_create(&work->model, &options) == VGG_OK;
}

int main(void)
{
    struct work *work = calloc(1, sizeof *work);
    float *one = NULL;
    bool good = work && create(work) && run(NULL, work);
    int failures = !good;
    if (good) one = work->params[0], work->params[0] = NULL;
    for (int size = 2; good && size <= 5; size++) {
        bool same = rank_threads_run(size, run, work);
        for (int rank = 0; rank < size; rank++) {
            same = same && memcmp(one, work->params[rank], work->model->arch.param_size) == 0;
            free(work->params[rank]);
            work->params[rank] = NULL;
        }
        printf("[%s] rank_steps::%d_ranks\n", same ? "PASS" : "FAIL", size);
        failures += !same;
    }
    bool moved = good && memcmp(one, work->model->params, work->model->arch.param_size) != 0;
    printf("[%s] rank_steps::parameters_move\n", moved ? "PASS" : "FAIL");
    free(one);
    if (work) vgg_model_destroy(work->model);
    free(work);
    return failures || !moved;
}
