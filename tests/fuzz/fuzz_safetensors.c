/* safetensors: the reader itself, and a data set of arrays. */
#include <stdlib.h>

#include "core/data/data.h"
#include "core/format/safetensors.h"
#include "tests/fuzz/fuzz.h"

static void read_all(const struct vgg_st *st, size_t size)
{
    struct vgg_st_meta meta;
    uint64_t end = 0;
    for (size_t i = 0; i < vgg_st_count(st); i++) {
        const struct vgg_st_tensor *tensor = vgg_st_at(st, i);
        fuzz_assert(vgg_st_find(st, tensor->name) == tensor, "a tensor is not found by its name");
        fuzz_assert(vgg_st_word(st, i), "a tensor has no dtype");
        uint64_t from = vgg_st_offset(st, tensor);
        fuzz_assert(from <= size && tensor->size <= size - from, "a tensor lies outside of the file");
        if (from + tensor->size > end) end = from + tensor->size;
        size_t element = vgg_dtype_size(tensor->dtype), n = element ? tensor->size / element : 0;
        float *values = malloc(n * sizeof *values + 1);
        fuzz_assert(values, "out of memory");
        if (n) vgg_dtype_to_f32(values, tensor->data, tensor->dtype, n);
        free(values);
    }
    fuzz_assert(vgg_st_count(st) == 0 || end == size, "bytes at the end belong to no tensor");
    for (size_t i = 0; vgg_st_meta_at(st, i, &meta); i++)
        fuzz_assert(vgg_st_meta(st, meta.key), "a key of the metadata is not found");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file("x.safetensors", bytes, size);
    struct vgg_st *st;
    fuzz_listen();
    enum vgg_status status = vgg_st_open(&st, path);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    read_all(st, size);
    vgg_st_close(st);

    struct vgg_data *data;
    struct vgg_data_shape shape;
    struct vgg_image_options images = { .height = 32, .width = 32 };
    fuzz_listen();
    status = vgg_data_open(&data, path);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    vgg_data_shape(data, &shape);
    size_t n = shape.features ? (size_t)shape.h * (size_t)shape.w * (size_t)shape.c : 32 * 32 * 3;
    float *x = malloc(n * sizeof *x);
    fuzz_assert(x || n > 1 << 24, "out of memory");
    for (size_t i = 0; x && i < vgg_data_count(data) && i < 4; i++) {
        fuzz_listen();
        fuzz_told(vgg_data_fetch(data, i, &images, NULL, 0, 0, x));
        fuzz_assert(vgg_data_path(data, i), "an item has no name");
        fuzz_assert(vgg_data_label(data, i) < vgg_data_class_count(data), "a label beyond the classes");
    }
    free(x);
    for (int k = 0; k < vgg_data_class_count(data); k++)
        fuzz_line(vgg_data_class_name(data, k), "a class whose name cannot be shown");
    vgg_data_destroy(data);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return fuzz_mutate_safetensors(data, size, most, seed);
}
