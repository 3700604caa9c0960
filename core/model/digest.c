/* What tells weights apart. */
#include <string.h>

#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/model/model.h"

static struct vgg_digest_piece piece_of(const struct vgg_model *model, const struct vgg_view *view)
{
    return (struct vgg_digest_piece) { vgg_model_param(model, view), vgg_view_size(view) };
}

enum vgg_status vgg_model_digest(const struct vgg_model *model, int index, char digest[65])
{
    struct vgg_digest_piece piece[2 * VGG_MAX_LAYERS];
    size_t pieces = 0;
    digest[0] = '\0';
    if (index < 0 || index >= model->arch.count) {
        return vgg_fail(VGG_ERR_ARGUMENT, "layer %d: the network has layers 0 to %d", index, model->arch.count - 1);
    }
    enum vgg_status status = vgg_model_whole(model);
    if (status != VGG_OK) return status;
    for (int i = 0; i <= index; i++) {
        const struct vgg_layer *layer = &model->arch.layer[i];
        if (layer->kernel.n == 0) continue;
        piece[pieces++] = piece_of(model, &layer->kernel);
        piece[pieces++] = piece_of(model, &layer->bias);
    }
    return vgg_digest_sha256(digest, piece, pieces);
}

enum vgg_status vgg_model_note_digest(struct vgg_model *model)
{
    if (model->digest[0] || strcmp(model->source, "random") == 0) return VGG_OK;
    return vgg_model_digest(model, model->arch.base - 1, model->digest);
}
