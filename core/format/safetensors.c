#include "core/format/safetensors.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"

/* The limit of the reference implementation: a longer header is refused unread. */
enum { HEADER_LIMIT = 100000000 };

struct vgg_st {
    const char *path; /* of the caller; only used while opening */
    const void *map;
    size_t map_size;
    cJSON *header; /* owns every name and metadata string */
    struct vgg_st_tensor *tensor;
    size_t count;
    const struct vgg_st_tensor **by_name;
};

static const char *const dtype_name[] = {
    [VGG_DTYPE_F32] = "F32", [VGG_DTYPE_F16] = "F16", [VGG_DTYPE_BF16] = "BF16", [VGG_DTYPE_F64] = "F64",
    [VGG_DTYPE_I64] = "I64", [VGG_DTYPE_I32] = "I32", [VGG_DTYPE_U8] = "U8",
};

/* A JSON number as an exact whole number from 0 to 2^53. */
static bool whole(const cJSON *item, uint64_t *value)
{
    if (!cJSON_IsNumber(item)) return false;
    double number = item->valuedouble;
    if (!(number >= 0 && number <= 0x1p53)) return false;
    *value = (uint64_t)number;
    return (double)*value == number;
}

static enum vgg_status read_dtype(struct vgg_st_tensor *tensor, const cJSON *item, const char *path)
{
    if (!cJSON_IsString(item)) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has no dtype", path, tensor->name);
    }
    tensor->dtype = VGG_DTYPE_OTHER;
    for (size_t i = 0; i < sizeof dtype_name / sizeof *dtype_name; i++) {
        if (strcmp(item->valuestring, dtype_name[i]) == 0) tensor->dtype = (enum vgg_dtype)i;
    }
    return VGG_OK;
}

/* Reads one entry of the header. On success the bytes lie inside data_size and match shape and dtype. */
static enum vgg_status read_tensor(struct vgg_st_tensor *tensor, const cJSON *item, const unsigned char *data,
                                   size_t data_size, const char *path)
{
    tensor->name = item->string;
    if (!cJSON_IsObject(item)) return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s is no JSON object", path, tensor->name);
    enum vgg_status status = read_dtype(tensor, cJSON_GetObjectItemCaseSensitive(item, "dtype"), path);
    if (status != VGG_OK) return status;

    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape"), *extent;
    if (!cJSON_IsArray(shape)) return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has no shape", path, tensor->name);
    size_t size = vgg_dtype_size(tensor->dtype);
    cJSON_ArrayForEach(extent, shape)
    {
        if (tensor->rank == VGG_MAX_RANK) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has more than %d dimensions", path, tensor->name,
                            VGG_MAX_RANK);
        }
        uint64_t value;
        if (!whole(extent, &value)) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has a shape that is not of whole numbers", path,
                            tensor->name);
        }
        tensor->shape[tensor->rank++] = value;
        size = vgg_mem_mul(size, value);
    }

    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    uint64_t begin, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !whole(offsets->child, &begin) ||
        !whole(offsets->child->next, &end)) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has no data_offsets [begin, end]", path, tensor->name);
    }
    if (begin > end || end > data_size) {
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: tensor %s lies at bytes %" PRIu64 " to %" PRIu64 " of %zu of data: is the file truncated?",
                        path, tensor->name, begin, end, data_size);
    }
    if (tensor->dtype == VGG_DTYPE_OTHER) size = (size_t)(end - begin);
    if (end - begin != size) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s takes %" PRIu64 " bytes, but its shape and dtype need %zu", path,
                        tensor->name, end - begin, size);
    }
    tensor->data = data + begin;
    tensor->size = size;
    return VGG_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct vgg_st_tensor *const *s = a, *const *t = b;
    return strcmp((*s)->name, (*t)->name);
}

static int compare_places(const void *a, const void *b)
{
    const struct vgg_st_tensor *const *s = a, *const *t = b;
    uintptr_t x = (uintptr_t)(*s)->data, y = (uintptr_t)(*t)->data;
    if (x == y) x = (*s)->size, y = (*t)->size; /* empty tensors first */
    return (x > y) - (x < y);
}

/* Uses by_name twice: sorted by place for the check of gaps and overlaps, then by name for good. */
static enum vgg_status check_layout(struct vgg_st *st, const unsigned char *data, size_t data_size)
{
    for (size_t i = 0; i < st->count; i++)
        st->by_name[i] = &st->tensor[i];
    qsort(st->by_name, st->count, sizeof *st->by_name, compare_places);
    const unsigned char *end = data;
    for (size_t i = 0; i < st->count; i++) {
        const struct vgg_st_tensor *tensor = st->by_name[i];
        if (tensor->data != end) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s %s", st->path, tensor->name,
                            (const unsigned char *)tensor->data > end ? "follows a gap in the data"
                                                                      : "overlaps another tensor");
        }
        end += tensor->size;
    }
    if (end != data + data_size) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: %zu bytes at the end belong to no tensor", st->path,
                        (size_t)(data + data_size - end));
    }
    qsort(st->by_name, st->count, sizeof *st->by_name, compare_names);
    for (size_t i = 1; i < st->count; i++) {
        if (strcmp(st->by_name[i - 1]->name, st->by_name[i]->name) == 0) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s appears twice", st->path, st->by_name[i]->name);
        }
    }
    return VGG_OK;
}

static enum vgg_status check_meta(const cJSON *meta, const char *path)
{
    const cJSON *item;
    if (!cJSON_IsObject(meta)) return vgg_fail(VGG_ERR_FORMAT, "%s: __metadata__ is no JSON object", path);
    cJSON_ArrayForEach(item, meta)
    {
        if (!cJSON_IsString(item)) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: metadata %s is not a string", path, item->string);
        }
    }
    return VGG_OK;
}

/* No control characters but those that JSON lets stand between its values; cJSON lets any. */
static bool is_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' && (text[i] == '\0' || !strchr("\t\n\r", text[i]))) return false;
    return true;
}

static enum vgg_status read_header(struct vgg_st *st)
{
    const unsigned char *map = st->map;
    if (st->map_size < 8) return vgg_fail(VGG_ERR_FORMAT, "%s: too short for a safetensors file", st->path);
    uint64_t length = vgg_bytes_little(map, 8);
    if (length > HEADER_LIMIT || length > st->map_size - 8) {
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: not a safetensors file, or truncated: a header of %" PRIu64 " bytes in a file of %zu",
                        st->path, length, st->map_size);
    }
    const char *text = (const char *)map + 8, *end = text, *stop = text + length;
    if (is_text(text, (size_t)length)) st->header = cJSON_ParseWithLengthOpts(text, (size_t)length, &end, false);
    if (st->header) {
        while (end < stop && (*end == ' ' || *end == '\n' || *end == '\t' || *end == '\r'))
            end++;
    }
    if (!st->header || !cJSON_IsObject(st->header) || end != stop) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: not a safetensors file: the header is no valid JSON object", st->path);
    }

    const unsigned char *data = map + 8 + length;
    size_t data_size = st->map_size - 8 - (size_t)length, capacity = 0;
    bool meta = false;
    const cJSON *item;
    cJSON_ArrayForEach(item, st->header) capacity++;
    st->tensor = vgg_mem_calloc(capacity, sizeof *st->tensor);
    st->by_name = vgg_mem_calloc(capacity, sizeof *st->by_name);
    if (!st->tensor || !st->by_name) return vgg_fail_memory("the header's tensors", capacity * sizeof *st->tensor);
    enum vgg_status status = VGG_OK;
    cJSON_ArrayForEach(item, st->header)
    {
        if (strcmp(item->string, "__metadata__") != 0) {
            status = read_tensor(&st->tensor[st->count++], item, data, data_size, st->path);
        } else if (meta) {
            status = vgg_fail(VGG_ERR_FORMAT, "%s: __metadata__ appears twice", st->path);
        } else {
            meta = true;
            status = check_meta(item, st->path);
        }
        if (status != VGG_OK) return status;
    }
    return check_layout(st, data, data_size);
}

enum vgg_status vgg_st_open(struct vgg_st **out, const char *path)
{
    *out = NULL;
    enum vgg_status status;
    struct vgg_st *st = vgg_mem_calloc(1, sizeof *st);
    if (!st) return vgg_fail_memory(path, sizeof *st);
    st->path = path;
    CHECK(vgg_file_map(&st->map, &st->map_size, path));
    CHECK(read_header(st));
    st->path = NULL;
    *out = st;
    return VGG_OK;
fail:
    vgg_st_close(st);
    return status;
}

void vgg_st_close(struct vgg_st *st)
{
    if (!st) return;
    free(st->by_name);
    free(st->tensor);
    cJSON_Delete(st->header);
    vgg_file_unmap(st->map, st->map_size);
    free(st);
}

size_t vgg_st_count(const struct vgg_st *st)
{
    return st->count;
}

const struct vgg_st_tensor *vgg_st_at(const struct vgg_st *st, size_t index)
{
    return index < st->count ? &st->tensor[index] : NULL;
}

const char *vgg_st_word(const struct vgg_st *st, size_t index)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(st->header, st->tensor[index].name);
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "dtype"));
}

const struct vgg_st_tensor *vgg_st_find(const struct vgg_st *st, const char *name)
{
    struct vgg_st_tensor key = { .name = name };
    const struct vgg_st_tensor *wanted = &key;
    const struct vgg_st_tensor *const *found =
        bsearch(&wanted, st->by_name, st->count, sizeof *st->by_name, compare_names);
    return found ? *found : NULL;
}

uint64_t vgg_st_offset(const struct vgg_st *st, const struct vgg_st_tensor *tensor)
{
    return (uint64_t)((const char *)tensor->data - (const char *)st->map);
}

const char *vgg_st_meta(const struct vgg_st *st, const char *key)
{
    return cJSON_GetStringValue(
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(st->header, "__metadata__"), key));
}

bool vgg_st_meta_at(const struct vgg_st *st, size_t index, struct vgg_st_meta *meta)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(st->header, "__metadata__");
    item = item ? item->child : NULL;
    while (item && index-- > 0)
        item = item->next;
    if (!item) return false;
    *meta = (struct vgg_st_meta) { item->string, item->valuestring };
    return true;
}

/* Adds the entry of one tensor. False without memory. */
static bool describe_tensor(cJSON *header, const struct vgg_st_tensor *tensor, size_t offset)
{
    cJSON *entry = cJSON_AddObjectToObject(header, tensor->name);
    if (!entry || !cJSON_AddStringToObject(entry, "dtype", dtype_name[tensor->dtype])) return false;
    cJSON *shape = cJSON_AddArrayToObject(entry, "shape"), *offsets = cJSON_AddArrayToObject(entry, "data_offsets");
    if (!shape || !offsets) return false;
    for (int i = 0; i < tensor->rank; i++) {
        if (!cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)tensor->shape[i]))) return false;
    }
    return cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)offset)) &&
           cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(offset + tensor->size)));
}

/* The header as text by malloc, or NULL without memory. order: tensors as they will stand in the file. */
static char *print_header(const struct vgg_st_tensor *const *order, size_t count, const struct vgg_st_meta *meta,
                          size_t meta_count)
{
    cJSON *header = cJSON_CreateObject();
    bool good = header;
    if (good && meta_count) {
        cJSON *object = cJSON_AddObjectToObject(header, "__metadata__");
        good = object;
        for (size_t i = 0; good && i < meta_count; i++) {
            good = cJSON_AddStringToObject(object, meta[i].key, meta[i].value);
        }
    }
    size_t offset = 0;
    for (size_t i = 0; good && i < count; i++) {
        good = describe_tensor(header, order[i], offset);
        offset += order[i]->size;
    }
    char *text = good ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

enum vgg_status vgg_st_write(const char *path, const struct vgg_st_tensor *tensors, size_t count,
                             const struct vgg_st_meta *meta, size_t meta_count)
{
    enum vgg_status status;
    struct vgg_file *file = NULL;
    char *text = NULL;
    const struct vgg_st_tensor **order = vgg_mem_calloc(count, sizeof *order);
    size_t placed = 0;
    if (!order) return vgg_fail_memory(path, count * sizeof *order);
    /* Wider elements first: then every tensor is aligned to its element. */
    for (size_t size = 8; size > 0; size /= 2) {
        for (size_t i = 0; i < count; i++) {
            if (vgg_dtype_size(tensors[i].dtype) == size) order[placed++] = &tensors[i];
        }
    }
    text = print_header(order, count, meta, meta_count);
    if (!text) {
        status = vgg_fail_memory(path, 0);
        goto fail;
    }
    uint64_t length = strlen(text), padded = (length + 7) & ~(uint64_t)7;
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(padded >> 8 * i);
    CHECK(vgg_file_create(&file, path));
    CHECK(vgg_file_write(file, prefix, sizeof prefix));
    CHECK(vgg_file_write(file, text, length));
    CHECK(vgg_file_write(file, "       ", padded - length));
    for (size_t i = 0; i < count; i++) {
        if (order[i]->size) CHECK(vgg_file_write(file, order[i]->data, order[i]->size));
    }
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    free(text);
    free(order);
    return status;
}
