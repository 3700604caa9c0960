/* Conversions between the three layouts: bit for bit there and back, and read by Python as Keras and PyTorch would. */
#include <criterion/criterion.h>
#include <glob.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/format/safetensors.h"
#include "weight_files.h"

static const struct {
    const char *name;
    enum vgg_weights_layout layout;
} targets[] = {
    { "to.h5", VGG_WEIGHTS_KERAS_H5 },
    { "to_torch.safetensors", VGG_WEIGHTS_TORCHVISION },
    { "to_keras.safetensors", VGG_WEIGHTS_KERAS_SAFETENSORS },
};

static void compare_file(const char *path, enum vgg_preprocess preprocess, size_t layers)
{
    struct vgg_weights *weights;
    cr_assert(vgg_weights_open(&weights, path) == VGG_OK, "%s", path);
    weight_files_compare(weights, "vgg16", path);
    cr_assert(vgg_weights_count(weights) == layers, "%s: %zu", path, vgg_weights_count(weights));
    cr_assert(vgg_weights_preprocess(weights) == preprocess, "%s", path);
    cr_assert(strcmp(vgg_weights_arch(weights), "vgg16") == 0);
    vgg_weights_close(weights);
}

/* Every source to every layout, and from there to every layout again. */
Test(convert, all_directions)
{
    static const struct {
        const char *name;
        size_t layers;
        enum vgg_preprocess preprocess;
    } sources[] = {
        { "keras_old.h5", 13, VGG_PREPROCESS_CAFFE },
        { "keras_model.h5", 15, VGG_PREPROCESS_CAFFE },
        { "keras3_head.weights.h5", 15, VGG_PREPROCESS_CAFFE },
        { "torch_head.safetensors", 15, VGG_PREPROCESS_TORCH },
        { "keras_head.safetensors", 15, VGG_PREPROCESS_RESCALE },
        { "torch_half.safetensors", 13, VGG_PREPROCESS_TORCH },
    };
    char *again = weight_files_scratch("again");
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        char *in = weight_files_path(sources[i].name);
        for (size_t k = 0; k < 3; k++) {
            char *out = weight_files_scratch(targets[k].name);
            cr_assert(vgg_weights_convert(in, out, targets[k].layout, VGG_WEIGHTS_F32) == VGG_OK, "%s to %s", in, out);
            compare_file(out, sources[i].preprocess, sources[i].layers);
            for (size_t m = 0; m < 3; m++) {
                cr_assert(vgg_weights_convert(out, again, targets[m].layout, VGG_WEIGHTS_F32) == VGG_OK, "%s",
                          targets[m].name);
                compare_file(again, sources[i].preprocess, sources[i].layers);
            }
            free(out);
        }
        free(in);
    }
    free(again);
}

/* timm's 7x7 convolution becomes fc1 of Keras, and torchvision's. */
Test(convert, imagenet_top)
{
    char *in = weight_files_path("timm.safetensors"), *h5 = weight_files_scratch("top.h5");
    char *torch = weight_files_scratch("top.safetensors");
    cr_assert(vgg_weights_convert(in, h5, VGG_WEIGHTS_BY_EXTENSION, VGG_WEIGHTS_F32) == VGG_OK);
    compare_file(h5, VGG_PREPROCESS_TORCH, 16);
    cr_assert(vgg_weights_convert(h5, torch, VGG_WEIGHTS_BY_EXTENSION, VGG_WEIGHTS_F32) == VGG_OK);
    compare_file(torch, VGG_PREPROCESS_TORCH, 16);
    struct vgg_st *st;
    cr_assert(vgg_st_open(&st, torch) == VGG_OK);
    cr_assert(vgg_st_find(st, "classifier.6.weight") != NULL, "Keras names become torchvision's");
    vgg_st_close(st);
    free(in), free(h5), free(torch);
}

/* Metadata survives all three layouts. */
Test(convert, metadata)
{
    char *in = weight_files_path("keras_head.safetensors"), *h5 = weight_files_scratch("meta.h5");
    char *torch = weight_files_scratch("meta.safetensors"), *back = weight_files_scratch("back.safetensors");
    struct vgg_weights *weights;
    cr_assert(vgg_weights_convert(in, h5, VGG_WEIGHTS_KERAS_H5, VGG_WEIGHTS_F32) == VGG_OK);
    cr_assert(vgg_weights_convert(h5, torch, VGG_WEIGHTS_TORCHVISION, VGG_WEIGHTS_F32) == VGG_OK);
    cr_assert(vgg_weights_convert(torch, back, VGG_WEIGHTS_BY_EXTENSION, VGG_WEIGHTS_F32) == VGG_OK);
    cr_assert(vgg_weights_open(&weights, back) == VGG_OK);
    cr_assert(strcmp(vgg_weights_meta(weights, "height"), "150") == 0);
    cr_assert(strcmp(vgg_weights_meta(weights, "preprocess"), "rescale") == 0);
    cr_assert(vgg_weights_meta(weights, "dense") == NULL, "torchvision's helper stays in torchvision's layout");
    const char *key, *value;
    cr_assert(vgg_weights_meta_at(weights, 3, &key, &value) && !vgg_weights_meta_at(weights, 4, &key, &value));
    vgg_weights_close(weights);
    free(in), free(h5), free(torch), free(back);
}

/* A feature map that is not square: the input size tells it; without that the conversion is refused. */
Test(convert, oblong_features)
{
    enum { IN = 2 * 3 * 4, OUT = 5 };
    static float conv[3 * 3 * 3 * 4], bias[8], kernel[IN * OUT], back[IN * OUT];
    for (int i = 0; i < IN * OUT; i++)
        kernel[i] = (float)i;
    const struct vgg_weights_layer layers[] = {
        { "block1_conv1", 4, { 3, 3, 3, 4 }, conv, bias, NULL },
        { "block1_pool", 0, { 0 }, NULL, NULL, NULL },
        { "dense_1", 2, { IN, OUT, 0, 0 }, kernel, bias, NULL },
    };
    static const char *const meta[] = { "height", "4", "width", "6", NULL };
    char *keras = weight_files_scratch("oblong.safetensors"), *torch = weight_files_scratch("oblong_torch.safetensors");
    char *turned = weight_files_scratch("oblong_back.safetensors");
    struct vgg_weights *weights;
    cr_assert(vgg_weights_write(keras, VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_F32, layers, 3, 2, 3, meta) ==
              VGG_OK);
    cr_assert(vgg_weights_convert(keras, torch, VGG_WEIGHTS_TORCHVISION, VGG_WEIGHTS_F32) == VGG_OK);
    struct vgg_st *st;
    cr_assert(vgg_st_open(&st, torch) == VGG_OK);
    const struct vgg_st_tensor *tensor = vgg_st_find(st, "classifier.0.weight");
    cr_assert(tensor && tensor->rank == 2 && tensor->shape[0] == OUT && tensor->shape[1] == IN);
    float second;
    memcpy(&second, (const char *)tensor->data + sizeof second, sizeof second);
    cr_assert(second == (float)(4 * OUT), "column 1 is channel 0 of pixel (0, 1): row 4 of the kernel, not %g", second);
    vgg_st_close(st);
    cr_assert(vgg_weights_convert(torch, turned, VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_F32) == VGG_OK);
    cr_assert(vgg_weights_open(&weights, turned) == VGG_OK);
    cr_assert(vgg_weights_read(weights, "dense_1", back, 2, layers[2].shape, bias, 2, 3) == VGG_OK);
    cr_assert(memcmp(kernel, back, sizeof back) == 0);
    vgg_weights_close(weights);

    cr_assert(vgg_weights_write(keras, VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_F32, layers, 3, 2, 3, NULL) ==
              VGG_OK);
    weight_files_listen();
    cr_assert(vgg_weights_convert(keras, torch, VGG_WEIGHTS_TORCHVISION, VGG_WEIGHTS_F32) == VGG_ERR_ARGUMENT);
    cr_assert(strstr(weight_files_error(), "height"));
    free(keras), free(torch), free(turned);
}

/* Names of a head that are not the usual ones come back from torchvision's layout, in order. */
Test(convert, named_head)
{
    static float conv[3 * 3 * 3 * 4], bias[8], kernel[4 * 6], last[6 * 2];
    const struct vgg_weights_layer layers[] = {
        { "block1_conv1", 4, { 3, 3, 3, 4 }, conv, bias, NULL },
        { "zebra", 2, { 4, 6, 0, 0 }, kernel, bias, NULL },
        { "ant", 2, { 6, 2, 0, 0 }, last, bias, NULL },
    };
    char *path = weight_files_scratch("named.safetensors");
    struct vgg_weights *weights;
    cr_assert(vgg_weights_write(path, VGG_WEIGHTS_TORCHVISION, VGG_WEIGHTS_F32, layers, 3, 1, 1, NULL) == VGG_OK);
    cr_assert(vgg_weights_open(&weights, path) == VGG_OK);
    cr_assert(strcmp(vgg_weights_layer(weights, 1), "zebra") == 0);
    cr_assert(strcmp(vgg_weights_layer(weights, 2), "ant") == 0);
    vgg_weights_close(weights);
    free(path);
}

/* F16: each value by at most half a unit in its last place, metadata kept, half the size; what does not fit is refused.
 */
Test(convert, half_precision)
{
    char *in = weight_files_path("keras_head.safetensors"), *full = weight_files_scratch("full.safetensors");
    char *half = weight_files_scratch("half.safetensors");
    static const enum vgg_weights_layout layouts[] = { VGG_WEIGHTS_KERAS_SAFETENSORS, VGG_WEIGHTS_TORCHVISION };
    for (size_t k = 0; k < 2; k++) {
        struct vgg_st *a, *b;
        cr_assert(vgg_weights_convert(in, full, layouts[k], VGG_WEIGHTS_F32) == VGG_OK);
        cr_assert(vgg_weights_convert(in, half, layouts[k], VGG_WEIGHTS_F16) == VGG_OK);
        cr_assert(vgg_st_open(&a, full) == VGG_OK && vgg_st_open(&b, half) == VGG_OK);
        cr_assert(vgg_st_count(a) == vgg_st_count(b) && strcmp(vgg_st_meta(b, "preprocess"), "rescale") == 0);
        for (size_t i = 0; i < vgg_st_count(a); i++) {
            const struct vgg_st_tensor *x = vgg_st_at(a, i), *y = vgg_st_find(b, x->name);
            cr_assert(y && y->dtype == VGG_DTYPE_F16 && 2 * y->size == x->size, "%s", x->name);
            size_t count = y->size / sizeof(uint16_t);
            float *values = malloc(x->size), *rounded = malloc(x->size);
            vgg_dtype_to_f32(values, x->data, x->dtype, count);
            vgg_dtype_to_f32(rounded, y->data, y->dtype, count);
            for (size_t j = 0; j < count; j++) {
                double bound = fmax(fabs((double)values[j]) * 0x1p-11, 0x1p-25);
                cr_assert(fabs((double)rounded[j] - (double)values[j]) <= bound, "%s %zu", x->name, j);
            }
            free(values), free(rounded);
        }
        vgg_st_close(a), vgg_st_close(b);
    }
    weight_files_listen();
    cr_assert(vgg_weights_convert(in, "half.h5", VGG_WEIGHTS_KERAS_H5, VGG_WEIGHTS_F16) == VGG_ERR_UNSUPPORTED);
    cr_assert(strstr(weight_files_error(), "half.h5"));

    static float kernel[3 * 3 * 3 * 4], bias[4] = { 0, 0, 70000 };
    const struct vgg_weights_layer large = { "block1_conv1", 4, { 3, 3, 3, 4 }, kernel, bias, NULL };
    struct stat before, after;
    cr_assert(stat(half, &before) == 0);
    weight_files_listen();
    cr_assert(vgg_weights_write(half, VGG_WEIGHTS_TORCHVISION, VGG_WEIGHTS_F16, &large, 1, 1, 1, NULL) ==
              VGG_ERR_NUMERIC);
    cr_assert(strstr(weight_files_error(), "features.0.bias holds 70000"), "%s", weight_files_error());
    cr_assert(stat(half, &after) == 0 && after.st_ino == before.st_ino, "the older file stands");
    free(in), free(full), free(half);
}

static void check_by_python(const char *mode, const char *modules, enum vgg_weights_layout layout)
{
    static const char *const sources[] = { "keras_new.h5", "torch_head.safetensors", "timm.safetensors" };
    const char *python = weight_files_python(modules);
    if (!python) cr_skip_test("no python3 with %s here", modules);
    char *out = weight_files_scratch(layout == VGG_WEIGHTS_KERAS_H5 ? "check.h5" : "check.safetensors");
    for (size_t i = 0; i < 3; i++) {
        char *in = weight_files_path(sources[i]), command[16384];
        cr_assert(vgg_weights_convert(in, out, layout, VGG_WEIGHTS_F32) == VGG_OK);
        snprintf(command, sizeof command, "PYTHONDONTWRITEBYTECODE=1 %s check_weights.py %s '%s'", python, mode, out);
        cr_assert(system(command) == 0, "%s from %s", command, in);
        free(in);
    }
    free(out);
}

Test(convert, keras_reads_it)
{
    check_by_python("keras", "h5py, numpy", VGG_WEIGHTS_KERAS_H5);
}

Test(convert, torch_loads_it)
{
    check_by_python("torch", "torch, numpy, h5py", VGG_WEIGHTS_TORCHVISION);
}

/* What cannot be written: one line, nothing left behind, an older file untouched. */
Test(convert, unwritable)
{
    char *in = weight_files_path("keras_new.h5"), *old = weight_files_scratch("old.h5");
    weight_files_listen();
    cr_assert(vgg_weights_convert(in, "/nonexistent/out.h5", VGG_WEIGHTS_KERAS_H5, VGG_WEIGHTS_F32) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "/nonexistent/out.h5"));
    weight_files_listen();
    cr_assert(vgg_weights_convert(in, "out.txt", VGG_WEIGHTS_BY_EXTENSION, VGG_WEIGHTS_F32) == VGG_ERR_ARGUMENT);
    cr_assert(strstr(weight_files_error(), "extension"));

    /* A limit on the size of files stands for a full disk. */
    struct rlimit limit, small;
    struct stat before, after;
    cr_assert(vgg_weights_convert(in, old, VGG_WEIGHTS_KERAS_H5, VGG_WEIGHTS_F32) == VGG_OK && stat(old, &before) == 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 20000;
    setrlimit(RLIMIT_FSIZE, &small);
    for (int k = 0; k < 3; k++) {
        weight_files_listen();
        cr_assert(vgg_weights_convert(in, old, targets[k].layout, VGG_WEIGHTS_F32) == VGG_ERR_IO, "%s",
                  targets[k].name);
        const char *line = weight_files_error();
        cr_assert(strstr(line, old), "%s", line);
        cr_assert(stat(old, &after) == 0 && after.st_size == before.st_size && after.st_ino == before.st_ino);
        char left[8192];
        glob_t found;
        snprintf(left, sizeof left, "%s.tmp.*", old);
        cr_assert(glob(left, 0, NULL, &found) == GLOB_NOMATCH, "%s is left", found.gl_pathv[0]);
    }
    setrlimit(RLIMIT_FSIZE, &limit);
    free(in), free(old);
}
