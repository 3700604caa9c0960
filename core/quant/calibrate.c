#include "core/quant/calibrate.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/quant/spread.h"

/* TILES: a side of a map whose tiles are all looked at. STRETCH: bytes of parameters after which the next block begins
 * a stretch of its own. CHUNK: inputs whose maps between two stretches are kept. */
enum { TILES = 14, STRETCH = 4 << 20, CHUNK = 32 };

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

/* Blocks that are in memory at once: of `layer` those from `begin` up to `end`. */
struct stretch {
    int begin, end;
};

struct calibration {
    const struct vgg_quant_target *target;
    struct vgg_net *net; /* of the stretch that runs */
    struct layer layer[VGG_MAX_LAYERS];
    int layers;
    struct stretch stretch[VGG_ARCH_BLOCKS];
    int stretches;
    float *kept; /* what the stretch before gave for each input of a chunk, kept_count values each */
    size_t kept_count;
    float *map;     /* room for the largest output */
    uint8_t *bytes; /* likewise */
    int seen;       /* inputs of this pass before that which is looked at */
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

/* Stretches end where a block does. */
static enum vgg_status find_stretches(struct calibration *c)
{
    const struct vgg_arch *arch = c->target->arch;
    size_t size = 0;
    c->stretch[c->stretches++] = (struct stretch) { 0, c->layers };
    for (int i = 1; i < c->layers; i++) {
        const struct layer *below = &c->layer[i - 1];
        size += vgg_view_size(&arch->layer[below->conv].kernel);
        if (size <= STRETCH || below->output == below->conv || c->stretches == VGG_ARCH_BLOCKS) continue;
        c->stretch[c->stretches - 1].end = i;
        c->stretch[c->stretches++] = (struct stretch) { i, c->layers };
        if (map_count(arch, below->output) > c->kept_count) c->kept_count = map_count(arch, below->output);
        size = 0;
    }
    if (c->stretches == 1) return VGG_OK;
    c->kept = vgg_mem_calloc(CHUNK, c->kept_count * sizeof *c->kept);
    return c->kept ? VGG_OK : vgg_fail_memory("feature maps", CHUNK * c->kept_count * sizeof *c->kept);
}

/* The network of a stretch, which has room for its own parameters alone. */
static enum vgg_status open_net(struct calibration *c, const struct stretch *stretch)
{
    enum vgg_status status;
    const struct vgg_quant_target *target = c->target;
    const struct layer *top = &c->layer[stretch->end - 1];
    struct vgg_arch part = *target->arch;
    int first = stretch->begin ? c->layer[stretch->begin - 1].output + 1 : target->first;
    size_t begin = part.layer[c->layer[stretch->begin].conv].kernel.offset;
    const struct vgg_view *end = &part.layer[top->conv].bias;
    part.param_size = end->offset + vgg_view_size(end) - begin;
    part.count = part.base = top->output + 1;
    for (int i = 0; i < part.count; i++)
        part.layer[i].kernel.offset -= begin, part.layer[i].bias.offset -= begin;
    const struct vgg_plan_spec spec = {
        .arch = &part, .batch = 1, .first = first, .last = part.count, .trainable = part.count, .keep_all = true
    };
    CHECK(vgg_net_create(&c->net, target->backend, &spec, first, 0, target->memory));
    if (target->params) {
        CHECK(vgg_net_set_params(c->net, target->params + begin / sizeof *target->params));
    } else {
        CHECK(vgg_net_take_params(c->net, target->from, begin));
    }
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

typedef enum vgg_status look_fn(struct calibration *, const struct layer *, float (*scales)[VGG_QUANT_COUNT]);

static enum vgg_status run_one(struct calibration *c, const struct stretch *stretch, const float *x, look_fn *look,
                               float (*scales)[VGG_QUANT_COUNT])
{
    enum vgg_status status;
    CHECK(vgg_net_put(c->net, &(struct vgg_net_io) { .n = 1, .x = x }));
    CHECK(vgg_net_run(c->net, VGG_NET_FORWARD, &(struct vgg_step) { 0 }, NULL));
    for (int i = stretch->begin; i < stretch->end; i++) {
        CHECK(vgg_net_get_activation(c->net, c->layer[i].output, c->map));
        CHECK(look(c, &c->layer[i], scales));
    }
fail:
    return status;
}

/* Runs up to `most` inputs, and says how many there were, through one stretch: the first takes them from the source,
 * the others what the one before has kept. */
static enum vgg_status run_stretch(int *count, struct calibration *c, int index, const struct vgg_quant_source *source,
                                   int most, look_fn *look, float (*scales)[VGG_QUANT_COUNT])
{
    enum vgg_status status;
    const struct stretch *stretch = &c->stretch[index];
    int seen = c->seen, i = 0;
    CHECK(open_net(c, stretch));
    for (; i < most; i++, c->seen++) {
        float *kept = c->kept ? c->kept + (size_t)i * c->kept_count : NULL;
        const float *x = kept;
        if (index == 0) CHECK(source->next(source->user, &x));
        if (!x) break;
        CHECK(run_one(c, stretch, x, look, scales));
        if (index + 1 < c->stretches)
            memcpy(kept, c->map, map_count(c->target->arch, c->layer[stretch->end - 1].output) * sizeof *kept);
    }
fail:
    vgg_net_destroy(c->net);
    c->net = NULL;
    c->seen = seen;
    *count = i;
    return status;
}

static enum vgg_status pass(struct calibration *c, const struct vgg_quant_source *source, look_fn *look,
                            float (*scales)[VGG_QUANT_COUNT])
{
    enum vgg_status status;
    int most = c->stretches > 1 ? CHUNK : INT_MAX, count = most;
    CHECK(source->again(source->user));
    for (c->seen = 0; count == most; c->seen += count) {
        for (int i = 0; i < c->stretches && (i == 0 || count); i++)
            CHECK(run_stretch(&count, c, i, source, i ? count : most, look, scales));
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
    CHECK(find_stretches(&c));
    CHECK(pass(&c, source, look_at_values, scales));
    if (!c.seen) CHECK(vgg_fail(VGG_ERR_MISSING, "there is no image to find the scales of int8 with"));
    for (int i = 0; i < c.layers; i++) {
        float *row = scales[c.layer[i].conv];
        row[VGG_QUANT_X] = i ? scales[c.layer[i - 1].conv][VGG_QUANT_Y] : 0.0f;
        row[VGG_QUANT_Y] = vgg_spread_step(c.layer[i].spread);
    }
    if (!target->direct) CHECK(pass(&c, source, look_at_taps, scales));
    for (int i = 0; i < c.layers; i++) {
        for (int tap = 0; tap < VGG_QUANT_TAPS; tap++)
            scales[c.layer[i].conv][VGG_QUANT_CLIP + tap] =
                c.layer[i].taps && !target->direct ? vgg_taps_clip(c.layer[i].taps, tap) : 0.0f;
    }
fail:
    for (int i = 0; i < VGG_MAX_LAYERS; i++) {
        free(c.layer[i].spread);
        free(c.layer[i].taps);
    }
    free(c.kept);
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
        for (int tap = 1; tap < VGG_QUANT_TAPS && there && below >= 0; tap++)
            there = (scales[i][VGG_QUANT_CLIP + tap] > 0.0f) == (scales[i][VGG_QUANT_CLIP] > 0.0f);
        if (!there) return false;
        below = i;
    }
    return true;
}
