/* Loss, accuracy, confusion and probabilities of a model on a data set. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/engine/engine.h"
#include "core/infer/auc.h"
#include "core/infer/int8.h"
#include "core/infer/match.h"
#include "core/infer/origin_match.h"
#include "core/infer/pass.h"

enum { DEFAULT_BATCH = 32 };

/* What the pass fills. */
struct gather {
    const struct vgg_model *model;
    const struct vgg_data *data;
    struct vgg_evaluation *result;
    const struct vgg_evaluate_options *options;
    double loss;
    size_t correct, among; /* right, and right among the first options->top */
};

/* How many classes are more probable than class `label`, or as probable and come first. */
static int rank_of(const float *p, int classes, int label)
{
    int rank = 0;
    for (int k = 0; k < classes; k++)
        rank += p[k] > p[label] || (p[k] == p[label] && k < label);
    return rank;
}

static enum vgg_status gather(void *sink, const struct vgg_batch *batch, const float *y, const float *loss)
{
    struct gather *g = sink;
    struct vgg_evaluation *r = g->result;
    const struct vgg_arch *arch = &g->model->arch;
    int outputs = arch->layer[arch->count - 1].c;
    for (int i = 0; i < batch->count; i++, r->count++) {
        const float *row = y + (size_t)i * (size_t)outputs;
        float *p = r->probabilities + r->count * (size_t)r->classes;
        for (int k = 0; k < outputs; k++) {
            if (isfinite(row[k])) continue;
            return vgg_fail(VGG_ERR_NUMERIC, "%s: the model's output is not a number; is the item's data?",
                            vgg_data_path(g->data, batch->index[i]));
        }
        float threshold = g->options->threshold;
        int predicted = threshold != 0.0f ? row[0] > threshold : vgg_model_predicted(g->model, row);
        int label = batch->labels[i];
        if (outputs == 1) {
            p[0] = 1.0f - row[0], p[1] = row[0];
        } else {
            memcpy(p, row, (size_t)outputs * sizeof *p);
        }
        r->labels[r->count] = label;
        r->predicted[r->count] = predicted;
        r->index[r->count] = batch->index[i];
        if (label < 0) continue;
        g->loss += (double)loss[i];
        g->correct += predicted == label;
        if (g->options->top) g->among += rank_of(p, r->classes, label) < g->options->top;
        r->confusion[(size_t)label * (size_t)r->classes + (size_t)predicted]++;
    }
    return VGG_OK;
}

/* The curve of each class; one of a sigmoid unit, since 1 - p may round different p to the same. */
static enum vgg_status measure_auc(struct vgg_evaluation *r, bool sigmoid)
{
    enum vgg_status status = VGG_OK;
    double sum = 0.0;
    int defined = 0;
    for (int k = r->classes - 1; k >= 0; k--) {
        if (sigmoid && k == 0)
            r->auc[0] = r->auc[1];
        else
            CHECK(vgg_auc(&r->auc[k], r->probabilities + k, (size_t)r->classes, r->labels, k, r->count));
        if (isnan(r->auc[k])) continue;
        sum += r->auc[k];
        defined++;
    }
    r->mean_auc = defined ? sum / defined : (double)NAN;
fail:
    return status;
}

static enum vgg_status summarise(struct gather *g, bool labelled)
{
    struct vgg_evaluation *r = g->result;
    size_t n = (size_t)r->classes;
    r->top_accuracy = labelled && g->options->top ? (double)g->among / (double)r->count : (double)NAN;
    r->loss = labelled ? g->loss / (double)r->count : (double)NAN;
    r->accuracy = labelled ? (double)g->correct / (double)r->count : (double)NAN;
    for (size_t c = 0; c < n; c++) {
        uint64_t predicted = 0, hit = r->confusion[c * n + c];
        for (size_t k = 0; k < n; k++) {
            predicted += r->confusion[k * n + c];
            r->support[c] += r->confusion[c * n + k];
        }
        r->precision[c] = predicted ? (double)hit / (double)predicted : (double)NAN;
        r->recall[c] = r->support[c] ? (double)hit / (double)r->support[c] : (double)NAN;
        uint64_t both = predicted + r->support[c];
        r->f1[c] = both ? 2.0 * (double)hit / (double)both : (double)NAN;
    }
    const struct vgg_arch *arch = &g->model->arch;
    return measure_auc(r, arch->layer[arch->count - 1].c == 1);
}

/* What the pass has filled on rank 0, to all. */
static enum vgg_status share_result(struct gather *g, struct vgg_ranks *ranks)
{
    enum vgg_status status;
    struct vgg_evaluation *r = g->result;
    CHECK(vgg_ranks_broadcast(ranks, VGG_OK, &r->count, sizeof r->count));
    size_t n = r->count, classes = (size_t)r->classes;
    struct {
        void *data;
        size_t size;
    } part[] = {
        { &g->loss, sizeof g->loss },         { &g->correct, sizeof g->correct },
        { &g->among, sizeof g->among },       { r->probabilities, n * classes * sizeof *r->probabilities },
        { r->labels, n * sizeof *r->labels }, { r->predicted, n * sizeof *r->predicted },
        { r->index, n * sizeof *r->index },   { r->confusion, classes * classes * sizeof *r->confusion },
    };
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        CHECK(vgg_ranks_broadcast(ranks, VGG_OK, part[i].data, part[i].size));
fail:
    return status;
}

static enum vgg_status create_result(struct vgg_evaluation **out, size_t count, int classes)
{
    size_t n = (size_t)classes, rows = vgg_mem_mul(count, n), cells = vgg_mem_mul(n, n);
    struct vgg_evaluation *r = vgg_mem_calloc(1, sizeof *r);
    *out = r;
    if (!r) return vgg_fail_memory("an evaluation", sizeof *r);
    r->classes = classes;
    r->probabilities = vgg_mem_calloc(rows, sizeof *r->probabilities);
    r->labels = vgg_mem_calloc(count, sizeof *r->labels);
    r->predicted = vgg_mem_calloc(count, sizeof *r->predicted);
    r->index = vgg_mem_calloc(count, sizeof *r->index);
    r->confusion = vgg_mem_calloc(cells, sizeof *r->confusion);
    r->precision = vgg_mem_calloc(n, sizeof *r->precision);
    r->recall = vgg_mem_calloc(n, sizeof *r->recall);
    r->f1 = vgg_mem_calloc(n, sizeof *r->f1);
    r->support = vgg_mem_calloc(n, sizeof *r->support);
    r->auc = vgg_mem_calloc(n, sizeof *r->auc);
    bool complete = r->probabilities && r->labels && r->predicted && r->index && r->confusion && r->precision &&
                    r->recall && r->f1 && r->support && r->auc;
    return complete ? VGG_OK
                    : vgg_fail_memory("an evaluation", vgg_mem_add(vgg_mem_mul(rows, sizeof *r->probabilities),
                                                                   vgg_mem_mul(cells, sizeof *r->confusion)));
}

enum vgg_status vgg_evaluate(struct vgg_evaluation **out, struct vgg_engine *engine, const struct vgg_model *model,
                             const struct vgg_data *data, const struct vgg_evaluate_options *options)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_arch *arch = &model->arch;
    struct vgg_net *net = NULL;
    int *labels = NULL;
    struct vgg_image_options images = options->images;
    struct gather g = { .model = model, .data = data, .options = options };
    int classes = vgg_arch_classes(arch), first;
    bool labelled = vgg_data_class_count(data) > 0;
    *out = NULL;
    if (classes == 0) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT,
                       "the model has no classifier; train a head by `vgg16 train`, or use the weights' own top"));
    }
    if (options->top < 0 || (options->top && options->top >= classes)) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "top %d: must be below the number of classes, %d", options->top, classes));
    }
    bool sigmoid = arch->layer[arch->count - 1].c == 1;
    if (options->top && sigmoid) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "top %d: one sigmoid unit has no second class", options->top));
    }
    if (options->threshold != 0.0f && !(sigmoid && options->threshold > 0.0f && options->threshold < 1.0f)) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "threshold %g: must be between 0 and 1, and the model end in one sigmoid unit",
                       (double)options->threshold));
    }
    CHECK(vgg_match_labels(&labels, model, data));
    CHECK(vgg_origin_images(&images, model, data));
    CHECK(vgg_origin_first(&first, model, data));
    CHECK(create_result(&g.result, vgg_data_count(data), classes));
    struct vgg_plan_spec spec = {
        .arch = arch,
        .batch = options->batch ? options->batch : DEFAULT_BATCH,
        .first = first,
        .last = arch->count,
        .loss = labelled,
        .trainable = arch->count,
        .precision = engine->backend->precision,
    };
    CHECK(vgg_net_create(&net, engine->backend, &spec, first, 0, engine->memory));
    CHECK(vgg_net_set_params(net, model->params));
    const struct vgg_int8_pass int8 = { net, engine, model, first, arch->count };
    CHECK(vgg_int8_prepare(&int8, data, &images));
    struct vgg_pass pass = {
        .net = net,
        .data = data,
        .images = images,
        .batch = spec.batch,
        .loss = labelled,
        .labels = labels,
        .phase = "evaluate",
        .progress = options->progress,
        .user = options->user,
        .ranks = engine->ranks,
    };
    CHECK(vgg_pass_run(&pass, gather, &g));
    CHECK(share_result(&g, engine->ranks));
    CHECK(summarise(&g, labelled));
fail:
    status = vgg_ranks_agree(engine->ranks, status, NULL);
    if (status == VGG_OK) *out = g.result, g.result = NULL;
    free(labels);
    vgg_net_destroy(net);
    vgg_evaluation_destroy(g.result);
    return status;
}

void vgg_evaluation_destroy(struct vgg_evaluation *r)
{
    if (!r) return;
    free(r->probabilities);
    free(r->labels);
    free(r->predicted);
    free(r->index);
    free(r->confusion);
    free(r->precision);
    free(r->recall);
    free(r->f1);
    free(r->support);
    free(r->auc);
    free(r);
}
