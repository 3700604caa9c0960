/* The dense layers of a weight file as the head of a network, whatever they are called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/weights/names.h"

/* A dense layer of the file. */
struct candidate {
    size_t entry;
    const char *name;
    int in, out;
    bool taken;
};

static size_t list(struct candidate candidates[VGG_WEIGHTS_HEAD], const struct vgg_weights *weights)
{
    size_t n = 0;
    for (size_t i = 0; i < weights->count; i++) {
        int rank, shape[4], block, conv;
        const char *name = weights->entry[i].name;
        if (vgg_arch_conv_place(&block, &conv, name) || !vgg_weights_shape(weights, name, &rank, shape) || rank != 2)
            continue;
        if (n == VGG_WEIGHTS_HEAD) return n + 1;
        candidates[n++] = (struct candidate) { i, name, shape[0], shape[1], false };
    }
    return n;
}

/* What a chain of dense layers is sought by; NULL: that does not matter. */
struct wish {
    const int (*shape)[2];
    const char *const *name;
};

/* Finds layers at..count-1 of a chain: each takes what the one before gives. Those of the wanted names come first, then
 * the order of the file decides. */
static bool chain(struct candidate *candidates, size_t n, const struct wish *wish, int at, int count, size_t *order)
{
    if (at == count) return true;
    for (size_t k = 0; k < 2 * n; k++) {
        size_t i = k % n;
        struct candidate *c = &candidates[i];
        bool named = wish->name && strcmp(c->name, wish->name[at]) == 0;
        if (c->taken || named != (k < n)) continue;
        if (wish->shape && (c->in != wish->shape[at][0] || c->out != wish->shape[at][1])) continue;
        if (at && c->in != candidates[order[at - 1]].out) continue;
        c->taken = true;
        order[at] = i;
        if (chain(candidates, n, wish, at + 1, count, order)) return true;
        c->taken = false;
    }
    return false;
}

bool vgg_weights_head(int shape[VGG_WEIGHTS_HEAD][2], int *count, const struct vgg_weights *weights)
{
    struct candidate candidates[VGG_WEIGHTS_HEAD];
    size_t n = list(candidates, weights), order[VGG_WEIGHTS_HEAD];
    *count = 0;
    if (n > VGG_WEIGHTS_HEAD || !chain(candidates, n, &(struct wish) { 0 }, 0, (int)n, order)) return false;
    for (size_t i = 0; i < n; i++)
        shape[i][0] = candidates[order[i]].in, shape[i][1] = candidates[order[i]].out;
    *count = (int)n;
    return true;
}

static enum vgg_status refuse(const struct vgg_weights *weights, const int (*shape)[2], int count)
{
    struct vgg_weights_dense own;
    char wanted[256] = "";
    for (int i = 0; i < count; i++) {
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%s%dx%d", i ? ", " : "", shape[i][0], shape[i][1]);
    }
    vgg_weights_dense(&own, weights);
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: the head needs dense layers %s; the file's are %s; --head and --size must fit", weights->path,
                    wanted, own.count ? own.list : "none");
}

enum vgg_status vgg_weights_take_head(struct vgg_weights *weights, const int (*shape)[2], const char *const *name,
                                      int count)
{
    const struct wish wish = { shape, name };
    struct candidate candidates[VGG_WEIGHTS_HEAD];
    size_t n = list(candidates, weights), order[VGG_WEIGHTS_HEAD];
    char *names[VGG_WEIGHTS_HEAD] = { NULL };
    if (n > VGG_WEIGHTS_HEAD || !chain(candidates, n, &wish, 0, count, order)) return refuse(weights, shape, count);
    for (int i = 0; i < count; i++) {
        char plain[VGG_WEIGHTS_NAME];
        snprintf(plain, sizeof plain, "dense_%d", i + 1);
        names[i] = vgg_mem_strdup(plain);
        if (names[i]) continue;
        for (int k = 0; k < i; k++)
            free(names[k]);
        return vgg_fail_memory(weights->path, sizeof plain);
    }
    /* The head's layers go to the end in their order; other dense layers are left out. */
    struct vgg_weights_entry head[VGG_WEIGHTS_HEAD];
    for (int i = 0; i < count; i++)
        head[i] = weights->entry[candidates[order[i]].entry];
    size_t kept = 0;
    for (size_t i = 0; i < weights->count; i++) {
        int block, conv;
        struct vgg_weights_entry *entry = &weights->entry[i];
        bool base = vgg_arch_conv_place(&block, &conv, entry->name), taken = false;
        for (int k = 0; k < count; k++)
            taken = taken || candidates[order[k]].entry == i;
        if (base) {
            weights->entry[kept++] = *entry;
        } else if (!taken) {
            free(entry->name), free(entry->kernel.name), free(entry->bias.name);
        }
    }
    for (int i = 0; i < count; i++) {
        free(head[i].name);
        head[i].name = names[i];
        weights->entry[kept++] = head[i];
    }
    weights->count = kept;
    return VGG_OK;
}
