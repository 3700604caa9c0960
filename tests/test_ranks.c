/* Ranks that do one thing together: what they tell each other, what becomes of a failure, and trainings, evaluations
 * and features with the bits of one process, for every number of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/engine.h"
#include "core/model/model.h"
#include "rank_threads.h"
#include "tiny_train.h"

enum { MOST = 9 };

/* ---- telling ---- */

static bool tell(struct vgg_ranks *ranks, void *user)
{
    (void)user;
    size_t offset[MOST + 1] = { 0 };
    unsigned char data[200] = { 0 };
    long first = ranks->rank ? 0 : 4711;
    bool any = ranks->rank == ranks->size - 1;
    for (int i = 0; i < ranks->size; i++)
        offset[i + 1] = offset[i] + (size_t)(i * 5 % 7); /* some have nothing */
    for (size_t i = offset[ranks->rank]; i < offset[ranks->rank + 1]; i++)
        data[i] = (unsigned char)(i * i + 3);
    if (vgg_ranks_agree(ranks, VGG_OK, &any) != VGG_OK || !any) return false;
    if (vgg_ranks_broadcast(ranks, VGG_OK, &first, sizeof first) != VGG_OK || first != 4711) return false;
    if (vgg_ranks_collect(ranks, VGG_OK, data, offset) != VGG_OK) return false;
    for (size_t i = 0; i < offset[ranks->size]; i++)
        if (data[i] != (unsigned char)(i * i + 3)) return false;
    return vgg_ranks_same(ranks, VGG_OK, "what", "a", "b") == VGG_OK;
}

Test(ranks, they_tell_each_other)
{
    for (int size = 1; size <= MOST; size++)
        cr_expect(rank_threads_run(size, tell, NULL), "%d ranks", size);
    cr_expect_eq(vgg_ranks_agree(NULL, VGG_ERR_IO, NULL), VGG_ERR_IO);
    cr_expect_eq(vgg_ranks_count(NULL), 1);
    cr_expect_eq(vgg_ranks_number(NULL), 0);
}

/* ---- failing ---- */

static void no_log(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

/* Rank 2 fails while others wait for a broadcast or a collection; rank 1 was interrupted. */
static bool fail(struct vgg_ranks *ranks, void *user)
{
    char data[8] = { 0 };
    size_t offset[MOST + 1] = { 0 };
    (void)user;
    enum vgg_status status = VGG_OK;
    if (ranks->rank == 2)
        status = vgg_ranks_agree(ranks, vgg_fail(VGG_ERR_FORMAT, "no good"), NULL);
    else if (ranks->rank == 1)
        status = vgg_ranks_agree(ranks, VGG_INTERRUPTED, NULL);
    else if (ranks->rank % 2)
        status = vgg_ranks_collect(ranks, VGG_OK, data, offset);
    else
        status = vgg_ranks_broadcast(ranks, VGG_OK, data, sizeof data);
    if (status != VGG_ERR_FORMAT) return false;
    if (ranks->rank != 2 && !strstr(vgg_log_last(), "rank 2 on ")) return false;
    if (!strstr(vgg_log_last(), "no good")) return false;
    /* All is over: nothing waits any more. */
    if (vgg_ranks_agree(ranks, VGG_OK, NULL) != VGG_OK) return false;
    return vgg_ranks_broadcast(ranks, VGG_OK, data, sizeof data) != VGG_OK;
}

static bool interrupt(struct vgg_ranks *ranks, void *user)
{
    (void)user;
    return vgg_ranks_agree(ranks, ranks->rank == 1 ? VGG_INTERRUPTED : VGG_OK, NULL) == VGG_INTERRUPTED;
}

static bool differ(struct vgg_ranks *ranks, void *user)
{
    (void)user;
    enum vgg_status status = vgg_ranks_same(ranks, VGG_OK, "decoders", ranks->rank == 1 ? "x 2" : "x 1", "mend it");
    return status == VGG_ERR_ARGUMENT && strstr(vgg_log_last(), "decoders: x 2, but x 1 on ") &&
           strstr(vgg_log_last(), "mend it");
}

Test(ranks, one_failure_is_that_of_all)
{
    vgg_log_set(no_log, NULL, VGG_LOG_ERROR);
    for (int size = 3; size <= MOST; size++)
        cr_expect(rank_threads_run(size, fail, NULL), "%d ranks", size);
    for (int size = 2; size <= 5; size++) {
        cr_expect(rank_threads_run(size, interrupt, NULL), "%d ranks", size);
        cr_expect(rank_threads_run(size, differ, NULL), "%d ranks", size);
    }
}

/* ---- the same bits ---- */

struct work {
    struct vgg_train_options options;
    const char *head;
    float *params;          /* of one process; what others must have */
    struct vgg_epoch epoch; /* the second of one process */
    struct vgg_evaluation *evaluation;
};

static bool same_evaluation(const struct vgg_evaluation *a, const struct vgg_evaluation *b)
{
    size_t n = a->count, classes = (size_t)a->classes;
    return a->count == b->count && a->loss == b->loss && a->accuracy == b->accuracy && a->mean_auc == b->mean_auc &&
           memcmp(a->probabilities, b->probabilities, n * classes * sizeof *a->probabilities) == 0 &&
           memcmp(a->labels, b->labels, n * sizeof *a->labels) == 0 &&
           memcmp(a->predicted, b->predicted, n * sizeof *a->predicted) == 0 &&
           memcmp(a->index, b->index, n * sizeof *a->index) == 0 &&
           memcmp(a->confusion, b->confusion, classes * classes * sizeof *a->confusion) == 0;
}

static bool same_epoch(const struct vgg_epoch *a, const struct vgg_epoch *b)
{
    return a->loss == b->loss && a->accuracy == b->accuracy && a->val_loss == b->val_loss &&
           a->val_accuracy == b->val_accuracy && a->images == b->images;
}

static bool run_work(struct vgg_ranks *ranks, struct work *work, bool first)
{
    struct vgg_engine *engine = NULL;
    struct vgg_history history = { 0 };
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_train_options options = work->options;
    const struct vgg_evaluate_options evaluate = { .batch = 3 };
    struct vgg_engine_options wanted = { .ranks = ranks, .backend = "cpu", .threads = 1 };
    struct vgg_model *model = tiny_model(work->head);
    struct vgg_data *data = tiny_open(&tiny_items), *held = tiny_open(&tiny_held);
    options.history = &history;
    bool good = vgg_engine_create(&engine, &wanted) == VGG_OK;
    good = good && vgg_train(engine, model, data, held, &options) == VGG_OK;
    good = good && vgg_evaluate(&evaluation, engine, model, held, &evaluate) == VGG_OK;
    size_t size = good ? model->arch.param_size : 0;
    if (good && first) {
        work->params = malloc(size);
        memcpy(work->params, model->params, size);
        work->epoch = history.epochs[1];
        work->evaluation = evaluation;
        evaluation = NULL;
    } else if (good) {
        good = memcmp(work->params, model->params, size) == 0 && same_epoch(&work->epoch, &history.epochs[1]) &&
               same_evaluation(work->evaluation, evaluation);
    }
    vgg_evaluation_destroy(evaluation);
    vgg_history_finish(&history);
    vgg_engine_destroy(engine);
    vgg_model_destroy(model);
    vgg_data_destroy(data);
    vgg_data_destroy(held);
    return good;
}

static bool same_work(struct vgg_ranks *ranks, void *user)
{
    return run_work(ranks, user, false);
}

Test(ranks, training_has_the_bits_of_one_process, .init = tiny_init, .fini = tiny_finish, .timeout = 120)
{
    /* 41 items: the last batch of 11 is uneven; shards 1, 2, 3 and more than a batch. The third network is large enough
     * for pieces that leave before the backward pass is over. */
    struct work works[] = {
        { .options = { .trainable = "all", .batch = 11, .shard = 1, .optimizer = VGG_OPTIMIZER_SGD, .momentum = 0.9f },
          .head = "gap,dropout:0.4,dense:4:softmax" },
        { .options = { .trainable = "all",
                       .batch = 11,
                       .shard = 2,
                       .optimizer = VGG_OPTIMIZER_ADAM,
                       .clip_norm = 0.5f,
                       .augment = { .rotate = 20, .flip = true } },
          .head = "gap,dropout:0.4,dense:4:softmax" },
        { .options = { .trainable = "all",
                       .batch = 41,
                       .shard = 3,
                       .optimizer = VGG_OPTIMIZER_RMSPROP,
                       .balanced = true,
                       .keep = VGG_KEEP_BEST },
          .head = "gap,dense:600:relu,dense:300:relu,dense:4:softmax" },
        { .options = { .trainable = "head", .batch = 7, .optimizer = VGG_OPTIMIZER_ADAMW, .weight_decay = 0.1f },
          .head = "gap,dense:4:softmax" },
    };
    vgg_log_set(no_log, NULL, VGG_LOG_ERROR);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        works[i].options.epochs = 2;
        works[i].options.learning_rate = 0.01f;
        works[i].options.images.preprocess = VGG_PREPROCESS_RESCALE;
        cr_assert(run_work(NULL, &works[i], true));
        for (int size = 2; size <= MOST; size++)
            cr_expect(rank_threads_run(size, same_work, &works[i]), "work %zu on %d ranks", i, size);
        for (int size = 2; size <= 3; size++)
            cr_expect(rank_threads_run_single(size, same_work, &works[i]), "work %zu on %d ranks apart", i, size);
        free(works[i].params);
        vgg_evaluation_destroy(works[i].evaluation);
    }
}

/* ---- work for all ---- */

enum { ROUNDS = 8 };

struct rounds {
    int batch, count;
    uint64_t done[ROUNDS]; /* after each, as rank 0 reports it */
};

static bool note_round(void *user, const struct vgg_progress *progress)
{
    struct rounds *rounds = user;
    if (rounds->count < ROUNDS) rounds->done[rounds->count++] = progress->done;
    return true;
}

static bool evaluate_in_rounds(struct vgg_ranks *ranks, void *user)
{
    struct rounds *rounds = user;
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_engine *engine = NULL;
    struct vgg_engine_options wanted = { .ranks = ranks, .backend = "cpu", .threads = 1 };
    struct vgg_evaluate_options options = { .batch = rounds->batch, .user = rounds };
    if (ranks->rank == 0) options.progress = note_round;
    struct vgg_model *model = tiny_model("gap,dense:4:softmax");
    struct vgg_data *held = tiny_open(&tiny_held);
    bool good = vgg_engine_create(&engine, &wanted) == VGG_OK &&
                vgg_evaluate(&evaluation, engine, model, held, &options) == VGG_OK && evaluation->count == TINY_HELD;
    vgg_evaluation_destroy(evaluation);
    vgg_engine_destroy(engine);
    vgg_model_destroy(model);
    vgg_data_destroy(held);
    return good;
}

/* 13 images: batches of 6 on 2 ranks are 4 and 4, then 4 and 1, not 6 and 6, then 1 on one rank; 2 ranks with batches
 * of 1 take 7 rounds; 3 ranks with batches of 32 one. */
Test(ranks, no_round_is_left_to_one, .init = tiny_init, .fini = tiny_finish)
{
    struct rounds halves = { .batch = 6 }, single = { .batch = 1 }, whole = { .batch = 32 };
    cr_assert(rank_threads_run(2, evaluate_in_rounds, &halves));
    cr_expect_eq(halves.count, 2);
    cr_expect_eq(halves.done[0], 8);
    cr_expect_eq(halves.done[1], TINY_HELD);
    cr_assert(rank_threads_run(2, evaluate_in_rounds, &single));
    cr_expect_eq(single.count, 7);
    cr_expect_eq(single.done[2], 6);
    cr_assert(rank_threads_run(3, evaluate_in_rounds, &whole));
    cr_expect_eq(whole.count, 1);
    cr_expect_eq(whole.done[0], TINY_HELD);
}
