/* Sources: keras.io "Whole model saving", keras/src/saving and models of Keras 3, keras/engine of Keras 1 and 2. */
#include "core/weights/keras.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/json.h"
#include "core/weights/names.h"

/* Bounds on what a hostile file can ask for. */
enum { MOST_LAYERS = 512, DEEPEST = 8, MOST_JSON = 1 << 26, MOST_INPUTS = 2 };

struct layer {
    const char *kind, *name; /* "Dense", "dense_1" */
    const struct vgg_json *config;
};

/* The network as one chain of layers, without the networks inside that it is made of. */
struct chain {
    const char *path;
    struct layer layer[MOST_LAYERS];
    size_t count;
};

/* ---- the text ---- */

/* By malloc; NULL where the file has none. */
static enum vgg_status read_text(char **text, const struct vgg_weights *weights)
{
    const struct vgg_zip_entry *entry = weights->zip ? vgg_zip_find(weights->zip, "config.json") : NULL;
    char **words;
    size_t count;
    void *bytes;
    enum vgg_status status = VGG_OK;
    *text = NULL;
    if (entry) {
        status = vgg_zip_read(&bytes, weights->zip, entry, MOST_JSON);
        if (status == VGG_OK) *text = bytes;
        return status;
    }
    if (!weights->hdf.map) return VGG_OK;
    status = vgg_hdf_strings(&words, &count, &weights->hdf, weights->hdf.root, "model_config");
    if (status == VGG_ERR_MISSING) status = VGG_OK;
    if (count == 1) {
        *text = vgg_mem_strdup(words[0]);
        if (!*text) status = vgg_fail_memory(weights->path, strlen(words[0]));
    }
    vgg_hdf_strings_free(words, count);
    return status;
}

/* ---- the chain ---- */

static const char *text_of(const struct vgg_json *object, const char *name)
{
    const char *text = vgg_json_text(vgg_json_member(object, name));
    return text ? text : "";
}

static bool is_any(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static bool is_network(const char *kind)
{
    static const char *const kinds[] = { "Sequential", "Functional", "Model", NULL };
    return is_any(kind, kinds);
}

/* A layer's name stands beside its configuration or in it. */
static const char *name_of(const struct vgg_json *layer)
{
    const char *name = text_of(layer, "name");
    return *name ? name : text_of(vgg_json_member(layer, "config"), "name");
}

/* The layers whose outputs a layer takes: ["NAME", node, tensor ...] in lists (Keras 1 and 2) or as keras_history. */
static void find_inputs(const char *name[MOST_INPUTS], size_t *count, const struct vgg_json *nodes, int depth)
{
    enum vgg_json_kind kind = vgg_json_kind(nodes);
    if (depth == DEEPEST || (kind != VGG_JSON_ARRAY && kind != VGG_JSON_OBJECT)) return;
    const struct vgg_json *first = vgg_json_first(nodes);
    const char *text = vgg_json_text(first);
    if (kind == VGG_JSON_ARRAY && text && vgg_json_kind(vgg_json_next(first)) == VGG_JSON_NUMBER) {
        if (*count < MOST_INPUTS) name[*count] = text;
        ++*count;
        return;
    }
    for (; first; first = vgg_json_next(first))
        find_inputs(name, count, first, depth + 1);
}

/* The layer that takes the output of the one named, or the first of all (NULL). *others: there are more of them. */
static const struct vgg_json *next_of(const struct vgg_json *layers, const char *name, bool *others)
{
    const struct vgg_json *found = NULL;
    *others = false;
    for (const struct vgg_json *l = vgg_json_first(layers); l; l = vgg_json_next(l)) {
        const char *input[MOST_INPUTS];
        size_t count = 0;
        find_inputs(input, &count, vgg_json_member(l, "inbound_nodes"), 0);
        bool mine = name ? count >= 1 && (strcmp(input[0], name) == 0 || (count > 1 && strcmp(input[1], name) == 0))
                         : count == 0;
        if (!mine) continue;
        *others = *others || found || count > 1;
        if (!found) found = l;
    }
    return found;
}

static enum vgg_status add_network(struct chain *chain, const struct vgg_json *network, int depth);

static enum vgg_status add(struct chain *chain, const struct vgg_json *layer, int depth)
{
    const char *kind = text_of(layer, "class_name");
    if (is_network(kind)) return add_network(chain, layer, depth + 1);
    if (chain->count == MOST_LAYERS) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: its configuration has more than %d layers", chain->path, MOST_LAYERS);
    }
    chain->layer[chain->count++] = (struct layer) { kind, name_of(layer), vgg_json_member(layer, "config") };
    return VGG_OK;
}

/* Adds the layers of a Sequential in their order, of a functional network as each takes the output of the one before.
 */
static enum vgg_status add_network(struct chain *chain, const struct vgg_json *network, int depth)
{
    const struct vgg_json *config = vgg_json_member(network, "config"), *layers = vgg_json_member(config, "layers");
    enum vgg_status status = VGG_OK;
    if (vgg_json_kind(config) == VGG_JSON_ARRAY) layers = config; /* as Keras wrote a Sequential before 2.2.3 */
    if (depth == DEEPEST || vgg_json_kind(layers) != VGG_JSON_ARRAY)
        return vgg_fail(VGG_ERR_FORMAT, "%s: its configuration lists no layers", chain->path);
    if (strcmp(text_of(network, "class_name"), "Sequential") == 0) {
        for (const struct vgg_json *l = vgg_json_first(layers); status == VGG_OK && l; l = vgg_json_next(l))
            status = add(chain, l, depth);
        return status;
    }
    size_t left = vgg_json_count(layers);
    bool others;
    for (const struct vgg_json *l = next_of(layers, NULL, &others); status == VGG_OK && l;) {
        if (others || left-- == 0) {
            return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: its layers are no single chain: it branches at %s (%s)",
                            chain->path, name_of(l), text_of(l, "class_name"));
        }
        status = add(chain, l, depth);
        l = next_of(layers, name_of(l), &others);
    }
    return status;
}

/* ---- what its layers are ---- */

static enum vgg_status refuse(const struct chain *chain, const struct layer *layer, const char *why)
{
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: its layer %s (%s) %s", chain->path, layer->name, layer->kind, why);
}

/* "relu"; "linear" where none is said. */
static const char *activation_of(const struct layer *layer)
{
    const struct vgg_json *said = vgg_json_member(layer->config, "activation");
    const char *word = vgg_json_text(said);
    if (strcmp(layer->kind, "ReLU") == 0) return "relu";
    if (strcmp(layer->kind, "Softmax") == 0) return "softmax";
    if (!word) word = vgg_json_text(vgg_json_member(said, "config")); /* a function, as Keras 3 may write it */
    return word ? word : "linear";
}

static bool is_activation(const struct layer *layer)
{
    static const char *const kinds[] = { "Activation", "ReLU", "Softmax", NULL };
    return is_any(layer->kind, kinds);
}

static bool is_conv(const struct layer *layer)
{
    return strcmp(layer->kind, "Conv2D") == 0 || strcmp(layer->kind, "Convolution2D") == 0;
}

/* What an option of a layer says in both of its numbers, and that of a missing one. */
static bool both_are(const struct layer *layer, const char *option, double wanted)
{
    const struct vgg_json *said = vgg_json_member(layer->config, option), *first = vgg_json_first(said);
    if (vgg_json_kind(said) == VGG_JSON_NUMBER) return vgg_json_number(said) == wanted;
    if (!first) return true;
    return vgg_json_number(first) == wanted && vgg_json_number(vgg_json_next(first)) == wanted;
}

static bool channels_first(const struct layer *layer)
{
    return strcmp(text_of(layer->config, "data_format"), "channels_first") == 0 ||
           strcmp(text_of(layer->config, "dim_ordering"), "th") == 0;
}

/* The layers up to `end`: those of a VGG, and what may stand before them. */
static enum vgg_status check_base(struct vgg_weights_keras *out, const struct chain *chain, size_t end)
{
    bool begun = false, padded = false;
    for (size_t i = 0; i < end; i++) {
        const struct layer *l = &chain->layer[i], *next = i + 1 < chain->count ? l + 1 : NULL;
        if (channels_first(l)) return refuse(chain, l, "has its channels first, which is not read here");
        if (strcmp(l->kind, "InputLayer") == 0) continue;
        if (strcmp(l->kind, "ZeroPadding2D") == 0) {
            const struct vgg_json *sides = vgg_json_first(vgg_json_member(l->config, "padding"));
            if (vgg_json_kind(sides) != VGG_JSON_ARRAY && !both_are(l, "padding", 1))
                return refuse(chain, l, "does not pad by 1");
            padded = true;
            continue;
        }
        if (is_conv(l)) {
            const char *padding = text_of(l->config, "padding");
            if (!*padding) padding = text_of(l->config, "border_mode");
            if (strcmp(padding, "same") != 0 && !padded) return refuse(chain, l, "does not pad its input");
            if (!both_are(l, "strides", 1) || !both_are(l, "dilation_rate", 1))
                return refuse(chain, l, "has strides or dilation, which no VGG has");
            bool later = next && is_activation(next) && strcmp(activation_of(l), "linear") == 0;
            if (strcmp(activation_of(later ? next : l), "relu") != 0)
                return refuse(chain, l, "is not followed by relu");
            begun = true;
        } else if (strcmp(l->kind, "MaxPooling2D") == 0) {
            if (!both_are(l, "pool_size", 2) || !both_are(l, "strides", 2))
                return refuse(chain, l, "does not take 2x2 pixels each");
        } else if (!begun && strcmp(l->kind, "Rescaling") == 0) {
            double scale = vgg_json_number(vgg_json_member(l->config, "scale"));
            double offset = vgg_json_number(vgg_json_member(l->config, "offset"));
            if (fabs(scale * 255 - 1) > 1e-6 || offset != 0) return refuse(chain, l, "does not scale by 1/255");
            out->preprocess = VGG_PREPROCESS_RESCALE;
        } else if (begun ? !is_activation(l) || !is_conv(l - 1) : strncmp(l->kind, "Random", 6) != 0) {
            return refuse(chain, l, "is none of a VGG's, and not run here");
        }
        padded = false;
    }
    return VGG_OK;
}

/* Adds an item to the head. False: it would become too long. */
static bool add_item(char head[VGG_KERAS_HEAD], const char *item)
{
    size_t used = strlen(head), length = strlen(item);
    if (used + length + 2 > VGG_KERAS_HEAD) return false;
    snprintf(head + used, VGG_KERAS_HEAD - used, "%s%s", used ? "," : "", item);
    return true;
}

/* The layers from `begin` on, as options say a head. */
static enum vgg_status read_head(struct vgg_weights_keras *out, const struct chain *chain, size_t begin)
{
    static const char *const kinds[] = { "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D", NULL };
    static const char *const items[] = { "flatten", "gap", "gmp" };
    static const char *const activations[] = { "linear", "relu", "softmax", "sigmoid", NULL };
    int dense = 0;
    const char *last = "linear";
    for (size_t i = begin; i < chain->count; i++) {
        const struct layer *l = &chain->layer[i], *next = i + 1 < chain->count ? l + 1 : NULL;
        char item[80];
        if (channels_first(l)) return refuse(chain, l, "has its channels first, which is not read here");
        if (strcmp(l->kind, "InputLayer") == 0) continue;
        if (is_any(l->kind, kinds)) {
            int kind = 0;
            while (strcmp(l->kind, kinds[kind]) != 0)
                kind++;
            snprintf(item, sizeof item, "%s", items[kind]);
        } else if (strcmp(l->kind, "Dropout") == 0) {
            const struct vgg_json *rate = vgg_json_member(l->config, "rate");
            if (!rate) rate = vgg_json_member(l->config, "p");
            snprintf(item, sizeof item, "dropout:%.9g", vgg_json_number(rate));
        } else if (strcmp(l->kind, "Dense") == 0) {
            const struct vgg_json *units = vgg_json_member(l->config, "units"),
                                  *bias = vgg_json_member(l->config, "use_bias");
            if (!units) units = vgg_json_member(l->config, "output_dim");
            last = activation_of(l);
            bool later = strcmp(last, "linear") == 0 && next && is_activation(next);
            if (later) last = activation_of(next), i++;
            if (bias && !vgg_json_is_true(bias)) return refuse(chain, l, "has no bias, which is not read here");
            if (!is_any(last, activations)) {
                snprintf(item, sizeof item, "has the activation %.24s, which is not run here", last);
                return refuse(chain, l, item);
            }
            if (dense == VGG_WEIGHTS_HEAD) return refuse(chain, l, "is one dense layer more than a head may have here");
            snprintf(out->dense[dense++], VGG_KERAS_NAME, "%s", l->name);
            snprintf(item, sizeof item, "dense:%.0f:%s", vgg_json_number(units), last);
        } else {
            return refuse(chain, l, "stands in its head and is not run here");
        }
        if (!add_item(out->head, item)) return refuse(chain, l, "makes its head longer than is read here");
    }
    if (strcmp(last, "softmax") != 0 && strcmp(last, "sigmoid") != 0) {
        return vgg_fail(
            VGG_ERR_UNSUPPORTED,
            "%s: its head %s gives no probabilities, as a network that was trained on logits; --head says it "
            "with the softmax or sigmoid that belongs behind it",
            chain->path, out->head);
    }
    return VGG_OK;
}

/* The size of the images: batch_shape or batch_input_shape of the first layer that tells. */
static void read_size(struct vgg_weights_keras *out, const struct chain *chain)
{
    for (size_t i = 0; i < chain->count && !out->height; i++) {
        const struct vgg_json *shape = vgg_json_member(chain->layer[i].config, "batch_shape");
        if (!shape) shape = vgg_json_member(chain->layer[i].config, "batch_input_shape");
        if (vgg_json_count(shape) != 4) continue;
        const struct vgg_json *height = vgg_json_next(vgg_json_first(shape)), *width = vgg_json_next(height);
        double h = vgg_json_number(height), w = vgg_json_number(width);
        if (h >= 1 && h <= 1 << 20 && w >= 1 && w <= 1 << 20) out->height = (int)h, out->width = (int)w;
    }
}

static enum vgg_status read_chain(struct vgg_weights_keras *out, struct chain *chain, const struct vgg_json *json)
{
    enum vgg_status status = add_network(chain, json, 0);
    if (status != VGG_OK) return status;
    size_t begin = 0;
    for (size_t i = 0; i < chain->count; i++)
        if (is_conv(&chain->layer[i])) begin = i + 1;
    if (begin == 0) return vgg_fail(VGG_ERR_MISSING, "%s: its configuration has no convolutions", chain->path);
    bool more = true;
    while (more && begin < chain->count) {
        const struct layer *l = &chain->layer[begin];
        bool pool = strcmp(l->kind, "MaxPooling2D") == 0;
        more = !out->pooled && (pool || (is_activation(l) && is_conv(l - 1)));
        out->pooled = out->pooled || pool;
        begin += more;
    }
    status = check_base(out, chain, begin);
    if (status == VGG_OK) status = read_head(out, chain, begin);
    if (status == VGG_OK) read_size(out, chain);
    return status;
}

enum vgg_status vgg_weights_keras(struct vgg_weights_keras *out, const struct vgg_weights *weights)
{
    char *text;
    *out = (struct vgg_weights_keras) { .preprocess = VGG_PREPROCESS_DEFAULT };
    enum vgg_status status = read_text(&text, weights);
    if (status != VGG_OK || !text) return status;
    struct vgg_json *json = vgg_json_parse(text, strlen(text));
    struct chain *chain = vgg_mem_calloc(1, sizeof *chain);
    free(text);
    if (!chain) status = vgg_fail_memory(weights->path, sizeof *chain);
    if (status == VGG_OK && !is_network(text_of(json, "class_name"))) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED, "%s: its configuration is of no Sequential and no functional network",
                          weights->path);
    }
    if (chain) chain->path = weights->path;
    if (status == VGG_OK) status = read_chain(out, chain, json);
    vgg_json_destroy(json);
    free(chain);
    return status;
}
