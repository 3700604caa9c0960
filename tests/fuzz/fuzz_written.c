/* Files that this library writes: read again they hold what was given. safetensors, torch.save's archive, TensorBoard's
 * events, ONNX. Input: a kind, then values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/format/onnx.h"
#include "core/format/tensorboard.h"
#include "core/format/torch.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_TENSORS = 6, NAME = 32 };

/* Tensors, their values and metadata from the input. */
struct given {
    char name[MOST_TENSORS][NAME], key[NAME], value[NAME];
    struct vgg_st_tensor tensor[MOST_TENSORS];
    size_t count;
};

static uint8_t take(const uint8_t **at, const uint8_t *end)
{
    return *at < end ? *(*at)++ : 0;
}

/* ASCII without 0, which names are made of when other programs shall read them. */
static void take_name(char name[NAME], const uint8_t **at, const uint8_t *end, size_t number)
{
    size_t n = take(at, end) % (NAME - 4), used = (size_t)snprintf(name, NAME, "%zu", number);
    for (size_t i = 0; i < n; i++) {
        char c = (char)(take(at, end) & 0x7f);
        name[used++] = c ? c : 'a';
    }
    name[used] = '\0';
}

static void take_tensors(struct given *given, const uint8_t *at, const uint8_t *end)
{
    static const enum vgg_dtype dtypes[] = { VGG_DTYPE_F32, VGG_DTYPE_F16 };
    take_name(given->key, &at, end, 0);
    take_name(given->value, &at, end, 0);
    given->count = 1 + take(&at, end) % MOST_TENSORS;
    for (size_t i = 0; i < given->count; i++) {
        struct vgg_st_tensor *tensor = &given->tensor[i];
        take_name(given->name[i], &at, end, i);
        *tensor = (struct vgg_st_tensor) { .name = given->name[i], .dtype = dtypes[take(&at, end) & 1] };
        tensor->rank = take(&at, end) % 5;
        tensor->size = vgg_dtype_size(tensor->dtype);
        for (int k = 0; k < tensor->rank; k++) {
            tensor->shape[k] = take(&at, end) % 4;
            tensor->size *= (size_t)tensor->shape[k];
        }
        uint8_t *values = malloc(tensor->size + 1);
        fuzz_assert(values, "out of memory");
        for (size_t k = 0; k < tensor->size; k++)
            values[k] = take(&at, end);
        tensor->data = values;
    }
}

static void free_tensors(struct given *given)
{
    for (size_t i = 0; i < given->count; i++)
        free((void *)(uintptr_t)given->tensor[i].data);
}

static void try_safetensors(const uint8_t *at, const uint8_t *end)
{
    struct given given = { 0 };
    struct vgg_st *st;
    const char *path = fuzz_path("w.safetensors");
    take_tensors(&given, at, end);
    struct vgg_st_meta meta = { given.key, given.value };
    fuzz_told(vgg_st_write(path, given.tensor, given.count, &meta, 1));
    fuzz_told(vgg_st_open(&st, path));
    fuzz_assert(vgg_st_count(st) == given.count && strcmp(vgg_st_meta(st, given.key), given.value) == 0,
                "other metadata");
    for (size_t i = 0; i < given.count; i++) {
        const struct vgg_st_tensor *wanted = &given.tensor[i], *found = vgg_st_find(st, wanted->name);
        fuzz_assert(found && found->dtype == wanted->dtype && found->rank == wanted->rank &&
                        found->size == wanted->size && memcmp(found->shape, wanted->shape, sizeof found->shape) == 0,
                    "a tensor reads back otherwise");
        fuzz_assert(wanted->size == 0 || memcmp(found->data, wanted->data, wanted->size) == 0, "other values");
        fuzz_assert(vgg_st_offset(st, found) % vgg_dtype_size(found->dtype) == 0, "a tensor is not aligned");
    }
    vgg_st_close(st);
    free_tensors(&given);
}

static void try_torch(const uint8_t *at, const uint8_t *end)
{
    struct given given = { 0 };
    struct vgg_zip *zip;
    struct vgg_torch *torch;
    const char *path = fuzz_path("w.pth");
    take_tensors(&given, at, end);
    struct vgg_st_meta meta = { given.key, given.value };
    fuzz_told(vgg_torch_write(path, given.tensor, given.count, &meta, 1));
    fuzz_told(vgg_zip_open(&zip, path));
    fuzz_assert(vgg_torch_is(zip), "an archive of torch.save is not taken for one");
    fuzz_told(vgg_torch_open(&torch, zip, path));
    fuzz_assert(vgg_torch_count(torch) == given.count && vgg_torch_meta_count(torch) == 1, "other tensors or metadata");
    fuzz_assert(strcmp(vgg_torch_meta(torch, 0).value, given.value) == 0, "other metadata");
    for (size_t i = 0; i < given.count; i++) {
        const struct vgg_st_tensor *wanted = &given.tensor[i];
        const struct vgg_tensor *found = vgg_torch_at(torch, i);
        size_t count = wanted->size / vgg_dtype_size(wanted->dtype);
        fuzz_assert(found->dtype == wanted->dtype && found->rank == wanted->rank &&
                        memcmp(found->shape, wanted->shape, sizeof found->shape) == 0,
                    "a tensor reads back otherwise");
        fuzz_told(vgg_torch_check(torch, found));
        float *a = malloc(count * sizeof *a + 1), *b = malloc(count * sizeof *b + 1);
        fuzz_assert(a && b, "out of memory");
        vgg_tensor_read(a, found, 0, count);
        vgg_dtype_to_f32(b, wanted->data, wanted->dtype, count);
        fuzz_assert(memcmp(a, b, count * sizeof *a) == 0, "other values");
        free(a);
        free(b);
    }
    vgg_torch_close(torch);
    free_tensors(&given);
}

/* The fields of a protobuf message, one after the other: *field, *wire and the bytes of the value. False at the end. */
static bool next_field(const uint8_t **at, const uint8_t *end, int *field, const uint8_t **value, size_t *size)
{
    uint64_t number[2] = { 0 };
    if (*at == end) return false;
    for (int k = 0; k < 2; k++) {
        for (int shift = 0;; shift += 7) {
            fuzz_assert(*at < end && shift < 64, "a message is cut short");
            number[k] |= (uint64_t)(**at & 0x7f) << shift;
            if (!(*(*at)++ & 0x80)) break;
        }
        int wire = (int)(number[0] & 7);
        fuzz_assert(wire == 0 || wire == 1 || wire == 2 || wire == 5, "a field of a kind that there is not");
        *field = (int)(number[0] >> 3);
        *size = wire == 1 ? 8 : wire == 5 ? 4 : 0;
        if (wire == 1 || wire == 5) break;
        if (k == 1 && wire == 2) *size = (size_t)number[1];
    }
    fuzz_assert(*size <= (size_t)(end - *at), "a field is cut short");
    *value = *at;
    *at += *size;
    return true;
}

struct onnx_given {
    const uint8_t *at, *end;
    size_t seen;
};

static void give_values(void *user, size_t index, float *dst)
{
    struct onnx_given *given = user;
    given->seen++;
    for (size_t i = 0; i < 6; i++)
        dst[i] = (float)index + (float)(given->at + i < given->end ? given->at[i] : 0);
}

static void try_onnx(const uint8_t *at, const uint8_t *end)
{
    char name[2][NAME], key[NAME], value[NAME];
    for (int i = 0; i < 2; i++)
        take_name(name[i], &at, end, (size_t)i);
    take_name(key, &at, end, 0);
    take_name(value, &at, end, 0);
    struct vgg_onnx_node node = {
        "Conv", name[0], { "x", name[1] }, "y", { { "pads", 4, { 1, 1, 1, 1 } }, { "axis", 0, { take(&at, end) } } }
    };
    struct vgg_onnx_tensor tensors[2] = { { name[0], 2, { 2, 3 } }, { name[1], 1, { 6 } } };
    const char *const meta[] = { key, value, NULL };
    struct vgg_onnx_graph graph = {
        name[0], &node, tensors, 1, 2, { "x", 2, { 0, 3 }, { "n" } }, { "y", 1, { 5 }, { NULL } }, meta
    };
    struct onnx_given given = { at, end, 0 };
    const char *path = fuzz_path("w.onnx");
    fuzz_told(vgg_onnx_write(path, &graph, give_values, &given));
    fuzz_assert(given.seen == 2, "values are not asked for once each");
    const void *bytes;
    size_t size, left, part;
    int field, inner, found = 0;
    const uint8_t *content, *item;
    fuzz_told(vgg_file_map(&bytes, &size, path));
    const uint8_t *p = bytes;
    while (next_field(&p, (const uint8_t *)bytes + size, &field, &content, &left)) {
        if (field != 7) continue; /* ModelProto.graph */
        for (const uint8_t *q = content; next_field(&q, content + left, &inner, &item, &part);) {
            if (inner != 5) continue; /* GraphProto.initializer */
            const uint8_t *values = item + part - 6 * sizeof(float);
            for (size_t i = 0; i < 6; i++) {
                float wanted = (float)found + (float)(at + i < end ? at[i] : 0);
                fuzz_assert(part > 6 * sizeof(float) && memcmp(values + i * sizeof wanted, &wanted, sizeof wanted) == 0,
                            "other values");
            }
            found++;
        }
    }
    fuzz_assert(found == 2, "other tensors");
    vgg_file_unmap(bytes, size);
}

/* CRC-32C bit by bit. */
static uint32_t masked_crc(const uint8_t *bytes, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const kinds[])(const uint8_t *, const uint8_t *) = { try_safetensors, try_torch, try_onnx };
    if (size == 0) return 0;
    fuzz_listen();
    fuzz_assert(size < 4 || ((vgg_tensorboard_crc(bytes, size) >> 15 | vgg_tensorboard_crc(bytes, size) << 17) +
                             0xa282ead8u) == masked_crc(bytes, size),
                "another checksum");
    kinds[bytes[0] % (sizeof kinds / sizeof *kinds)](bytes + 1, bytes + size);
    return 0;
}
