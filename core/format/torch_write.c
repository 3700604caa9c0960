#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/format/torch.h"

/* A pickle that grows; `failed` without memory. */
struct text {
    char *at;
    size_t size, capacity;
    bool failed;
};

static void put(struct text *text, const void *bytes, size_t size)
{
    if (text->failed) return;
    if (size > text->capacity - text->size) {
        size_t capacity = 2 * text->capacity + size + 4096;
        char *grown = realloc(text->at, capacity);
        text->failed = !grown;
        if (!grown) return;
        text->at = grown;
        text->capacity = capacity;
    }
    memcpy(text->at + text->size, bytes, size);
    text->size += size;
}

/* Pieces without zero bytes. */
static void put_plain(struct text *text, const char *bytes)
{
    put(text, bytes, strlen(bytes));
}

/* BINUNICODE */
static void put_word(struct text *text, const char *word)
{
    size_t size = strlen(word);
    unsigned char head[5] = { 'X' };
    for (int i = 0; i < 4; i++)
        head[1 + i] = (unsigned char)(size >> 8 * i);
    put(text, head, sizeof head);
    put(text, word, size);
}

/* LONG1 of eight bytes, for any whole number. */
static void put_number(struct text *text, uint64_t value)
{
    unsigned char bytes[10] = { 0x8a, 8 };
    for (int i = 0; i < 8; i++)
        bytes[2 + i] = (unsigned char)(value >> 8 * i);
    put(text, bytes, sizeof bytes);
}

/* _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()) */
static void put_tensor(struct text *text, const struct vgg_st_tensor *tensor, size_t index)
{
    char key[24];
    uint64_t count = 1, stride[VGG_MAX_RANK];
    for (int i = tensor->rank - 1; i >= 0; i--) {
        stride[i] = count;
        count *= tensor->shape[i];
    }
    snprintf(key, sizeof key, "%zu", index);
    put_plain(text, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_word(text, "storage");
    put_plain(text, tensor->dtype == VGG_DTYPE_F16 ? "ctorch\nHalfStorage\n" : "ctorch\nFloatStorage\n");
    put_word(text, key);
    put_word(text, "cpu");
    put_number(text, count);
    put_plain(text, "tQ");
    put_number(text, 0);
    put_plain(text, "(");
    for (int i = 0; i < tensor->rank; i++)
        put_number(text, tensor->shape[i]);
    put_plain(text, "t(");
    for (int i = 0; i < tensor->rank; i++)
        put_number(text, stride[i]);
    put_plain(text, "t\x89"
                    "ccollections\nOrderedDict\n)RtR");
}

static void put_dict(struct text *text, const struct vgg_st_tensor *tensors, size_t count)
{
    put_plain(text, "\x80\x02"
                    "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < count; i++) {
        put_word(text, tensors[i].name);
        put_tensor(text, &tensors[i], i);
    }
    put_plain(text, "u.");
}

static char *print_meta(const struct vgg_st_meta *meta, size_t count)
{
    cJSON *object = cJSON_CreateObject();
    bool good = object != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = cJSON_AddStringToObject(object, meta[i].key, meta[i].value) != NULL;
    char *text = good ? cJSON_PrintUnformatted(object) : NULL;
    cJSON_Delete(object);
    return text;
}

enum vgg_status vgg_torch_write(const char *path, const struct vgg_st_tensor *tensors, size_t count,
                                const struct vgg_st_meta *meta, size_t meta_count)
{
    enum { NAME = 40 };
    struct text pickle = { 0 };
    struct vgg_zip_part *part = vgg_mem_calloc(count + 4, sizeof *part);
    char(*name)[NAME] = vgg_mem_calloc(count, sizeof *name), *json = print_meta(meta, meta_count);
    enum vgg_status status = VGG_OK;
    size_t n = 0;
    put_dict(&pickle, tensors, count);
    if (!part || !name || !json || pickle.failed) {
        status = vgg_fail_memory(path, pickle.size);
        goto fail;
    }
    part[n++] = (struct vgg_zip_part) { "archive/data.pkl", pickle.at, pickle.size };
    part[n++] = (struct vgg_zip_part) { "archive/byteorder", "little", 6 };
    for (size_t i = 0; i < count; i++) {
        snprintf(name[i], NAME, "archive/data/%zu", i);
        part[n++] = (struct vgg_zip_part) { name[i], tensors[i].data, tensors[i].size };
    }
    part[n++] = (struct vgg_zip_part) { "archive/version", "3\n", 2 };
    if (meta_count) part[n++] = (struct vgg_zip_part) { "archive/vgg16.json", json, strlen(json) };
    CHECK(vgg_zip_write(path, part, n));
fail:
    cJSON_free(json);
    free(name);
    free(part);
    free(pickle.at);
    return status;
}
