#include "core/cli/cli_origin.h"

#include <stdio.h>
#include <string.h>

enum { DIGEST_SHOWN = 12 };

static enum vgg_status check_name(struct cli *cli, const char *option, enum vgg_names names, int typed, int recorded,
                                  const char *file)
{
    if (typed == 0 || typed == recorded) return VGG_OK;
    return cli_usage(cli, "--%s %s: %s was made with %s", option, vgg_name(names, typed), file,
                     vgg_name(names, recorded));
}

enum vgg_status cli_origin_images(struct cli *cli, const char *file, const struct vgg_data *data,
                                  const struct vgg_image_options *images)
{
    const struct vgg_origin *o = vgg_data_origin(data);
    if (!o) return VGG_OK;
    enum vgg_status status =
        check_name(cli, "preprocess", VGG_NAMES_PREPROCESS, (int)images->preprocess, (int)o->preprocess, file);
    if (status == VGG_OK)
        status = check_name(cli, "resize", VGG_NAMES_RESIZE, (int)images->resize, (int)o->resize, file);
    if (status == VGG_OK) status = check_name(cli, "crop", VGG_NAMES_CROP, (int)images->crop, (int)o->crop, file);
    if (status == VGG_OK)
        status = check_name(cli, "decode", VGG_NAMES_DECODE, (int)images->decode, (int)o->decode, file);
    return status;
}

enum vgg_status cli_origin_network(struct cli *cli, const char *file, const struct vgg_data *data,
                                   const struct cli_network *network, const char *layer)
{
    const struct vgg_origin *o = vgg_data_origin(data);
    const char *arch = cli_arch_name(network->arch);
    const int *size = network->size;
    if (!o) return VGG_OK;
    if (arch && strcmp(arch, o->arch) != 0) {
        return cli_usage(cli, "--arch %s: %s was made with %s", arch, file, o->arch);
    }
    if (size[0] && (size[0] != o->height || size[1] != o->width)) {
        char typed[32];
        snprintf(typed, sizeof typed, size[0] == size[1] ? "%d" : "%dx%d", size[0], size[1]);
        return cli_usage(cli, "--size %s: %s was made at %dx%d", typed, file, o->height, o->width);
    }
    /* Whole maps may go on through the layers above theirs; single vectors may not. */
    if (layer && o->pooling != VGG_POOLING_NONE && strcmp(layer, o->layer) != 0) {
        return cli_usage(cli, "--layer %s: %s holds features of %s, with pooling %s", layer, file, o->layer,
                         vgg_name(VGG_NAMES_POOLING, (int)o->pooling));
    }
    return VGG_OK;
}

const char *cli_origin_head(const struct vgg_origin *origin)
{
    static const char *const heads[] = {
        [VGG_POOLING_NONE] = "flatten", [VGG_POOLING_AVG] = "gap", [VGG_POOLING_MAX] = "gmp"
    };
    return heads[origin->pooling];
}

/* Are these the weights? typed: the user named them. */
static enum vgg_status check_digest(struct cli *cli, const struct vgg_model *model, int layer, const char *file,
                                    const struct vgg_origin *origin, const char *typed)
{
    char digest[65];
    enum vgg_status status = vgg_model_digest(model, layer, digest);
    if (status != VGG_OK || strcmp(digest, origin->digest) == 0) return status;
    if (typed) {
        return cli_usage(cli, "--weights %s: their digest up to %s is %.*s; %s was made with %s, of digest %.*s", typed,
                         origin->layer, DIGEST_SHOWN, digest, file, origin->weights, DIGEST_SHOWN, origin->digest);
    }
    if (strcmp(origin->weights, "random") == 0) {
        return cli_usage(cli,
                         "--seed: %s was made with random weights of another seed (digest %.*s up to %s, not "
                         "%.*s); give the same",
                         file, DIGEST_SHOWN, origin->digest, origin->layer, DIGEST_SHOWN, digest);
    }
    return cli_fail(cli, VGG_ERR_FORMAT,
                    "%s: was made with %s of digest %.*s up to %s, which has digest %.*s now; extract the features "
                    "again, or name the old weights by --weights",
                    file, origin->weights, DIGEST_SHOWN, origin->digest, origin->layer, DIGEST_SHOWN, digest);
}

/* Pooled features need their pooling as the head's first layer, unless there was nothing to pool. */
static enum vgg_status check_head(struct cli *cli, const struct vgg_model *model, int layer, const char *file,
                                  const struct vgg_origin *origin, const char *head)
{
    struct vgg_layer_info below, first;
    enum vgg_status status = vgg_model_layer(model, layer, &below);
    if (status == VGG_OK) status = vgg_model_layer(model, layer + 1, &first);
    if (status != VGG_OK) return status;
    bool avg = origin->pooling == VGG_POOLING_AVG, vector = below.height == 1 && below.width == 1;
    if (origin->pooling == VGG_POOLING_NONE || vector) return VGG_OK;
    if (strcmp(first.kind, avg ? "avgpool" : "gmaxpool") == 0) return VGG_OK;
    return cli_usage(cli, "--head %s: %s was made with pooling %s; begin with %s", head, file,
                     vgg_name(VGG_NAMES_POOLING, (int)origin->pooling), cli_origin_head(origin));
}

static enum vgg_status open_weights(struct cli *cli, struct vgg_model **out, const char *file,
                                    const struct vgg_origin *origin, const struct vgg_model_options *options,
                                    bool typed)
{
    if (typed) return vgg_model_create(out, options);
    unsigned errors = cli->progress.errors;
    cli->progress.held = true; /* what is wrong with them is told with the file that asks for them */
    enum vgg_status status = vgg_model_create(out, options);
    cli->progress.held = false;
    if (status == VGG_OK) return status;
    cli->progress.errors = errors;
    bool layer = status == VGG_ERR_MISSING && strcmp(options->last, origin->layer) != 0;
    if (layer || (status != VGG_ERR_IO && status != VGG_ERR_MISSING && status != VGG_ERR_FORMAT)) {
        return vgg_model_create(out, options); /* what was typed is at fault: this time it is heard */
    }
    return cli_fail(cli, status,
                    "%s: was made with the weights %s (digest %.*s up to %s), and %s cannot be read now; bring them "
                    "back, or name the same weights by --weights",
                    file, origin->weights, DIGEST_SHOWN, origin->digest, origin->layer, origin->source);
}

enum vgg_status cli_origin_create(struct cli *cli, struct vgg_model **out, const char *file,
                                  const struct vgg_origin *origin, struct vgg_model_options options, bool head_typed)
{
    const char *typed = options.weights, *layer_typed = options.last;
    *out = NULL;
    if (strncmp(origin->layer, "block", 5) != 0) {
        return cli_usage(cli, "%s: holds features of %s, a layer of a head; go on from that model by --from", file,
                         origin->layer);
    }
    if (!options.arch) options.arch = origin->arch;
    if (!options.weights) options.weights = origin->weights;
    if (!options.last) options.last = origin->layer;
    if (!options.height) options.height = origin->height, options.width = origin->width;
    if (options.preprocess == VGG_PREPROCESS_DEFAULT) options.preprocess = origin->preprocess;
    enum vgg_status status = open_weights(cli, out, file, origin, &options, typed != NULL);
    if (status != VGG_OK) return status;
    int layer = vgg_model_layer_find(*out, origin->layer);
    if (layer < 0) {
        status = cli_usage(cli, "--layer %s: %s holds features of %s", layer_typed ? layer_typed : origin->layer, file,
                           origin->layer);
    }
    if (status == VGG_OK) status = check_digest(cli, *out, layer, file, origin, typed);
    if (status == VGG_OK && head_typed) status = check_head(cli, *out, layer, file, origin, options.head);
    if (status != VGG_OK) {
        vgg_model_destroy(*out);
        *out = NULL;
    }
    return status;
}
