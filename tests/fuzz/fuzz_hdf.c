/* HDF5: every link, attribute and data set that the reader finds. */
#include <stdlib.h>
#include <string.h>

#include "core/format/hdf.h"
#include "core/format/hdf_data.h"
#include "tests/fuzz/fuzz.h"

/* Groups may hold each other: the walk has a bound, a reader of weights has one too. */
struct walk {
    const struct vgg_hdf *hdf;
    int left, depth;
};

static void visit_object(struct walk *walk, uint64_t object);

static bool visit(void *user, const char *name, uint64_t object)
{
    struct walk *walk = user;
    fuzz_assert(strlen(name) < walk->hdf->size, "a name longer than the file");
    visit_object(walk, object);
    return walk->left > 0;
}

static void read_attributes(const struct vgg_hdf *hdf, uint64_t object)
{
    char name[64], **strings;
    size_t count;
    for (int i = 0; i < 8 && vgg_hdf_attribute(hdf, object, i, name, sizeof name); i++) {
        fuzz_assert(vgg_hdf_has_attribute(hdf, object, name), "an attribute is not found by its name");
        if (vgg_hdf_strings(&strings, &count, hdf, object, name) != VGG_OK) continue;
        size_t total = 0;
        for (size_t k = 0; k < count; k++)
            total += strlen(strings[k]);
        fuzz_assert(total <= 1 << 24, "more text than is read");
        vgg_hdf_strings_free(strings, count);
    }
    if (vgg_hdf_strings(&strings, &count, hdf, object, "weight_names") == VGG_OK) {
        vgg_hdf_strings_free(strings, count);
    }
}

static void read_data(const struct vgg_hdf *hdf, uint64_t object)
{
    struct vgg_hdf_data data;
    const char *why = NULL;
    if (!vgg_hdf_describe(&data, hdf, object, &why)) {
        fuzz_assert(why && *why, "a data set is refused without a reason");
        return;
    }
    fuzz_assert(data.values || data.chunk_count, "neither values nor chunks");
    if (data.count > 1 << 16) return;
    float *values = malloc(data.count * sizeof *values + 1);
    fuzz_assert(values, "out of memory");
    vgg_hdf_read(values, hdf, &data);
    free(values);
}

static void visit_object(struct walk *walk, uint64_t object)
{
    if (walk->left-- <= 0 || walk->depth == 6) return;
    walk->depth++;
    read_attributes(walk->hdf, object);
    read_data(walk->hdf, object);
    vgg_hdf_is_dense(walk->hdf, object);
    if (vgg_hdf_is_group(walk->hdf, object)) vgg_hdf_list(walk->hdf, object, visit, walk);
    walk->depth--;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct vgg_hdf hdf;
    uint64_t object;
    fuzz_listen();
    enum vgg_status status = vgg_hdf_open_bytes(&hdf, bytes, size, "x.h5");
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    visit_object(&(struct walk) { .hdf = &hdf, .left = 24 }, hdf.root);
    vgg_hdf_find(&hdf, hdf.root, "block1_conv1/block1_conv1/kernel:0", &object);
    vgg_hdf_close(&hdf);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return fuzz_mutate_hdf(data, size, most, seed);
}
