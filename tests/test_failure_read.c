/* Every allocation and file operation fails once while a file of each kind is read: a status, one line, nothing held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/format/safetensors.h"
#include "core/image/image.h"
#include "tests/data_files.h"
#include "tests/failing.h"
#include "tests/weight_files.h"

/* Opens a weight file and reads each layer. */
static enum vgg_status read_weights(const char *path)
{
    static float values[1 << 20];
    struct vgg_weights *weights;
    enum vgg_status status = vgg_weights_open(&weights, path);
    for (size_t i = 0; status == VGG_OK && i < vgg_weights_count(weights); i++) {
        int rank, shape[4];
        const char *layer = vgg_weights_layer(weights, i);
        if (!vgg_weights_shape(weights, layer, &rank, shape)) continue;
        size_t count = weight_files_count(rank, shape), out = (size_t)shape[rank - 1];
        if (count + out <= sizeof values / sizeof *values)
            status = vgg_weights_read(weights, layer, values, rank, shape, values + count, 2, 2);
    }
    vgg_weights_close(weights);
    return status;
}

static enum vgg_status read_data(const char *path)
{
    struct vgg_data *data;
    enum vgg_status status = vgg_data_open(&data, path);
    vgg_data_destroy(data);
    return status;
}

/* An image's failures are told by its caller. */
static enum vgg_status read_picture(const char *path)
{
    struct vgg_image image;
    char why[VGG_IMAGE_WHY] = "";
    enum vgg_status status = vgg_image_read(&image, path, why);
    if (status != VGG_OK) vgg_log(VGG_LOG_ERROR, "%s", why);
    if (status == VGG_OK) vgg_image_finish(&image);
    return status;
}

typedef enum vgg_status read_fn(const char *path);

/* For every k, call k fails. What is spared (a note that is done without, memory that is mapped otherwise) reads well.
 */
static void each_call(read_fn *read, const char *path, bool files)
{
    long k = 0, spared = 0;
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
    cr_assert_eq(read(path), VGG_OK, "%s", path); /* what is loaded once, stays */
    for (bool reached = true; reached;) {
        arm(++k, files);
        enum vgg_status status = read(path);
        state.armed = false;
        reached = state.failed != NULL;
        spared += reached && status == VGG_OK;
        cr_expect(reached || status == VGG_OK, "%s: status %d with no failure", path, status);
        cr_expect(files || status == VGG_OK || status == VGG_ERR_MEMORY, "%s: call %ld: status %d", path, k, status);
        cr_expect_eq(log_lines, status != VGG_OK, "%s: call %ld (%s): %d lines", path, k, state.failed, log_lines);
        cr_expect_eq(state.holding, 0u, "%s: call %ld: %zu blocks are lost", path, k, state.holding);
    }
    cr_expect_lt(2 * spared, k, "%s: %ld of %ld failures without consequence", path, spared, k - 1);
    cr_expect_gt(k, 2, "%s", path);
}

static const char *const weights[] = { "small.h5",           "small_gzip.h5",   "small_variable.h5",
                                       "small_latest.h5",    "small_keras3.h5", "small.pth",
                                       "small_old.pth",      "torch_views.pth", "small.safetensors",
                                       "keras3_packed.keras" };

static void each_weight_file(bool files)
{
    weight_files_need_zip();
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        char *path = weight_files_path(weights[i]);
        if (access(path, R_OK) == 0) each_call(read_weights, path, files);
        free(path);
    }
}

Test(failure_read, memory_of_weights, .timeout = 120)
{
    each_weight_file(false);
}

Test(failure_read, files_of_weights, .timeout = 120)
{
    each_weight_file(true);
}

/* None of 16 bits a sample: there stb_image 2.27 itself keeps a block when memory is out. */
static const char *const images[] = { "grey.bmp", "rgb.png",     "grey-alpha.png", "exif6.jpg",
                                      "cmyk.jpg", "palette.png", "progressive.jpg" };

Test(failure_read, images)
{
    char path[64];
    for (size_t i = 0; i < sizeof images / sizeof *images; i++) {
        snprintf(path, sizeof path, "images/%s", images[i]);
        each_call(read_picture, path, false);
        each_call(read_picture, path, true);
    }
}

/* Digits with labels; a table whose rows and names grow beyond what is taken at first; an array with named classes. */
Test(failure_read, data)
{
    static const uint8_t digits[16 + 8] = { 0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8 },
                                     labels[8 + 2] = { 0, 0, 8, 1, 0, 0, 0, 2, 3, 0 };
    static const int64_t y[2] = { 1, 0 };
    const struct vgg_st_tensor tensors[] = { { "x", VGG_DTYPE_U8, 3, { 2, 2, 2 }, digits + 16, 8 },
                                             { "y", VGG_DTYPE_I64, 1, { 2 }, y, sizeof y } };
    static char table[300 * 24];
    size_t used = 0;
    char *folder = make_folder(), path[256];
    for (int i = 0; i < 300; i++)
        used += (size_t)snprintf(table + used, sizeof table - used, "%d.bmp,kind %d\n", i * 7, i % 3);
    write_file(folder, "i", digits, sizeof digits);
    write_file(folder, "l", labels, sizeof labels);
    write_file(folder, "t.csv", table, used);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    cr_assert_eq(vgg_st_write(path, tensors, 2, &(struct vgg_st_meta) { "classes", "[\"b\",\"a\"]" }, 1), VGG_OK);
    each_call(read_data, path, false);
    each_call(read_data, path, true);
    snprintf(path, sizeof path, "%s/t.csv", folder);
    each_call(read_data, path, false);
    each_call(read_data, path, true);
    snprintf(path, sizeof path, "idx:%s/i,%s/l", folder, folder);
    each_call(read_data, path, false);
    each_call(read_data, path, true);
    remove_folder(folder);
}
