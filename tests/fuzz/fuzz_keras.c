/* The configuration of a Keras model, as JSON: in the smallest HDF5 file that can hold it. */
#include <stdlib.h>
#include <string.h>

#include "core/weights/keras.h"
#include "core/weights/store.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_JSON = 60000, SUPERBLOCK = 48, HEAD = 24, NAME = 13 };

/* An attribute model_config of one string of fixed length: messages of version 3 and 1 (HDF5 File Format
 * Specification, IV.A.2.m, IV.A.2.d, IV.A.2.b) in an object header of version 1. */
static size_t write_file(uint8_t *file, const uint8_t *json, size_t size)
{
    uint8_t *at = file;
    size_t attribute = 9 + NAME + 8 + 4 + size, group = 18;
    memcpy(at, "\x89HDF\r\n\x1a\n\2\10\10\0", 12);
    at = fuzz_put(fuzz_put(at + 12, 0, 8), UINT64_MAX, 8);
    at = fuzz_put(fuzz_put(at, 0, 8), SUPERBLOCK, 8);
    at = fuzz_put(at, 0, 4);
    at = fuzz_put(fuzz_put(fuzz_put(at, 1, 2), 2, 2), 1, 4);
    at = fuzz_put(fuzz_put(at, 16 + group + attribute, 4), 0, 4);
    at = fuzz_put(fuzz_put(fuzz_put(at, 2, 2), group, 2), 0, 4); /* link information: makes it a group */
    at = fuzz_put(fuzz_put(fuzz_put(at, 0, 2), UINT64_MAX, 8), UINT64_MAX, 8);
    at = fuzz_put(fuzz_put(fuzz_put(at, 12, 2), attribute, 2), 0, 4);
    at = fuzz_put(fuzz_put(fuzz_put(fuzz_put(at, 3, 2), NAME, 2), 8, 2), 4, 2);
    *at++ = 0;
    memcpy(at, "model_config", NAME);
    at = fuzz_put(fuzz_put(at + NAME, 0x13, 4), size, 4);
    at = fuzz_put(at, 2, 4); /* a scalar */
    memcpy(at, json, size);
    return (size_t)(at - file) + size;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0 || size > MOST_JSON) return 0;
    uint8_t *file = malloc(size + 256);
    char path[] = "x.h5";
    struct vgg_weights weights = { .path = path };
    struct vgg_weights_keras keras;
    fuzz_assert(file, "out of memory");
    fuzz_listen();
    fuzz_told(vgg_hdf_open_bytes(&weights.hdf, file, write_file(file, bytes, size), path));
    fuzz_assert(vgg_hdf_has_attribute(&weights.hdf, weights.hdf.root, "model_config"), "the file is not as it must be");
    enum vgg_status status = vgg_weights_keras(&keras, &weights);
    fuzz_told(status);
    if (status == VGG_OK) {
        fuzz_assert(memchr(keras.head, 0, sizeof keras.head), "a head without an end");
        fuzz_assert(keras.height >= 0 && keras.width >= 0, "a negative extent");
    }
    vgg_hdf_close(&weights.hdf);
    free(file);
    return 0;
}
