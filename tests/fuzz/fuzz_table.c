/* Tables and lists of images. Input: 'c' for a table .csv, anything else for a list .txt, then its text. */
#include <string.h>

#include "core/data/data.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    bool table = bytes[0] == 'c';
    struct vgg_data *data;
    const char *path = fuzz_file(table ? "x.csv" : "x.txt", bytes + 1, size - 1);
    fuzz_listen();
    enum vgg_status status = vgg_data_open(&data, path);
    fuzz_told(status);
    if (status != VGG_OK) return 0;
    int classes = vgg_data_class_count(data);
    fuzz_assert(vgg_data_count(data) > 0 && table == (classes > 0), "a data set without items or classes");
    for (int k = 0; k < classes; k++) {
        const char *name = vgg_data_class_name(data, k);
        fuzz_assert(name && *name, "a class without a name");
        fuzz_line(name, "a class whose name cannot be shown");
    }
    for (size_t i = 0; i < vgg_data_count(data); i++) {
        int label = vgg_data_label(data, i);
        fuzz_assert(table ? label >= 0 && label < classes : label == -1, "a label beyond the classes");
        fuzz_line(vgg_data_path(data, i), "a path that cannot be shown");
    }
    vgg_data_destroy(data);
    return 0;
}
