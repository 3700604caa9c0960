/* IDX, packed or not: images, and labels behind them. Input: bytes of the image file (2, little-endian), it, labels. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/data/data.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    size_t images = (size_t)vgg_bytes_little(bytes, 2);
    bool labels = images < size - 2;
    if (!labels) images = size - 2;
    char source[512];
    const char *path = fuzz_file("images", bytes + 2, images);
    const char *label = fuzz_file("labels", bytes + 2 + images, size - 2 - images);
    snprintf(source, sizeof source, "idx:%s%s%s", path, labels ? "," : "", labels ? label : "");
    struct vgg_data *data;
    fuzz_listen();
    enum vgg_status status = vgg_data_open(&data, source);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    fuzz_assert(labels == (vgg_data_class_count(data) > 0), "labels that were not given, or none of those given");
    static float x[32 * 32 * 3];
    struct vgg_image_options options = { .height = 32, .width = 32 };
    for (size_t i = 0; i < vgg_data_count(data) && i < 4; i++) {
        fuzz_listen();
        fuzz_told(vgg_data_fetch(data, i, &options, NULL, 0, 0, x));
        fuzz_assert(vgg_data_label(data, i) < vgg_data_class_count(data), "a label beyond the classes");
    }
    vgg_data_destroy(data);
    return 0;
}
