#include "core/format/torch.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/pickle.h"

enum { MOST_PICKLE = 1 << 26, MOST_META = 1 << 20, MOST_TENSORS = 16384, MOST_NAME = 512, DEEPEST = 3 };

struct vgg_torch {
    char *path;
    struct vgg_zip *zip;
    const void *map; /* of the older form */
    size_t map_size;
    struct vgg_tensor *tensor; /* names by malloc */
    size_t count;
    cJSON *meta;
};

/* Where the bytes of a storage are. */
struct storage {
    struct vgg_pickle_text key;
    size_t element; /* bytes */
    const unsigned char *data;
    uint64_t size; /* bytes */
};

/* What is known while a file is opened. */
struct reader {
    struct vgg_torch *torch;
    struct vgg_pickle pickle;
    char root[MOST_NAME];    /* "archive/" */
    struct storage *storage; /* of the older form, sorted by key */
    size_t storages;
};

/* ---- the dictionary ---- */

/* How many tensors with names a dictionary has. */
static size_t tensors_of(const struct vgg_pickle *pickle, const struct vgg_pickle_node *dict)
{
    size_t n = 0;
    for (uint32_t i = 0; i + 1 < dict->count; i += 2)
        n += vgg_pickle_item(pickle, dict, i)->kind == VGG_PICKLE_TEXT &&
             vgg_pickle_item(pickle, dict, i + 1)->kind == VGG_PICKLE_TENSOR;
    return n;
}

/* The best dictionary found so far. */
struct choice {
    const struct vgg_pickle_node *dict;
    int rank;        /* 0 is best */
    size_t visited;  /* items: bounds the walk, for dictionaries may hold each other */
    char names[256]; /* of all that are as good */
    size_t count;
};

/* How good a name is for the dictionary of a network. Optimisers keep tensors too. */
static int rank_of(const struct vgg_pickle_node *key)
{
    static const char *const known[] = { "state_dict", "model_state_dict", "model",  "net",
                                         "network",    "module",           "params", "weights" };
    int n = sizeof known / sizeof *known;
    for (int i = 0; i < n; i++) {
        if (vgg_pickle_is(key, known[i])) return i;
    }
    return n + 1;
}

static void consider(struct choice *choice, const struct vgg_pickle *pickle, const struct vgg_pickle_node *dict,
                     int rank, const char *name, int depth)
{
    if (dict->kind != VGG_PICKLE_DICT || choice->visited > 2 * VGG_PICKLE_NODES) return;
    choice->visited += 1 + dict->count;
    if (tensors_of(pickle, dict) && dict != choice->dict) {
        if (!choice->dict || rank < choice->rank) *choice = (struct choice) { dict, rank, choice->visited, "", 0 };
        if (rank == choice->rank) {
            size_t used = strlen(choice->names);
            snprintf(choice->names + used, sizeof choice->names - used, "%s%s", used ? ", " : "", name);
            choice->count++;
        }
    }
    for (uint32_t i = 0; depth < DEEPEST && i + 1 < dict->count; i += 2) {
        const struct vgg_pickle_node *key = vgg_pickle_item(pickle, dict, i);
        if (key->kind != VGG_PICKLE_TEXT || (key->as.text.size >= 5 && memcmp(key->as.text.at, "optim", 5) == 0))
            continue;
        struct vgg_pickle_shown shown = vgg_pickle_show(key->as.text.at, key->as.text.size);
        int below = rank_of(key);
        consider(choice, pickle, vgg_pickle_item(pickle, dict, i + 1), below < rank || !depth ? below : rank,
                 shown.text, depth + 1);
    }
}

/* The dictionary of tensors: the root, or the one in it that is called as networks are, or the only one. */
static enum vgg_status find_dict(const struct reader *r, const struct vgg_pickle_node **dict)
{
    const struct vgg_pickle_node *root = &r->pickle.node[r->pickle.root];
    const char *path = r->torch->path;
    struct choice choice = { 0 };
    int own = rank_of(root) - 1; /* behind the known names, before the unknown */
    if (root->kind == VGG_PICKLE_DICT) consider(&choice, &r->pickle, root, own, "itself", 0);
    *dict = choice.dict;
    if (choice.count == 1) return VGG_OK;
    if (choice.count) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: holds several dictionaries of tensors (%s); save one of them alone",
                        path, choice.names);
    }
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: holds no dictionary of tensors; save torch.save(model.state_dict(), FILE)", path);
}

/* ---- tensors ---- */

static int compare_keys(const void *a, const void *b)
{
    const struct storage *s = a, *t = b;
    size_t n = s->key.size < t->key.size ? s->key.size : t->key.size;
    int order = memcmp(s->key.at, t->key.at, n);
    return order ? order : (s->key.size > t->key.size) - (s->key.size < t->key.size);
}

static enum vgg_status find_storage(const struct reader *r, const struct vgg_pickle_text *key, const char *name,
                                    struct storage *found)
{
    char part[2 * MOST_NAME];
    struct vgg_pickle_shown shown = vgg_pickle_show(key->at, key->size);
    const char *path = r->torch->path;
    if (r->torch->zip) {
        const struct vgg_zip_entry *entry = NULL;
        if (key->size < 64) {
            snprintf(part, sizeof part, "%sdata/%.*s", r->root, (int)key->size, key->at);
            entry = vgg_zip_find(r->torch->zip, part);
        }
        if (entry && !entry->data) {
            return vgg_fail(
                VGG_ERR_UNSUPPORTED,
                "%s: part %s of the archive is compressed, which PyTorch never does; pack it anew with zip -0", path,
                entry->name);
        }
        if (entry) *found = (struct storage) { .data = entry->data, .size = entry->size };
        if (entry) return VGG_OK;
    } else {
        const struct storage wanted = { .key = *key };
        const struct storage *at = bsearch(&wanted, r->storage, r->storages, sizeof wanted, compare_keys);
        if (at && at->data) *found = *at;
        if (at && at->data) return VGG_OK;
    }
    return vgg_fail(VGG_ERR_FORMAT, "%s: the values of tensor %s (storage %s) are not in the file: is it truncated?",
                    path, name, shown.text);
}

static bool is_tuple(const struct vgg_pickle *pickle, const struct vgg_pickle_node *node)
{
    bool good = node->kind == VGG_PICKLE_TUPLE;
    for (uint32_t i = 0; good && i < node->count; i++) {
        const struct vgg_pickle_node *item = vgg_pickle_item(pickle, node, i);
        good = item->kind == VGG_PICKLE_INT && item->as.number >= 0;
    }
    return good;
}

static enum vgg_status read_tensor(const struct reader *r, struct vgg_tensor *tensor,
                                   const struct vgg_pickle_node *node)
{
    const struct vgg_pickle *pickle = &r->pickle;
    const struct vgg_pickle_node *storage = vgg_pickle_item(pickle, node, 0),
                                 *offset = vgg_pickle_item(pickle, node, 1);
    const struct vgg_pickle_node *shape = vgg_pickle_item(pickle, node, 2), *stride = vgg_pickle_item(pickle, node, 3);
    const char *path = r->torch->path;
    if (storage->kind != VGG_PICKLE_STORAGE || offset->kind != VGG_PICKLE_INT || offset->as.number < 0 ||
        !is_tuple(pickle, shape) || !is_tuple(pickle, stride) || shape->count != stride->count)
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s is malformed", path, tensor->name);
    if (shape->count > VGG_MAX_RANK) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has more than %d dimensions", path, tensor->name, VGG_MAX_RANK);
    }
    const struct vgg_pickle_global *type = vgg_pickle_item(pickle, storage, 1)->as.global;
    if (node->count > 6 && vgg_pickle_item(pickle, node, 6)->kind == VGG_PICKLE_GLOBAL &&
        vgg_pickle_item(pickle, node, 6)->as.global->role == VGG_PICKLE_DTYPE)
        type = vgg_pickle_item(pickle, node, 6)->as.global; /* _rebuild_tensor_v3 tells the dtype apart */
    tensor->dtype = type->dtype;
    tensor->word = type->word;
    tensor->rank = (int)shape->count;
    struct storage values = { 0 };
    enum vgg_status status = find_storage(r, &vgg_pickle_item(pickle, storage, 2)->as.text, tensor->name, &values);
    if (status != VGG_OK) return status;

    /* Elements, and the place behind the last of them, counted so that nothing overflows. */
    size_t count = 1, last = (size_t)offset->as.number;
    for (int i = 0; i < tensor->rank; i++)
        count = vgg_mem_mul(count, (size_t)vgg_pickle_item(pickle, shape, (uint32_t)i)->as.number);
    size_t dense = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        tensor->shape[i] = (uint64_t)vgg_pickle_item(pickle, shape, (uint32_t)i)->as.number;
        tensor->stride[i] = (uint64_t)vgg_pickle_item(pickle, stride, (uint32_t)i)->as.number;
        if (!count) continue;
        last = vgg_mem_add(last, vgg_mem_mul((size_t)tensor->shape[i] - 1, (size_t)tensor->stride[i]));
        tensor->strided = tensor->strided || (tensor->shape[i] > 1 && tensor->stride[i] != dense);
        dense = vgg_mem_mul(dense, (size_t)tensor->shape[i]);
    }
    if (count && vgg_mem_mul(vgg_mem_add(last, 1), type->size) > values.size) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s reaches beyond its storage of %" PRIu64 " bytes", path,
                        tensor->name, values.size);
    }
    if (vgg_mem_mul(count, type->size) > values.size) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: tensor %s repeats values of its storage; save it as .contiguous()",
                        path, tensor->name);
    }
    tensor->data = count ? values.data + (size_t)offset->as.number * type->size : values.data;
    return VGG_OK;
}

static enum vgg_status read_tensors(struct reader *r)
{
    struct vgg_torch *torch = r->torch;
    const struct vgg_pickle_node *dict;
    enum vgg_status status = find_dict(r, &dict);
    if (status != VGG_OK) return status;
    size_t most = tensors_of(&r->pickle, dict);
    if (most > MOST_TENSORS)
        return vgg_fail(VGG_ERR_FORMAT, "%s: holds more than %d tensors", torch->path, MOST_TENSORS);
    torch->tensor = vgg_mem_calloc(most, sizeof *torch->tensor);
    if (!torch->tensor) return vgg_fail_memory(torch->path, most * sizeof *torch->tensor);
    for (uint32_t i = 0; status == VGG_OK && i + 1 < dict->count; i += 2) {
        const struct vgg_pickle_node *key = vgg_pickle_item(&r->pickle, dict, i);
        const struct vgg_pickle_node *value = vgg_pickle_item(&r->pickle, dict, i + 1);
        if (key->kind != VGG_PICKLE_TEXT || value->kind != VGG_PICKLE_TENSOR) continue;
        if (key->as.text.size >= MOST_NAME)
            return vgg_fail(VGG_ERR_FORMAT, "%s: a tensor's name has more than %d characters", torch->path, MOST_NAME);
        char name[MOST_NAME];
        for (size_t k = 0; k < key->as.text.size; k++)
            name[k] = (unsigned char)key->as.text.at[k] < ' ' ? '?' : key->as.text.at[k];
        name[key->as.text.size] = '\0';
        struct vgg_tensor *tensor = &torch->tensor[torch->count];
        tensor->name = vgg_mem_strdup(name);
        if (!tensor->name) return vgg_fail_memory(torch->path, sizeof name);
        torch->count++;
        status = read_tensor(r, tensor, value);
    }
    return status;
}

/* ---- the archive ---- */

/* "archive/" of "archive/data.pkl"; NULL: there is none. */
static const struct vgg_zip_entry *find_pickle(const struct vgg_zip *zip, char root[MOST_NAME])
{
    const struct vgg_zip_entry *entry;
    for (size_t i = 0; (entry = vgg_zip_at(zip, i)); i++) {
        const char *slash = strrchr(entry->name, '/'), *name = slash ? slash + 1 : entry->name;
        if (strcmp(name, "data.pkl") != 0 || name - entry->name >= MOST_NAME) continue;
        snprintf(root, MOST_NAME, "%.*s", (int)(name - entry->name), entry->name);
        return entry;
    }
    return NULL;
}

bool vgg_torch_is(const struct vgg_zip *zip)
{
    char root[MOST_NAME];
    return find_pickle(zip, root) != NULL;
}

/* A part beside the pickle as text, by malloc; NULL in *text when there is none. */
static enum vgg_status read_beside(const struct reader *r, const char *name, char **text)
{
    char part[2 * MOST_NAME];
    void *content = NULL;
    snprintf(part, sizeof part, "%s%s", r->root, name);
    const struct vgg_zip_entry *entry = vgg_zip_find(r->torch->zip, part);
    enum vgg_status status = entry ? vgg_zip_read(&content, r->torch->zip, entry, MOST_META) : VGG_OK;
    *text = content;
    return status;
}

static enum vgg_status read_meta(const struct reader *r)
{
    char *text;
    enum vgg_status status = read_beside(r, "byteorder", &text);
    bool big = text && strncmp(text, "big", 3) == 0;
    free(text);
    if (big)
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: was written in big-endian order; save it on another machine",
                        r->torch->path);
    if (status == VGG_OK) status = read_beside(r, "vgg16.json", &text);
    if (status != VGG_OK || !text) return status;
    r->torch->meta = cJSON_Parse(text);
    free(text);
    const cJSON *item;
    bool good = cJSON_IsObject(r->torch->meta);
    cJSON_ArrayForEach(item, r->torch->meta) good = good && cJSON_IsString(item);
    return good ? VGG_OK : vgg_fail(VGG_ERR_FORMAT, "%s: vgg16.json is no object of texts", r->torch->path);
}

static enum vgg_status begin(struct vgg_torch **out, const char *path)
{
    *out = vgg_mem_calloc(1, sizeof **out);
    if (*out) (*out)->path = vgg_mem_strdup(path);
    if (*out && (*out)->path) return VGG_OK;
    free(*out);
    *out = NULL;
    return vgg_fail_memory(path, sizeof **out);
}

enum vgg_status vgg_torch_open(struct vgg_torch **out, struct vgg_zip *zip, const char *path)
{
    struct reader r = { 0 };
    void *bytes = NULL;
    enum vgg_status status = begin(out, path);
    if (status != VGG_OK) {
        vgg_zip_close(zip);
        return status;
    }
    r.torch = *out;
    r.torch->zip = zip;
    const struct vgg_zip_entry *entry = find_pickle(zip, r.root);
    CHECK(vgg_zip_read(&bytes, zip, entry, MOST_PICKLE));
    CHECK(vgg_pickle_read(&r.pickle, bytes, (size_t)entry->size, path));
    CHECK(read_tensors(&r));
    CHECK(read_meta(&r));
fail:
    vgg_pickle_free(&r.pickle);
    free(bytes);
    if (status == VGG_OK) return status;
    vgg_torch_close(*out);
    *out = NULL;
    return status;
}

/* ---- the older form: magic number, version, system, object, keys of the storages, their values ---- */

/* Lists the storages that the object names; of what size their elements are is only said there. */
static enum vgg_status list_storages(struct reader *r)
{
    size_t n = 0;
    for (uint32_t i = 0; i < r->pickle.count; i++)
        n += r->pickle.node[i].kind == VGG_PICKLE_STORAGE;
    r->storage = vgg_mem_calloc(n, sizeof *r->storage);
    if (!r->storage) return vgg_fail_memory(r->torch->path, n * sizeof *r->storage);
    for (uint32_t i = 0; i < r->pickle.count; i++) {
        const struct vgg_pickle_node *node = &r->pickle.node[i];
        if (node->kind != VGG_PICKLE_STORAGE) continue;
        r->storage[r->storages++] =
            (struct storage) { .key = vgg_pickle_item(&r->pickle, node, 2)->as.text,
                               .element = vgg_pickle_item(&r->pickle, node, 1)->as.global->size };
    }
    qsort(r->storage, r->storages, sizeof *r->storage, compare_keys);
    return VGG_OK;
}

/* Finds the values of each storage, which follow in the order of `keys`: a count of 8 bytes, then the elements. */
static enum vgg_status place_storages(struct reader *r, const struct vgg_pickle *keys, const unsigned char *at,
                                      const unsigned char *end)
{
    const struct vgg_pickle_node *list = &keys->node[keys->root];
    const char *path = r->torch->path;
    if (list->kind != VGG_PICKLE_LIST) return vgg_fail(VGG_ERR_FORMAT, "%s: does not list its storages", path);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct vgg_pickle_node *key = vgg_pickle_item(keys, list, i);
        const struct storage wanted = { .key = key->as.text };
        struct storage *found = NULL;
        if (key->kind == VGG_PICKLE_TEXT)
            found = bsearch(&wanted, r->storage, r->storages, sizeof wanted, compare_keys);
        if (!found) return vgg_fail(VGG_ERR_FORMAT, "%s: lists a storage that no tensor has", path);
        uint64_t count = end - at < 8 ? 0 : vgg_bytes_little(at, 8);
        size_t size = vgg_mem_mul((size_t)count, found->element);
        if (end - at < 8 || size > (size_t)(end - at - 8)) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: ends inside the values of its tensors: is it truncated?", path);
        }
        /* The same storage may be named by several tensors, each with an entry of its own. */
        struct storage *first = found, *last = found;
        while (first > r->storage && compare_keys(first - 1, &wanted) == 0)
            first--;
        while (last + 1 < r->storage + r->storages && compare_keys(last + 1, &wanted) == 0)
            last++;
        if (first->data) return vgg_fail(VGG_ERR_FORMAT, "%s: lists a storage twice", path);
        for (; first <= last; first++)
            first->data = at + 8, first->size = size;
        at += 8 + size;
    }
    return VGG_OK;
}

enum vgg_status vgg_torch_open_old(struct vgg_torch **out, const char *path)
{
    static const char magic[] = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19."; /* 0x1950a86a20f9469cfc6c */
    struct reader r = { 0 };
    struct vgg_pickle part = { 0 };
    const unsigned char *at, *end;
    enum vgg_status status = begin(out, path);
    if (status != VGG_OK) return status;
    r.torch = *out;
    CHECK(vgg_file_map(&r.torch->map, &r.torch->map_size, path));
    at = r.torch->map, end = at + r.torch->map_size;
    if (r.torch->map_size < sizeof magic - 1 || memcmp(at, magic, sizeof magic - 1) != 0) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED,
                          "%s: is a pickle that torch.save did not write; save tensors with "
                          "torch.save(model.state_dict(), FILE)",
                          path);
        goto fail;
    }
    at += sizeof magic - 1;
    for (int i = 0; i < 2; i++) { /* version 1001; byte order and sizes, which are those of every machine today */
        CHECK(vgg_pickle_read(&part, at, (size_t)(end - at), path));
        at += part.used;
        vgg_pickle_free(&part);
    }
    CHECK(vgg_pickle_read(&r.pickle, at, (size_t)(end - at), path));
    at += r.pickle.used;
    CHECK(vgg_pickle_read(&part, at, (size_t)(end - at), path));
    at += part.used;
    CHECK(list_storages(&r));
    CHECK(place_storages(&r, &part, at, end));
    CHECK(read_tensors(&r));
fail:
    vgg_pickle_free(&r.pickle);
    vgg_pickle_free(&part);
    free(r.storage);
    if (status == VGG_OK) return status;
    vgg_torch_close(*out);
    *out = NULL;
    return status;
}

void vgg_torch_close(struct vgg_torch *torch)
{
    if (!torch) return;
    for (size_t i = 0; i < torch->count; i++)
        free((char *)(uintptr_t)torch->tensor[i].name);
    free(torch->tensor);
    cJSON_Delete(torch->meta);
    vgg_zip_close(torch->zip);
    vgg_file_unmap(torch->map, torch->map_size);
    free(torch->path);
    free(torch);
}

size_t vgg_torch_count(const struct vgg_torch *torch)
{
    return torch->count;
}

const struct vgg_tensor *vgg_torch_at(const struct vgg_torch *torch, size_t index)
{
    return index < torch->count ? &torch->tensor[index] : NULL;
}

enum vgg_status vgg_torch_check(const struct vgg_torch *torch, const struct vgg_tensor *tensor)
{
    return torch->zip ? vgg_zip_check(torch->zip, tensor->data) : VGG_OK;
}

size_t vgg_torch_meta_count(const struct vgg_torch *torch)
{
    return torch->meta ? (size_t)cJSON_GetArraySize(torch->meta) : 0;
}

struct vgg_st_meta vgg_torch_meta(const struct vgg_torch *torch, size_t index)
{
    const cJSON *item = cJSON_GetArrayItem(torch->meta, (int)index);
    return (struct vgg_st_meta) { item->string, item->valuestring };
}
