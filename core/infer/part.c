#include "core/infer/part.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/data/digest.h"
#include "core/data/origin.h"

/* Items whose values or sizes tell one data set from another: a large one is not read anew by each of many parts. */
enum { LOOKED = 1000 };

static const char items_key[] = "items", data_key[] = "data", device_key[] = "device", classes_key[] = "classes";

/* ---- what a part says ---- */

enum vgg_status vgg_part_describe(struct vgg_part_about *about, int number, int count, const struct vgg_data *data,
                                  const struct vgg_engine *engine)
{
    uint32_t digest;
    char words[VGG_ENGINE_WORDS];
    enum vgg_status status = vgg_data_digest(&digest, data, NULL, LOOKED);
    if (status != VGG_OK) return status;
    vgg_engine_words(words, engine);
    snprintf(about->number, sizeof about->number, "%d/%d", number, count);
    snprintf(about->items, sizeof about->items, "%zu", vgg_data_count(data));
    snprintf(about->data, sizeof about->data, "%08" PRIx32, digest);
    snprintf(about->device, sizeof about->device, "%s, convolutions %s", words, *engine->conv ? engine->conv : "auto");
    about->pair[0] = (struct vgg_st_meta) { VGG_ORIGIN_PART, about->number };
    about->pair[1] = (struct vgg_st_meta) { items_key, about->items };
    about->pair[2] = (struct vgg_st_meta) { data_key, about->data };
    about->pair[3] = (struct vgg_st_meta) { device_key, about->device };
    return VGG_OK;
}

bool vgg_part_says(const struct vgg_part_file *part, const struct vgg_st_meta *pair, size_t count, const char **key,
                   const char **value)
{
    for (size_t i = 0; i < count; i++) {
        *key = pair[i].key;
        *value = vgg_st_meta(part->st, *key);
        if (strcmp(*key, "weights") == 0 || strcmp(*key, "source") == 0) continue;
        bool same = *value && pair[i].value ? strcmp(*value, pair[i].value) == 0 : !*value && !pair[i].value;
        if (!same) return false;
    }
    return true;
}

bool vgg_part_alike(const struct vgg_part_file *part, const struct vgg_part_file *other, const char **key,
                    const char **value, const char **otherwise)
{
    static const char *const keys[] = { items_key, data_key, device_key, classes_key };
    enum { KEYS = sizeof keys / sizeof *keys };
    struct vgg_origin_text text;
    struct vgg_st_meta pair[VGG_ORIGIN_PAIRS + KEYS];
    vgg_origin_write(&text, &other->origin);
    memcpy(pair, text.pair, sizeof text.pair);
    for (size_t i = 0; i < KEYS; i++)
        pair[VGG_ORIGIN_PAIRS + i] = (struct vgg_st_meta) { keys[i], vgg_st_meta(other->st, keys[i]) };
    bool same = vgg_part_says(part, pair, VGG_ORIGIN_PAIRS + KEYS, key, value);
    *otherwise = vgg_st_meta(other->st, *key);
    return same;
}

/* ---- reading ---- */

static enum vgg_status damaged(const struct vgg_part_file *part, const char *what)
{
    return vgg_fail(VGG_ERR_FORMAT, "%s: %s is not as this program writes it; extract that part again", part->path,
                    what);
}

/* Numbers as they are printed, nothing before or behind them. */
static bool read_numbers(struct vgg_part_file *part)
{
    char number[32], items[24];
    const char *said = vgg_st_meta(part->st, VGG_ORIGIN_PART), *of = vgg_st_meta(part->st, items_key);
    if (!of || sscanf(said, "%d/%d", &part->number, &part->count) != 2 || sscanf(of, "%" SCNu64, &part->items) != 1)
        return false;
    snprintf(number, sizeof number, "%d/%d", part->number, part->count);
    snprintf(items, sizeof items, "%" PRIu64, part->items);
    return strcmp(number, said) == 0 && strcmp(items, of) == 0 && part->number >= 1 && part->number <= part->count &&
           part->count <= VGG_PARTS_MOST && part->items >= 1 && part->items <= UINT32_MAX;
}

static bool is_column(const struct vgg_st_tensor *tensor, enum vgg_dtype dtype, uint64_t rows)
{
    return tensor && tensor->dtype == dtype && tensor->rank == 1 && tensor->shape[0] == rows;
}

static bool read_shape(struct vgg_part_file *part)
{
    const struct vgg_st_tensor *x = part->x;
    if (!x || x->dtype != VGG_DTYPE_F32 || (x->rank != 2 && x->rank != 4)) return false;
    for (int i = 1; i < x->rank; i++)
        if (x->shape[i] < 1 || x->shape[i] > INT32_MAX) return false;
    part->rows = x->shape[0];
    part->h = x->rank == 4 ? (int)x->shape[1] : 1;
    part->w = x->rank == 4 ? (int)x->shape[2] : 1;
    part->c = (int)x->shape[x->rank - 1];
    return true;
}

int64_t vgg_part_index(const struct vgg_st_tensor *index, size_t row)
{
    int64_t value;
    memcpy(&value, (const char *)index->data + row * sizeof value, sizeof value);
    return value;
}

/* Each position once, in order, of those that are this part's. */
static bool check_index(const struct vgg_part_file *part)
{
    int64_t least = (int64_t)vgg_share_begin(part->items, part->number - 1, part->count);
    int64_t end = (int64_t)vgg_share_begin(part->items, part->number, part->count);
    for (size_t i = 0; i < part->rows; i++) {
        int64_t at = vgg_part_index(part->index, i);
        if (at < least || at >= end) return false;
        least = at + 1;
    }
    return true;
}

/* As many lines as rows, the last one ended, too. */
static bool check_paths(const struct vgg_part_file *part)
{
    const char *text = part->paths->data;
    size_t lines = 0, size = part->paths->size;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines == part->rows && (size == 0 || text[size - 1] == '\n') && !memchr(text, '\0', size);
}

enum vgg_status vgg_part_open(struct vgg_part_file *part, const char *path)
{
    enum vgg_status status = VGG_OK;
    bool recorded;
    *part = (struct vgg_part_file) { .path = path };
    CHECK(vgg_st_open(&part->st, path));
    if (!vgg_st_meta(part->st, VGG_ORIGIN_PART)) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: is no part of features; those are what `vgg16 extract --part` writes",
                       path));
    }
    CHECK(vgg_origin_read(&part->origin, &recorded, part->st, path));
    if (!recorded || !read_numbers(part)) CHECK(damaged(part, "the record of the part"));
    part->x = vgg_st_find(part->st, "x");
    part->y = vgg_st_find(part->st, "y");
    part->index = vgg_st_find(part->st, "index");
    part->paths = vgg_st_find(part->st, "paths");
    if (!read_shape(part)) CHECK(damaged(part, "tensor x"));
    if (!part->y != !vgg_st_meta(part->st, classes_key)) CHECK(damaged(part, "tensor y"));
    if (part->y && !is_column(part->y, VGG_DTYPE_I64, part->rows)) CHECK(damaged(part, "tensor y"));
    if (!is_column(part->index, VGG_DTYPE_I64, part->rows) || !check_index(part)) CHECK(damaged(part, "tensor index"));
    if (!part->paths || !is_column(part->paths, VGG_DTYPE_U8, part->paths->size) || !check_paths(part))
        CHECK(damaged(part, "tensor paths"));
    return VGG_OK;
fail:
    vgg_part_close(part);
    return status;
}

void vgg_part_close(struct vgg_part_file *part)
{
    vgg_st_close(part->st);
    *part = (struct vgg_part_file) { 0 };
}
