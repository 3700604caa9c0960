#include "core/quant/calibrate.h"

#include <stdlib.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/quant/spread.h"

enum { TILES = 14 }; /* a side of a map whose tiles are all looked at */

static enum vgg_status array_next(void *user, const float **x)
{
    struct vgg_quant_array *array = user;
    *x = array->at < array->count ? array->x + array->size * array->at++ : NULL;
    return VGG_OK;
}

static enum vgg_status array_again(void *user)
{
    ((struct vgg_quant_array *)user)->at = 0;
    return VGG_OK;
}

struct vgg_quant_source vgg_quant_array(struct vgg_quant_array *place, const float *x, size_t size, size_t count)
{
    *place = (struct vgg_quant_array) { .x = x, .size = size, .count = count };
    return (struct vgg_quant_source) { array_next, array_again, place };
}

/* A convolution, and where its input and its output stand. */
struct layer {
    int conv, output; /* layers: itself, and the pool above it where there is one */
    struct vgg_spread *spread;
    struct vgg_taps *taps; /* NULL without a convolution below */
};

struct calibration {
    const struct vgg_quant_target *target;
    struct vgg_net *net;
    struct layer layer[VGG_MAX_LAYERS];
    int layers;
    float *map;     /* room for the largest output */
    uint8_t *bytes; /* likewise */
    int seen;       /* inputs of this pass */
};

static size_t map_count(const struct vgg_arch *arch, int index)
{
    const struct vgg_layer *layer = &arch->layer[index];
    return (size_t)layer->h * (size_t)layer->w * (size_t)layer->c;
}

static enum vgg_status find_layers(struct calibration *c)
{
    const struct vgg_arch *arch = c->target->arch;
    size_t largest = 0;
    for (int i = c->target->first; i < c->target->last; i++) {
        if (arch->layer[i].kind != VGG_LAYER_CONV) continue;
        struct layer *layer = &c->layer[c->layers];
        bool pooled = i + 1 < c->target->last && arch->layer[i + 1].kind == VGG_LAYER_MAXPOOL;
        *layer = (struct layer) { .conv = i, .output = i + pooled };
        layer->spread = vgg_mem_calloc(1, sizeof *layer->spread);
        if (c->layers) layer->taps = vgg_mem_calloc(1, sizeof *layer->taps);
        if (map_count(arch, layer->output) > largest) largest = map_count(arch, layer->output);
        if (!layer->spread || (c->layers && !layer->taps))
            return vgg_fail_memory("counts of values", sizeof(struct vgg_spread));
        c->layers++;
    }
    c->map = vgg_mem_calloc(largest, sizeof *c->map);
    c->bytes = vgg_mem_calloc(largest, sizeof *c->bytes);
    return c->map && c->bytes ? VGG_OK : vgg_fail_memory("a feature map", largest * 5);
}

static enum vgg_status open_net(struct calibration *c)
{
    enum vgg_status status;
    const struct vgg_quant_target *target = c->target;
    const struct vgg_plan_spec spec = { .arch = target->arch,
                                        .batch = 1,
                                        .first = target->first,
                                        .last = target->last,
                                        .trainable = target->arch->count,
                                        .keep_all = true };
    CHECK(vgg_net_create(&c->net, target->backend, &spec, target->first, 0, target->memory));
    CHECK(vgg_net_set_params(c->net, target->params));
fail:
    return status;
}

/* ---- the two passes ---- */

static enum vgg_status look_at_values(struct calibration *c, const struct layer *layer,
                                      float (*scales)[VGG_QUANT_COUNT])
{
    const struct vgg_arch *arch = c->target->arch;
    (void)scales;
    if (vgg_spread_add(layer->spread, c->map, map_count(arch, layer->output))) return VGG_OK;
    return vgg_fail(VGG_ERR_NUMERIC, "%s gives values that are no numbers; are the weights and the data right?",
                    arch->layer[layer->conv].name);
}

/* What the layer hands to the next one, in bytes: their tiles are those that the next transforms. */
static enum vgg_status look_at_taps(struct calibration *c, const struct layer *layer, float (*scales)[VGG_QUANT_COUNT])
{
    const struct vgg_layer *output = &c->target->arch->layer[layer->output];
    const struct layer *above = layer + 1;
    float scale = 1.0f / scales[layer->conv][VGG_QUANT_Y];
    size_t count = map_count(c->target->arch, layer->output);
    if (above == c->layer + c->layers) return VGG_OK;
    for (size_t i = 0; i < count; i++) {
        float steps = c->map[i] * scale + 0.5f;
        c->bytes[i] = (uint8_t)(steps < 255.0f ? steps : 255.0f);
    }
    int side = (output->h > output->w ? output->h : output->w) / 2, every = (side + TILES - 1) / TILES;
    if (every < 1) every = 1;
    vgg_taps_add(above->taps, c->bytes, output->h, output->w, output->c, every, c->seen % every,
                 c->seen / every % every);
    return VGG_OK;
}

static enum vgg_status pass(struct calibration *c, const struct vgg_quant_source *source,
                            enum vgg_status (*look)(struct calibration *, const struct layer *,
                                                    float (*)[VGG_QUANT_COUNT]),
                            float (*scales)[VGG_QUANT_COUNT])
{
    enum vgg_status status;
    const struct vgg_step step = { 0 };
    CHECK(source->again(source->user));
    for (c->seen = 0;; c->seen++) {
        const float *x;
        CHECK(source->next(source->user, &x));
        if (!x) break;
        CHECK(vgg_net_put(c->net, &(struct vgg_net_io) { .n = 1, .x = x }));
        CHECK(vgg_net_run(c->net, VGG_NET_FORWARD, &step, NULL));
        for (int i = 0; i < c->layers; i++) {
            CHECK(vgg_net_get_activation(c->net, c->layer[i].output, c->map));
            CHECK(look(c, &c->layer[i], scales));
        }
    }
fail:
    return status;
}

enum vgg_status vgg_quant_calibrate(float (*scales)[VGG_QUANT_COUNT], const struct vgg_quant_target *target,
                                    const struct vgg_quant_source *source)
{
    enum vgg_status status = VGG_OK;
    struct calibration c = { .target = target };
    CHECK(find_layers(&c));
    if (!c.layers) goto fail;
    CHECK(open_net(&c));
    CHECK(pass(&c, source, look_at_values, scales));
    if (!c.seen) CHECK(vgg_fail(VGG_ERR_MISSING, "there is no image to find the scales of int8 with"));
    for (int i = 0; i < c.layers; i++) {
        float *row = scales[c.layer[i].conv];
        row[VGG_QUANT_X] = i ? scales[c.layer[i - 1].conv][VGG_QUANT_Y] : 0.0f;
        row[VGG_QUANT_Y] = vgg_spread_step(c.layer[i].spread);
    }
    CHECK(pass(&c, source, look_at_taps, scales));
    for (int i = 0; i < c.layers; i++) {
        for (int tap = 0; tap < VGG_QUANT_TAPS; tap++)
            scales[c.layer[i].conv][VGG_QUANT_CLIP + tap] =
                c.layer[i].taps ? vgg_taps_clip(c.layer[i].taps, tap) : 0.0f;
    }
fail:
    vgg_net_destroy(c.net);
    for (int i = 0; i < VGG_MAX_LAYERS; i++) {
        free(c.layer[i].spread);
        free(c.layer[i].taps);
    }
    free(c.map);
    free(c.bytes);
    return status;
}

bool vgg_quant_complete(const float (*scales)[VGG_QUANT_COUNT], const struct vgg_arch *arch, int first, int last)
{
    int below = -1;
    for (int i = first; i < last; i++) {
        if (arch->layer[i].kind != VGG_LAYER_CONV) continue;
        bool there = below < 0 ||
                     (scales && scales[i][VGG_QUANT_X] > 0.0f && scales[below][VGG_QUANT_Y] == scales[i][VGG_QUANT_X]);
        for (int tap = 0; tap < VGG_QUANT_TAPS && there && below >= 0; tap++)
            there = scales[i][VGG_QUANT_CLIP + tap] > 0.0f;
        if (!there) return false;
        below = i;
    }
    return true;
}
