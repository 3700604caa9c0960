/* Weight files of every kind, through the one door: what they hold, and its values. */
#include <stdlib.h>
#include <string.h>

#include "core/weights/keras.h"
#include "core/weights/weights.h"
#include "tests/fuzz/fuzz.h"

enum { MOST_VALUES = 1 << 17 };

static void read_layer(const struct vgg_weights *weights, const char *name)
{
    int rank, shape[4] = { 0 };
    float scales[VGG_QUANT_COUNT];
    bool found;
    fuzz_listen();
    fuzz_told(vgg_weights_scales(&found, scales, weights, name));
    if (!vgg_weights_shape(weights, name, &rank, shape)) return;
    size_t n = 1;
    for (int i = 0; i < rank; i++) {
        fuzz_assert(shape[i] >= 0, "a negative extent");
        n = n > MOST_VALUES ? n : n * (size_t)shape[i];
    }
    if (n > MOST_VALUES || shape[rank - 1] > MOST_VALUES) return;
    float *kernel = malloc(n * sizeof *kernel + 1), *bias = malloc((size_t)shape[rank - 1] * sizeof *bias + 1);
    fuzz_assert(kernel && bias, "out of memory");
    int side = rank == 2 && shape[0] % 49 == 0 ? 7 : 1;
    fuzz_listen();
    fuzz_told(vgg_weights_read(weights, name, kernel, rank, shape, bias, side, side));
    free(kernel);
    free(bias);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const known[] = { "block1_conv1", "block1_conv2", "fc1", "dense_1" };
    struct vgg_weights *weights;
    struct vgg_weights_keras keras;
    struct vgg_weights_dense dense;
    int head[VGG_WEIGHTS_HEAD][2], count;
    const char *key, *value;
    const char *path = fuzz_file("x.h5", bytes, size);
    fuzz_listen();
    enum vgg_status status = vgg_weights_open(&weights, path);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    for (size_t i = 0; i < vgg_weights_count(weights) && i < 8; i++)
        read_layer(weights, vgg_weights_layer(weights, i));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        read_layer(weights, known[i]);
    for (size_t i = 0; vgg_weights_meta_at(weights, i, &key, &value); i++)
        fuzz_assert(key && value, "metadata without a text");
    vgg_weights_arch(weights);
    vgg_weights_preprocess(weights);
    vgg_weights_norm(weights);
    vgg_weights_dense(&dense, weights);
    fuzz_assert(memchr(dense.list, 0, sizeof dense.list), "a list without an end");
    fuzz_listen();
    fuzz_told(vgg_weights_keras(&keras, weights));
    if (vgg_weights_head(head, &count, weights)) {
        fuzz_listen();
        fuzz_told(vgg_weights_take_head(weights, (const int(*)[2])head, NULL, count));
    }
    vgg_weights_close(weights);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    if (size >= 4 && memcmp(data, "\x89HDF", 4) == 0) return fuzz_mutate_hdf(data, size, most, seed);
    if (size >= 2 && memcmp(data, "PK", 2) == 0) return fuzz_mutate_zip(data, size, most, seed);
    return fuzz_mutate_safetensors(data, size, most, seed);
}
