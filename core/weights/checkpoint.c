#include "core/weights/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/weights/names.h"

bool vgg_weights_is_checkpoint(const struct vgg_weights *weights)
{
    return weights->st && vgg_st_find(weights->st, VGG_CHECKPOINT_PARAMS) &&
           vgg_st_meta(weights->st, VGG_CHECKPOINT_STATE);
}

/* ---- the network ---- */

/* The architecture that its metadata describes, and the layer that the trained range begins with. */
static enum vgg_status read_arch(struct vgg_arch *arch, int *first, const struct vgg_weights *weights)
{
    const struct vgg_st *st = weights->part[0];
    const char *name = vgg_st_meta(st, "arch"), *head = vgg_st_meta(st, "head"), *last = vgg_st_meta(st, "last");
    const char *height = vgg_st_meta(st, "height"), *width = vgg_st_meta(st, "width");
    const char *begin = vgg_st_meta(st, VGG_CHECKPOINT_FIRST);
    if (!name || !head || !last || !height || !width || !begin) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: is a checkpoint of an older version, which kept nothing but the layers that trained; go "
                        "on with it by --resume, which writes whole ones",
                        weights->path);
    }
    enum vgg_status status = vgg_arch_base(arch, name, atoi(height), atoi(width), last);
    if (status == VGG_OK && *head) status = vgg_arch_head(arch, head);
    if (status != VGG_OK) return status;
    *first = vgg_arch_find(arch, begin);
    if (*first >= 0 && arch->layer[*first].kernel.n) return VGG_OK;
    return vgg_fail(VGG_ERR_FORMAT, "%s: metadata " VGG_CHECKPOINT_FIRST " \"%s\" names no layer of its network",
                    weights->path, begin);
}

static enum vgg_status copy_meta(struct vgg_weights *weights)
{
    static const char *const own[] = { VGG_CHECKPOINT_SETTINGS, VGG_CHECKPOINT_STATE, VGG_CHECKPOINT_HISTORY,
                                       VGG_CHECKPOINT_SCALE,    VGG_CHECKPOINT_FIRST, VGG_CHECKPOINT_BASE };
    struct vgg_st_meta pair;
    enum vgg_status status = VGG_OK;
    for (size_t i = 0; status == VGG_OK && vgg_st_meta_at(weights->part[0], i, &pair); i++) {
        bool skip = false;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++)
            skip = skip || strcmp(pair.key, own[k]) == 0;
        if (!skip) status = vgg_weights_add_meta(weights, pair.key, pair.value);
    }
    return status;
}

/* ---- its tensors ---- */

/* Opens the file beside the checkpoint. */
static enum vgg_status open_base(struct vgg_weights *weights)
{
    const char *name = vgg_st_meta(weights->part[0], VGG_CHECKPOINT_BASE);
    if (!name || !vgg_checkpoint_is_base(name)) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: metadata " VGG_CHECKPOINT_BASE " names no file of its frozen layers",
                        weights->path);
    }
    char *path = vgg_file_beside(weights->path, name);
    if (!path) return vgg_fail_memory(weights->path, strlen(weights->path));
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
    enum vgg_status status = vgg_st_open(&weights->part[1], path);
    vgg_log_failures(level);
    free(path);
    if (status == VGG_OK || status == VGG_ERR_MEMORY) return status;
    return vgg_fail(VGG_ERR_MISSING, /* it is so for all checkpoints of the folder: none is tried in its place */
                    "%s: the layers that did not train are in %s, which %s; a checkpoint is moved with that file",
                    weights->path, name, status == VGG_ERR_IO ? "cannot be read in its folder" : "is not whole");
}

/* Adds one tensor of the network, which stands in the trained range at `values` or else in the file of the base. */
static enum vgg_status add_tensor(struct vgg_weights *weights, const struct vgg_layer *layer, bool bias,
                                  const float *values)
{
    const struct vgg_view *view = bias ? &layer->bias : &layer->kernel;
    bool conv = layer->kind == VGG_LAYER_CONV;
    size_t at = weights->tensor_count++;
    struct vgg_tensor *tensor = &weights->listed[at];
    char *name = weights->listed_name + at * VGG_WEIGHTS_NAME;
    snprintf(name, VGG_WEIGHTS_NAME, "%s/%s", layer->name, bias ? "bias" : "kernel");
    *tensor = (struct vgg_tensor) { .name = name, .dtype = VGG_DTYPE_F32, .data = values };
    if (!bias && conv)
        tensor->shape[tensor->rank++] = (uint64_t)view->n, tensor->shape[tensor->rank++] = (uint64_t)view->h;
    if (!bias) tensor->shape[tensor->rank++] = (uint64_t)view->w;
    tensor->shape[tensor->rank++] = (uint64_t)view->c;
    if (!values) {
        const struct vgg_st_tensor *held = vgg_st_find(weights->part[1], name);
        if (!held || held->dtype != VGG_DTYPE_F32 || held->size != vgg_view_count(view) * sizeof(float)) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: %s in %s is not what its network has", weights->path, name,
                            vgg_st_meta(weights->part[0], VGG_CHECKPOINT_BASE));
        }
        tensor->data = held->data;
    }
    struct vgg_weights_tensor entry = { .name = name, .rank = tensor->rank, .st = tensor };
    memcpy(entry.shape, tensor->shape, sizeof entry.shape);
    return vgg_weights_add(weights, layer->name, bias, &entry);
}

/* Compares the first `count` tensors, those of the base, with the digest in its name: some 30 ms for VGG16's 59 MB. */
static enum vgg_status check_base(const struct vgg_weights *weights, size_t count)
{
    struct vgg_digest_piece piece[2 * VGG_MAX_LAYERS];
    char digest[65], expected[VGG_CHECKPOINT_NAME];
    const char *name = vgg_st_meta(weights->part[0], VGG_CHECKPOINT_BASE);
    for (size_t i = 0; i < count; i++) {
        const struct vgg_st_tensor *held = vgg_st_find(weights->part[1], weights->listed[i].name);
        piece[i] = (struct vgg_digest_piece) { held->data, held->size };
    }
    enum vgg_status status = vgg_digest_sha256(digest, piece, count);
    if (status != VGG_OK) return status;
    vgg_checkpoint_base_name(expected, digest);
    if (strcmp(name, expected) == 0) return VGG_OK;
    return vgg_fail(VGG_ERR_MISSING,
                    "%s: the layers that did not train are in %s, whose values are others than when it was written; "
                    "put the file there that was written with the checkpoint",
                    weights->path, name);
}

enum vgg_status vgg_weights_checkpoint_open(struct vgg_weights *weights)
{
    enum vgg_status status = VGG_OK;
    struct vgg_arch arch;
    int first = 0;
    weights->naming = VGG_NAMING_KERAS;
    weights->part[0] = weights->st, weights->st = NULL;
    CHECK(read_arch(&arch, &first, weights));
    CHECK(copy_meta(weights));
    const struct vgg_st_tensor *range = vgg_st_find(weights->part[0], VGG_CHECKPOINT_BEST);
    if (!range) range = vgg_st_find(weights->part[0], VGG_CHECKPOINT_PARAMS);
    size_t offset = arch.layer[first].kernel.offset;
    if (range->dtype != VGG_DTYPE_F32 || range->size != arch.param_size - offset) {
        CHECK(vgg_fail(VGG_ERR_FORMAT, "%s: does not hold the %zu values of %s and above that its network has",
                       weights->path, (arch.param_size - offset) / sizeof(float), arch.layer[first].name));
    }
    if (offset) CHECK(open_base(weights));
    weights->listed = vgg_mem_calloc(2 * VGG_MAX_LAYERS, sizeof *weights->listed);
    weights->listed_name = vgg_mem_calloc(2 * VGG_MAX_LAYERS, VGG_WEIGHTS_NAME);
    if (!weights->listed || !weights->listed_name) CHECK(vgg_fail_memory(weights->path, 2 * VGG_MAX_LAYERS));
    weights->tensor = weights->listed;
    size_t based = 0;
    for (int i = 0; i < arch.count; i++) {
        const struct vgg_layer *layer = &arch.layer[i];
        if (layer->kernel.n == 0) continue;
        if (i < first) based += 2;
        for (int bias = 0; bias < 2; bias++) {
            size_t from = bias ? layer->bias.offset : layer->kernel.offset;
            const char *values = i < first ? NULL : (const char *)range->data + (from - offset);
            CHECK(add_tensor(weights, layer, bias, (const void *)values));
        }
    }
    if (based) CHECK(check_base(weights, based));
fail:
    return status;
}
