/* Parts of data sets: chosen classes, the first few of each, and stratified splits. */
#include "core/data/select.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"

/* Keeps the items i with keep[i], in order. */
static enum vgg_status compact(struct vgg_data *data, const bool *keep)
{
    size_t *pick = vgg_mem_calloc(data->count, sizeof *pick);
    if (!pick) return vgg_fail_memory("a part of a data set", data->count * sizeof *pick);
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++) {
        if (!keep[i]) continue;
        pick[count] = data->pick ? data->pick[i] : i;
        if (data->labels) data->labels[count] = data->labels[i];
        count++;
    }
    free(data->pick);
    data->pick = pick;
    data->count = count;
    return VGG_OK;
}

/* A number at *text, which moves behind it. -1: none, or above INT32_MAX. */
static int64_t parse_number(const char **text)
{
    if (**text < '0' || **text > '9') return -1;
    char *end;
    errno = 0;
    long long value = strtoll(*text, &end, 10);
    *text = end;
    return errno || value > INT32_MAX ? -1 : value;
}

/* chosen[label] = true for each number of "0,3,5", which *text moves behind. */
static enum vgg_status parse_classes(bool *chosen, const struct vgg_data *data, const char **text, const char *source)
{
    for (;; (*text)++) {
        int64_t label = parse_number(text);
        if (label < 0 || (**text != ',' && **text != '&' && **text != '\0'))
            return vgg_fail(VGG_ERR_ARGUMENT, "%s: ?classes= takes class numbers like 0,3,5", source);
        if (label >= data->class_count)
            return vgg_fail(VGG_ERR_ARGUMENT, "%s: ?classes=%lld: there are only classes 0 to %d", source,
                            (long long)label, data->class_count - 1);
        if (chosen[label])
            return vgg_fail(VGG_ERR_ARGUMENT, "%s: ?classes= names class %lld twice", source, (long long)label);
        chosen[label] = true;
        if (**text != ',') return VGG_OK;
    }
}

/* Keeps the chosen classes and numbers them anew in their order. */
static enum vgg_status keep_classes(struct vgg_data *data, const bool *chosen, bool *keep)
{
    for (size_t i = 0; i < data->count; i++)
        keep[i] = chosen[data->labels[i]];
    enum vgg_status status = compact(data, keep);
    if (status != VGG_OK) return status;
    int *renumbered = vgg_mem_calloc((size_t)data->class_count, sizeof *renumbered);
    if (!renumbered) return vgg_fail_memory("class numbers", (size_t)data->class_count * sizeof *renumbered);
    int count = 0;
    for (int label = 0; label < data->class_count; label++) {
        char *name = data->classes[label];
        data->classes[label] = NULL;
        if (chosen[label]) {
            data->classes[count] = name;
            renumbered[label] = count++;
        } else {
            free(name);
        }
    }
    for (size_t i = 0; i < data->count; i++)
        data->labels[i] = renumbered[data->labels[i]];
    data->class_count = count;
    free(renumbered);
    return VGG_OK;
}

/* Keeps the first n items of each class. */
static enum vgg_status keep_per_class(struct vgg_data *data, int64_t n, bool *keep)
{
    int64_t *seen = vgg_mem_calloc((size_t)data->class_count, sizeof *seen);
    if (!seen) return vgg_fail_memory("class counts", (size_t)data->class_count * sizeof *seen);
    for (size_t i = 0; i < data->count; i++)
        keep[i] = seen[data->labels[i]]++ < n;
    free(seen);
    return compact(data, keep);
}

enum vgg_status vgg_data_select(struct vgg_data *data, const char *options, const char *source)
{
    enum vgg_status status = VGG_OK;
    if (!data->labels)
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: ?%s needs a data set with classes, and this one has no labels", source,
                        options);
    bool *keep = vgg_mem_calloc(data->count, sizeof *keep);
    bool *chosen = vgg_mem_calloc((size_t)data->class_count, sizeof *chosen);
    int64_t per_class = 0;
    bool by_class = false;
    if (!keep || !chosen) CHECK(vgg_fail_memory(source, data->count));
    const char *at = options;
    for (;; at++) {
        if (strncmp(at, "classes=", 8) == 0 && !by_class) {
            at += 8;
            by_class = true;
            CHECK(parse_classes(chosen, data, &at, source));
        } else if (strncmp(at, "per_class=", 10) == 0 && !per_class) {
            at += 10;
            per_class = parse_number(&at);
            if (per_class < 1) CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: ?per_class= takes a number of items", source));
        }
        if (*at == '\0') break;
        if (*at != '&' || at[1] == '\0')
            CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: ?%s: only classes=0,3,5 and per_class=N, once each, joined by &",
                           source, options));
    }
    if (by_class) CHECK(keep_classes(data, chosen, keep));
    if (per_class) CHECK(keep_per_class(data, per_class, keep));
    if (data->count == 0) CHECK(vgg_fail(VGG_ERR_MISSING, "%s: ?%s leaves no items", source, options));
fail:
    free(keep);
    free(chosen);
    return status;
}

/* held[i] = true for the held-out part: of each class (or of all, without labels) round(fraction * n) items, at least
 * one and not all of two or more, drawn by a Fisher-Yates shuffle from stream = class. */
static enum vgg_status draw_split(bool *held, const struct vgg_data *data, double fraction, uint64_t seed)
{
    size_t *members = vgg_mem_calloc(data->count, sizeof *members);
    if (!members) return vgg_fail_memory("a split", data->count * sizeof *members);
    int classes = data->labels ? data->class_count : 1;
    for (int label = 0; label < classes; label++) {
        size_t n = 0;
        for (size_t i = 0; i < data->count; i++) {
            if (!data->labels || data->labels[i] == label) members[n++] = i;
        }
        size_t wanted = (size_t)llround(fraction * (double)n);
        if (n >= 2 && wanted < 1) wanted = 1;
        if (n >= 1 && wanted > n - 1) wanted = n - 1;
        for (size_t i = n; i-- > 1;) {
            size_t j = vgg_rng_below(seed, VGG_RNG_SPLIT, (uint64_t)label, i, (uint32_t)(i + 1));
            size_t other = members[j];
            members[j] = members[i], members[i] = other;
        }
        for (size_t i = 0; i < wanted; i++)
            held[members[i]] = true;
    }
    free(members);
    return VGG_OK;
}

/* The items with held[i] == which, sharing the store of `data`. */
static enum vgg_status make_part(struct vgg_data **out, const struct vgg_data *data, const bool *held, bool which)
{
    enum vgg_status status = VGG_OK;
    bool *keep = NULL;
    struct vgg_data *part = vgg_mem_calloc(1, sizeof *part);
    if (!part) CHECK(vgg_fail_memory("a part of a data set", sizeof *part));
    part->store = data->store;
    part->count = data->count;
    keep = vgg_mem_calloc(data->count, sizeof *keep);
    part->pick = vgg_mem_calloc(data->count, sizeof *part->pick);
    if (data->labels) part->labels = vgg_mem_calloc(data->count, sizeof *part->labels);
    if (!keep || !part->pick || (data->labels && !part->labels))
        CHECK(vgg_fail_memory("a part of a data set", data->count * sizeof *part->pick));
    for (size_t i = 0; i < data->count; i++) {
        keep[i] = held[i] == which;
        part->pick[i] = data->pick ? data->pick[i] : i;
        if (data->labels) part->labels[i] = data->labels[i];
    }
    CHECK(compact(part, keep));
    if (data->class_count) CHECK(vgg_data_reserve_classes(part, data->class_count, "class names"));
    for (int i = 0; i < data->class_count; i++) {
        part->classes[i] = vgg_mem_strdup(data->classes[i]);
        if (!part->classes[i]) CHECK(vgg_fail_memory("class names", strlen(data->classes[i])));
    }
    free(keep);
    *out = part;
    return VGG_OK;
fail:
    free(keep);
    vgg_data_destroy(part);
    return status;
}

enum vgg_status vgg_data_split(struct vgg_data **rest, struct vgg_data **held_out, const struct vgg_data *data,
                               double fraction, uint64_t seed)
{
    *rest = *held_out = NULL;
    enum vgg_status status = VGG_OK;
    bool *held = NULL;
    if (!(fraction > 0.0 && fraction < 1.0))
        return vgg_fail(VGG_ERR_ARGUMENT, "a split takes a fraction between 0 and 1, not %g", fraction);
    if (data->count > UINT32_MAX) return vgg_fail(VGG_ERR_UNSUPPORTED, "too many items for a split");
    held = vgg_mem_calloc(data->count, sizeof *held);
    if (!held) return vgg_fail_memory("a split", data->count);
    CHECK(draw_split(held, data, fraction, seed));
    CHECK(make_part(rest, data, held, false));
    CHECK(make_part(held_out, data, held, true));
    if ((*rest)->count == 0 || (*held_out)->count == 0)
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: a data set of %zu items is too small to be split", vgg_data_path(data, 0),
                       data->count));
fail:
    if (status != VGG_OK) {
        vgg_data_destroy(*rest);
        vgg_data_destroy(*held_out);
        *rest = *held_out = NULL;
    }
    free(held);
    return status;
}

enum vgg_status vgg_data_range(struct vgg_data **out, const struct vgg_data *data, size_t from, size_t to)
{
    *out = NULL;
    bool *inside = vgg_mem_calloc(data->count, sizeof *inside);
    if (!inside) return vgg_fail_memory("a part of a data set", data->count);
    for (size_t i = from; i < to; i++)
        inside[i] = true;
    enum vgg_status status = make_part(out, data, inside, true);
    free(inside);
    return status;
}
