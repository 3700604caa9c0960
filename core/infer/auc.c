#include "core/infer/auc.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"

struct scored {
    float score;
    bool positive;
};

static int compare(const void *left, const void *right)
{
    const struct scored *a = left, *b = right;
    return (a->score > b->score) - (a->score < b->score);
}

enum vgg_status vgg_auc(double *auc, const float *scores, size_t stride, const int *labels, int positive, size_t count)
{
    struct scored *item = vgg_mem_calloc(count, sizeof *item);
    uint64_t positives = 0, twice = 0; /* twice the sum of ranks, which is whole */
    *auc = (double)NAN;
    if (!item) return vgg_fail_memory("ROC curves", count * sizeof *item);
    for (size_t i = 0; i < count; i++) {
        item[i] = (struct scored) { scores[i * stride], labels[i] == positive };
        positives += item[i].positive;
    }
    qsort(item, count, sizeof *item, compare);
    for (size_t begin = 0, end; begin < count; begin = end) {
        uint64_t here = 0;
        for (end = begin; end < count && item[end].score == item[begin].score; end++)
            here += item[end].positive;
        twice += here * (begin + 1 + end); /* ranks from 1 */
    }
    free(item);
    uint64_t negatives = count - positives;
    if (positives && negatives) {
        *auc = (double)(twice - positives * (positives + 1)) / (2.0 * (double)positives * (double)negatives);
    }
    return VGG_OK;
}
