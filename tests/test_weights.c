/* Weight files of every layout: the values of each layer, what the file says of itself, and what is wrong with it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weight_files.h"

static struct vgg_weights *open_file(const char *name)
{
    struct vgg_weights *weights;
    char *path = weight_files_path(name);
    cr_assert(vgg_weights_open(&weights, path) == VGG_OK, "%s", name);
    free(path);
    return weights;
}

static const struct layout {
    const char *file, *arch;
    size_t layers;
    enum vgg_preprocess preprocess;
    bool arch_untold;
} layouts[] = {
    { "keras_old.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_new.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_top.h5", "vgg16", 16, VGG_PREPROCESS_CAFFE, false },
    { "keras_variable.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_half.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_big.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_double.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_gzip.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_chunked.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_vgg11.h5", "vgg11", 8, VGG_PREPROCESS_CAFFE, false },
    { "keras_vgg13.h5", "vgg13", 10, VGG_PREPROCESS_CAFFE, false },
    { "keras_vgg19.h5", "vgg19", 16, VGG_PREPROCESS_CAFFE, false },
    { "keras_model.h5", "vgg16", 15, VGG_PREPROCESS_CAFFE, false },
    { "keras3.weights.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras3_top.weights.h5", "vgg16", 16, VGG_PREPROCESS_CAFFE, false },
    { "keras3_head.weights.h5", "vgg16", 15, VGG_PREPROCESS_CAFFE, false },
    { "keras3_named.weights.h5", "vgg16", 15, VGG_PREPROCESS_CAFFE, false },
    { "keras3_old.weights.h5", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras3_archive.keras", "vgg16", 15, VGG_PREPROCESS_CAFFE, false },
    { "keras3_packed.keras", "vgg16", 15, VGG_PREPROCESS_CAFFE, false },
    { "small_gzip.h5", "vgg16", 1, VGG_PREPROCESS_CAFFE, true },
    { "small_latest.h5", "vgg16", 1, VGG_PREPROCESS_CAFFE, true },
    { "torch_vgg11.safetensors", "vgg11", 8, VGG_PREPROCESS_TORCH, false },
    { "torch_vgg13.safetensors", "vgg13", 10, VGG_PREPROCESS_TORCH, false },
    { "torch_vgg16.safetensors", "vgg16", 13, VGG_PREPROCESS_TORCH, false },
    { "torch_vgg19.safetensors", "vgg19", 16, VGG_PREPROCESS_TORCH, false },
    { "torch_top.safetensors", "vgg16", 16, VGG_PREPROCESS_TORCH, false },
    { "torch_head.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "torch_parallel.safetensors", "vgg16", 13, VGG_PREPROCESS_TORCH, false },
    { "torch_half.safetensors", "vgg16", 13, VGG_PREPROCESS_TORCH, false },
    { "torch_partial.safetensors", "vgg16", 7, VGG_PREPROCESS_TORCH, true },
    { "timm.safetensors", "vgg16", 16, VGG_PREPROCESS_TORCH, false },
    { "prefix_compiled.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_lightning.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_backbone.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_parallel.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_deep.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_sequence.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_named.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_mask.safetensors", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
    { "prefix_bare.safetensors", "vgg16", 13, VGG_PREPROCESS_TORCH, false },
    { "keras_head.safetensors", "vgg16", 15, VGG_PREPROCESS_RESCALE, false },
    { "keras_colon.safetensors", "vgg16", 13, VGG_PREPROCESS_CAFFE, false },
    { "keras_partial.safetensors", "vgg19", 8, VGG_PREPROCESS_CAFFE, false },
};

static void check_layout(const struct layout *layout)
{
    struct vgg_weights *weights = open_file(layout->file);
    const char *arch = vgg_weights_arch(weights);
    cr_assert(vgg_weights_count(weights) == layout->layers, "%s: %zu layers", layout->file, vgg_weights_count(weights));
    if (!layout->arch_untold) cr_assert(arch && strcmp(arch, layout->arch) == 0, "%s: %s", layout->file, arch);
    cr_assert(vgg_weights_preprocess(weights) == layout->preprocess, "%s", layout->file);
    weight_files_compare(weights, layout->arch, layout->file);
    cr_assert(strcmp(vgg_weights_layer(weights, 0), "block1_conv1") == 0, "%s", layout->file);
    cr_assert(vgg_weights_layer(weights, layout->layers) == NULL);
    vgg_weights_close(weights);
}

Test(weights, every_layout)
{
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        check_layout(&layouts[i]);
}

static void need_pytorch(void)
{
    char *path = weight_files_path("small.pth");
    bool there = access(path, R_OK) == 0;
    free(path);
    if (!there) cr_skip_test("no python3 with PyTorch here (Debian: python3-torch)");
}

/* What torch.save wrote, where PyTorch is there to write it. */
Test(weights, files_of_pytorch)
{
    weight_files_need_zip();
    static const struct layout files[] = {
        { "torch_zip.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "torch_old.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "torch_checkpoint.pth", "vgg16", 13, VGG_PREPROCESS_TORCH, false },
        { "torch_model.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "torch_parameters.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "torch_views.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "torch_views_old.pth", "vgg16", 15, VGG_PREPROCESS_TORCH, false },
        { "small.pth", "vgg16", 1, VGG_PREPROCESS_TORCH, true },
    };
    need_pytorch();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_layout(&files[i]);
}

Test(weights, network_order)
{
    weight_files_need_zip();
    struct vgg_weights *weights = open_file("timm.safetensors");
    cr_assert(strcmp(vgg_weights_layer(weights, 2), "block2_conv1") == 0);
    cr_assert(strcmp(vgg_weights_layer(weights, 13), "fc1") == 0);
    cr_assert(strcmp(vgg_weights_layer(weights, 15), "predictions") == 0);
    vgg_weights_close(weights);
}

Test(weights, metadata)
{
    weight_files_need_zip();
    struct vgg_weights *weights = open_file("keras_head.safetensors");
    const char *key, *value;
    cr_assert(strcmp(vgg_weights_meta(weights, "height"), "150") == 0);
    cr_assert(vgg_weights_meta(weights, "nothing") == NULL);
    cr_assert(vgg_weights_meta_at(weights, 0, &key, &value) && strcmp(key, "arch") == 0 && strcmp(value, "vgg16") == 0);
    cr_assert(!vgg_weights_meta_at(weights, 4, &key, &value));
    vgg_weights_close(weights);
}

/* What is missing is named as the file would name it. */
Test(weights, missing_tensor)
{
    weight_files_need_zip();
    static const struct {
        const char *file, *layer, *name;
    } cases[] = {
        { "keras_partial.safetensors", "block4_conv1", "block4_conv1/kernel" },
        { "torch_partial.safetensors", "block4_conv1", "features.17.weight" },
        { "torch_vgg19.safetensors", "fc1", "classifier.0.weight" },
        { "torch_vgg16.safetensors", "predictions", "classifier.6.weight" },
        { "torch_vgg16.safetensors", "dense_2", "classifier.3.weight" },
        { "timm.safetensors", "dense_1", "classifier.0.weight" },
        { "keras_new.h5", "fc1", "fc1/kernel:0" },
        { "keras_old.h5", "fc1", "fc1_W_1:0" },
        { "keras3.weights.h5", "fc1", "layers/fc1/vars/0" },
    };
    float kernel, bias;
    static const int shape[4] = { 1, 1, 1, 1 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = weight_files_path(cases[i].file);
        struct vgg_weights *weights = open_file(cases[i].file);
        weight_files_listen();
        cr_assert(vgg_weights_read(weights, cases[i].layer, &kernel, 2, shape, &bias, 1, 1) == VGG_ERR_MISSING);
        const char *line = weight_files_error();
        cr_assert(strstr(line, path) && strstr(line, cases[i].name), "%s", line);
        vgg_weights_close(weights);
        free(path);
    }
}

/* Both shapes, in the file's order. */
Test(weights, wrong_shape)
{
    weight_files_need_zip();
    static const struct {
        const char *file, *layer;
        int rank, shape[4];
        const char *found, *wanted;
    } cases[] = {
        { "keras_new.h5", "block2_conv1", 4, { 3, 3, 4, 7 }, "(3, 3, 4, 6)", "(3, 3, 4, 7)" },
        { "torch_vgg16.safetensors", "block2_conv1", 4, { 3, 3, 4, 7 }, "(6, 4, 3, 3)", "(7, 4, 3, 3)" },
        { "torch_head.safetensors", "dense_1", 2, { 300, 9 }, "(9, 192)", "(9, 300)" },
        { "timm.safetensors", "fc1", 2, { 49 * 13, 4096 }, "(4096, 12, 7, 7)", "(4096, 13, 7, 7)" },
        { "keras_model.h5", "dense_2", 4, { 3, 3, 1, 1 }, "(9, 2)", "(3, 3, 1, 1)" },
    };
    float kernel, bias;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_weights *weights = open_file(cases[i].file);
        weight_files_listen();
        cr_assert(vgg_weights_read(weights, cases[i].layer, &kernel, cases[i].rank, cases[i].shape, &bias, 7, 7) ==
                  VGG_ERR_FORMAT);
        const char *line = weight_files_error();
        cr_assert(strstr(line, cases[i].found) && strstr(line, cases[i].wanted), "%s", line);
        vgg_weights_close(weights);
    }
}

/* Broken and foreign files: one line that names file and cause. */
Test(weights, refused)
{
    weight_files_need_zip();
    static const struct {
        const char *file, *cause;
        enum vgg_status status;
    } cases[] = {
        { "bad_integers.h5", "block1_conv1/kernel:0 does not hold floating-point", VGG_ERR_FORMAT },
        { "bad_missing.h5", "block1_conv1/kernel:0 is not there", VGG_ERR_FORMAT },
        { "bad_group.h5", "is no data set", VGG_ERR_FORMAT },
        { "bad_huge.h5", "impossible shape", VGG_ERR_FORMAT },
        { "bad_huge2.h5", "fewer values", VGG_ERR_FORMAT },
        { "bad_empty.h5", "fewer values", VGG_ERR_FORMAT },
        { "bad_rank.h5", "more than 8 dimensions", VGG_ERR_FORMAT },
        { "bad_soft_loop.h5", "is not there", VGG_ERR_FORMAT },
        { "bad_external_link.h5", "is not there", VGG_ERR_FORMAT },
        { "bad_external_data.h5", "another file", VGG_ERR_FORMAT },
        { "bad_names.h5", "weight_names", VGG_ERR_FORMAT },
        { "bad_twice.h5", "two kernels", VGG_ERR_FORMAT },
        { "bad_theano.h5", "Theano", VGG_ERR_UNSUPPORTED },
        { "bad_hard_loop.h5", "loop", VGG_ERR_FORMAT },
        { "bad_other.h5", "not a file of weights", VGG_ERR_FORMAT },
        { "bad_pickle.pth", "no directory at its end", VGG_ERR_FORMAT },
        { "bad_old_pickle.pth", "torch.save did not write", VGG_ERR_UNSUPPORTED },
        { "bad_networks.safetensors", "several networks, ema.features.* and net.features.*", VGG_ERR_UNSUPPORTED },
        { "bad_text.h5", "neither", VGG_ERR_FORMAT },
        { "bad_data.safetensors", "no layer", VGG_ERR_FORMAT },
        { "bad_bn.safetensors", "features.1.running_mean", VGG_ERR_UNSUPPORTED },
        { "bad_number.safetensors", "fit none", VGG_ERR_UNSUPPORTED },
        { "bad_nowhere.h5", "No such file", VGG_ERR_IO },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = weight_files_path(cases[i].file);
        struct vgg_weights *weights;
        weight_files_listen();
        enum vgg_status status = vgg_weights_open(&weights, path);
        cr_assert(status == cases[i].status && weights == NULL, "%s: %s", path, vgg_status_text(status));
        const char *line = weight_files_error();
        cr_assert(strstr(line, path) && strstr(line, cases[i].cause), "%s", line);
        free(path);
    }
}

/* Dtypes that are not read matter only where they are asked for. */
Test(weights, other_dtypes)
{
    weight_files_need_zip();
    static const char *const files[] = { "bad_dtype.safetensors", "bad_dtype.pth" };
    float kernel[4 * 27], bias[4];
    static const int shape[4] = { 3, 3, 3, 4 };
    for (size_t i = 0; i < 2; i++) {
        if (i) need_pytorch();
        struct vgg_weights *weights = open_file(files[i]);
        weight_files_listen();
        cr_assert(vgg_weights_read(weights, "block1_conv1", kernel, 4, shape, bias, 1, 1) == VGG_ERR_UNSUPPORTED);
        cr_assert(strstr(weight_files_error(), "features.0.weight has dtype I8"), "%s", weight_files_lines());
        vgg_weights_close(weights);
    }
}

/* Real ImageNet weights of VGG19's first blocks, where they are. */
Test(weights, real_vgg19_blocks)
{
    const char *folder = getenv("VGG16_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/weights/vgg19-imagenet-blocks1-3.safetensors", folder ? folder : "");
    if (!folder || access(path, R_OK) != 0)
        cr_skip_test("VGG16_TEST_DATA names no folder with weights/vgg19-imagenet-blocks1-3.safetensors");
    struct vgg_weights *weights;
    int rank, shape[4];
    cr_assert(vgg_weights_open(&weights, path) == VGG_OK);
    cr_assert(strcmp(vgg_weights_arch(weights), "vgg19") == 0);
    cr_assert(vgg_weights_count(weights) == 8);
    cr_assert(vgg_weights_shape(weights, "block3_conv4", &rank, shape) && rank == 4 && shape[2] == 256);
    vgg_weights_close(weights);
}

Test(weights, imagenet_classes)
{
    cr_assert(strcmp(vgg_imagenet_class(0), "tench") == 0);
    cr_assert(strcmp(vgg_imagenet_class(281), "tabby") == 0);
    cr_assert(strcmp(vgg_imagenet_class(999), "toilet_tissue") == 0);
    cr_assert(vgg_imagenet_class(-1) == NULL && vgg_imagenet_class(1000) == NULL);
    for (int i = 0; i < 1000; i++)
        cr_assert(vgg_imagenet_class(i) && *vgg_imagenet_class(i));
}

Test(weights, dense_layers_are_named_as_the_file_does)
{
    weight_files_need_zip();
    static const struct {
        const char *file, *list;
        size_t count;
    } files[] = {
        { "keras_new.h5", "", 0 },
        { "keras_top.h5", "fc1 (588x4096), fc2 (4096x4096), predictions (4096x5)", 3 },
        { "keras_model.h5", "dense_1 (192x9), dense_2 (9x2)", 2 },
        { "keras3_head.weights.h5", "dense (192x9), dense_1 (9x2)", 2 },
        { "torch_vgg16.safetensors", "", 0 },
        { "torch_head.safetensors", "classifier.0 (192x9), classifier.3 (9x2)", 2 },
        { "torch_top.safetensors", "classifier.0 (588x4096), classifier.3 (4096x4096), classifier.6 (4096x5)", 3 },
        { "timm.safetensors", "pre_logits.fc1 (588x4096), pre_logits.fc2 (4096x4096), head.fc (4096x5)", 3 },
        { "keras_head.safetensors", "dense_1 (192x9), dense_2 (9x2)", 2 },
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct vgg_weights *weights = open_file(files[i].file);
        struct vgg_weights_dense dense;
        vgg_weights_dense(&dense, weights);
        cr_expect_str_eq(dense.list, files[i].list, "%s: %s", files[i].file, dense.list);
        cr_expect_eq(dense.count, files[i].count, "%s: %zu", files[i].file, dense.count);
        cr_expect_not(dense.imagenet, "%s", files[i].file);
        vgg_weights_close(weights);
    }
}
