/* What torch.save writes, both forms: the archive with all its parts, and every tensor. */
#include <stdlib.h>
#include <string.h>

#include "core/format/torch.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_PART = 1 << 20 };

static bool is_zip(const uint8_t *bytes, size_t size)
{
    return size >= 2 && memcmp(bytes, "PK", 2) == 0;
}

/* The archive itself; NULL: it is none. */
static struct vgg_zip *open_parts(const char *path)
{
    struct vgg_zip *zip;
    fuzz_listen();
    enum vgg_status status = vgg_zip_open(&zip, path);
    fuzz_told(status);
    for (size_t i = 0; status == VGG_OK && i < vgg_zip_count(zip); i++) {
        const struct vgg_zip_entry *entry = vgg_zip_at(zip, i);
        void *content;
        fuzz_assert(strcmp(vgg_zip_find(zip, entry->name)->name, entry->name) == 0, "a part is not found by its name");
        fuzz_listen();
        enum vgg_status got = vgg_zip_read(&content, zip, entry, MOST_PART);
        fuzz_told(got);
        if (got == VGG_OK && entry->data)
            fuzz_assert(memcmp(content, entry->data, (size_t)entry->size) == 0, "a part read is not the part mapped");
        free(content);
    }
    return zip;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_file("x.pth", bytes, size);
    struct vgg_torch *torch;
    struct vgg_zip *zip = NULL;
    enum vgg_status status;
    if (is_zip(bytes, size) && !(zip = open_parts(path))) return 0;
    if (zip && !vgg_torch_is(zip)) {
        vgg_zip_close(zip);
        return 0;
    }
    fuzz_listen();
    status = zip ? vgg_torch_open(&torch, zip, path) : vgg_torch_open_old(&torch, path);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    for (size_t i = 0; i < vgg_torch_count(torch); i++) {
        const struct vgg_tensor *tensor = vgg_torch_at(torch, i);
        size_t count = 1;
        for (int k = 0; k < tensor->rank; k++)
            count = tensor->shape[k] > MOST_PART || count > MOST_PART ? MOST_PART + 1 : count * tensor->shape[k];
        fuzz_listen();
        fuzz_told(vgg_torch_check(torch, tensor));
        if (count > MOST_PART || tensor->dtype == VGG_DTYPE_OTHER) continue;
        float *values = malloc(count * sizeof *values + 1);
        fuzz_assert(values, "out of memory");
        vgg_tensor_read(values, tensor, 0, count);
        if (count > 1) vgg_tensor_read(values, tensor, count / 2, count - count / 2);
        free(values);
    }
    for (size_t i = 0; i < vgg_torch_meta_count(torch); i++) {
        struct vgg_st_meta meta = vgg_torch_meta(torch, i);
        fuzz_assert(meta.key && meta.value, "metadata without a text");
    }
    vgg_torch_close(torch);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return is_zip(data, size) ? fuzz_mutate_zip(data, size, most, seed) : LLVMFuzzerMutate(data, size, most);
}
