#include "core/weights/weights.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/names.h"
#include "core/base/os.h"
#include "core/weights/checkpoint.h"
#include "core/weights/h5.h"
#include "core/weights/names.h"
#include "core/weights/pth.h"
#include "core/weights/st.h"

/* Columns turned at once: enough that each row is written in whole cache lines, few enough to stay in cache. */
enum { TURN = 16 };

static void tensor_finish(struct vgg_weights_tensor *tensor)
{
    free(tensor->name);
}

/* What the first bytes say. */
enum content { SAFETENSORS, HDF5, PICKLE, ZIP, UNKNOWN };

static enum vgg_status look_inside(enum content *content, const char *path)
{
    unsigned char head[16] = { 0 };
    FILE *stream = vgg_os_fopen(path, "rb");
    if (!stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    errno = 0;
    size_t n = fread(head, 1, sizeof head, stream);
    int cause = ferror(stream) ? errno : 0;
    fclose(stream);
    if (cause) return vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(cause));
    if (n == 0) return vgg_fail(VGG_ERR_FORMAT, "%s: is empty", path);
    if (n >= 8 && memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0) {
        *content = HDF5;
    } else if (n >= 9 && head[8] == '{') {
        *content = SAFETENSORS;
    } else if (n >= 4 && memcmp(head, "PK\3\4", 4) == 0) {
        *content = ZIP;
    } else if (n >= 2 && head[0] == 0x80 && head[1] <= 5) {
        *content = PICKLE;
    } else {
        *content = UNKNOWN;
    }
    return VGG_OK;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Says what an archive is that holds no weights. */
static enum vgg_status refuse_zip(const struct vgg_zip *zip, const char *path)
{
    const struct vgg_zip_entry *entry;
    for (size_t i = 0; (entry = vgg_zip_at(zip, i)); i++) {
        if (ends_in(entry->name, ".npy"))
            return vgg_fail(VGG_ERR_FORMAT, "%s: is an archive of NumPy arrays, not a file of weights", path);
    }
    return vgg_fail(VGG_ERR_FORMAT, "%s: is a zip archive, but not one of PyTorch or Keras", path);
}

static enum vgg_status open_zip(struct vgg_weights *weights)
{
    struct vgg_zip *zip;
    enum vgg_status status = vgg_zip_open(&zip, weights->path);
    if (status != VGG_OK) return status;
    if (vgg_torch_is(zip)) return vgg_weights_pth_open(weights, zip);
    if (vgg_weights_is_keras(zip)) return vgg_weights_keras_open(weights, zip);
    status = refuse_zip(zip, weights->path);
    vgg_zip_close(zip);
    return status;
}

static enum vgg_status open_content(struct vgg_weights *weights, enum content content)
{
    switch (content) {
    case SAFETENSORS: return vgg_weights_st_open(weights);
    case HDF5: return vgg_weights_h5_open(weights);
    case PICKLE: return vgg_weights_pth_open(weights, NULL);
    case ZIP: return open_zip(weights);
    case UNKNOWN: break;
    }
    return vgg_fail(VGG_ERR_FORMAT, "%s: is neither an HDF5, a safetensors nor a PyTorch file", weights->path);
}

/* A file without a layer: what it holds instead, as far as that is known. */
static enum vgg_status refuse_names(const struct vgg_weights *weights)
{
    char list[160] = "";
    for (size_t i = 0; i < weights->tensor_count && i < 3; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.48s", i ? ", " : "", weights->tensor[i].name);
    }
    return vgg_fail(VGG_ERR_FORMAT,
                    "%s: holds no layer that is known here%s%s%s; a VGG's are called features.0.weight (PyTorch) or "
                    "block1_conv1/kernel (Keras), whatever stands before",
                    weights->path, *list ? " but " : "", list, weights->tensor_count > 3 ? " ..." : "");
}

static enum vgg_status open_file(struct vgg_weights **out, const char *path)
{
    *out = NULL;
    enum vgg_status status;
    enum content content = UNKNOWN;
    struct vgg_weights *weights = vgg_mem_calloc(1, sizeof *weights);
    if (!weights) return vgg_fail_memory(path, sizeof *weights);
    weights->path = vgg_mem_strdup(path);
    if (!weights->path) {
        status = vgg_fail_memory(path, strlen(path));
        goto fail;
    }
    CHECK(look_inside(&content, path));
    CHECK(open_content(weights, content));
    if (weights->count == 0) {
        status = refuse_names(weights);
        goto fail;
    }
    CHECK(vgg_weights_names_settle(weights));
    *out = weights;
    return VGG_OK;
fail:
    vgg_weights_close(weights);
    return status;
}

/* Opens the newest checkpoint of a folder that is whole, and tells which. */
static enum vgg_status open_newest(struct vgg_weights **out, const char *folder)
{
    struct vgg_checkpoint_mark *marks;
    size_t count;
    *out = NULL;
    enum vgg_status status = vgg_checkpoint_list(&marks, &count, folder);
    if (status == VGG_OK && count == 0) {
        status = vgg_fail(VGG_ERR_MISSING,
                          "%s: is a folder without checkpoints; give a file, or what `vgg16 train --checkpoint` filled",
                          folder);
    }
    for (size_t i = count; i-- > 0;) {
        char *path = vgg_checkpoint_path(folder, &marks[i]);
        status = path ? open_file(out, path) : vgg_fail_memory(folder, strlen(folder));
        bool again = status == VGG_ERR_FORMAT && i > 0;
        if (again) vgg_log(VGG_LOG_WARNING, "%s: is not a whole checkpoint; passed over", path);
        if (status == VGG_OK) vgg_log(VGG_LOG_WARNING, "%s: is taken, the newest checkpoint there", path);
        free(path);
        if (!again) break;
    }
    free(marks);
    return status;
}

enum vgg_status vgg_weights_open(struct vgg_weights **out, const char *path)
{
    struct vgg_os_info info;
    bool folder = vgg_os_look(&info, path) && info.kind == VGG_OS_FOLDER;
    return folder ? open_newest(out, path) : open_file(out, path);
}

void vgg_weights_close(struct vgg_weights *weights)
{
    if (!weights) return;
    for (size_t i = 0; i < weights->count; i++) {
        free(weights->entry[i].name);
        tensor_finish(&weights->entry[i].kernel);
        tensor_finish(&weights->entry[i].bias);
    }
    for (size_t i = 0; i < weights->meta_count; i++) {
        free(weights->meta[i].key);
        free(weights->meta[i].value);
    }
    free(weights->meta);
    free(weights->entry);
    free(weights->norm);
    free(weights->listed);
    free(weights->listed_name);
    vgg_hdf_close(&weights->hdf);
    vgg_st_close(weights->st);
    vgg_st_close(weights->part[0]);
    vgg_st_close(weights->part[1]);
    vgg_torch_close(weights->torch);
    vgg_zip_close(weights->zip);
    free(weights->unpacked);
    free(weights->path);
    free(weights);
}

const char *vgg_weights_path(const struct vgg_weights *weights)
{
    return weights->path;
}

size_t vgg_weights_count(const struct vgg_weights *weights)
{
    return weights->count;
}

const char *vgg_weights_layer(const struct vgg_weights *weights, size_t index)
{
    return index < weights->count ? weights->entry[index].name : NULL;
}

static const struct vgg_weights_entry *find(const struct vgg_weights *weights, const char *layer)
{
    for (size_t i = 0; i < weights->count; i++) {
        if (strcmp(weights->entry[i].name, layer) == 0) return &weights->entry[i];
    }
    return NULL;
}

/* Does PyTorch call this layer a dense one? timm keeps fc1 and fc2 as convolutions. */
static bool is_dense(const struct vgg_weights *weights, const struct vgg_weights_entry *entry)
{
    int block, conv;
    return entry->kernel.rank == 2 ||
           (vgg_weights_is_torch(weights) && !vgg_arch_conv_place(&block, &conv, entry->name));
}

/* The library's shape of a stored kernel; rank 0: neither a convolution nor a dense layer. */
static int library_shape(const struct vgg_weights *weights, const struct vgg_weights_entry *entry, int shape[4])
{
    const struct vgg_weights_tensor *kernel = &entry->kernel;
    const uint64_t *s = kernel->shape;
    if (kernel->rank != 2 && kernel->rank != 4) return 0;
    if (!vgg_weights_is_torch(weights)) {
        for (int i = 0; i < 4; i++)
            shape[i] = i < kernel->rank ? (int)s[i] : 0;
        return kernel->rank;
    }
    if (is_dense(weights, entry)) {
        size_t in = s[1];
        for (int i = 2; i < kernel->rank; i++)
            in = vgg_mem_mul(in, s[i]);
        if (in > INT_MAX) return 0;
        shape[0] = (int)in, shape[1] = (int)s[0], shape[2] = shape[3] = 0;
        return 2;
    }
    shape[0] = (int)s[2], shape[1] = (int)s[3], shape[2] = (int)s[1], shape[3] = (int)s[0];
    return 4;
}

bool vgg_weights_shape(const struct vgg_weights *weights, const char *layer, int *rank, int shape[4])
{
    const struct vgg_weights_entry *entry = find(weights, layer);
    *rank = entry ? library_shape(weights, entry, shape) : 0;
    return *rank != 0;
}

const char *vgg_weights_arch(const struct vgg_weights *weights)
{
    return weights->arch;
}

enum vgg_preprocess vgg_weights_preprocess(const struct vgg_weights *weights)
{
    int said;
    if (vgg_names_find(&said, VGG_NAMES_PREPROCESS, vgg_weights_meta(weights, "preprocess")))
        return (enum vgg_preprocess)said;
    return vgg_weights_is_torch(weights) ? VGG_PREPROCESS_TORCH : VGG_PREPROCESS_CAFFE;
}

/* "(512, 256, 3, 3)" into text. */
static void print_shape(char text[128], const uint64_t *shape, int rank)
{
    size_t at = 0;
    text[at++] = '(';
    for (int i = 0; i < rank; i++) {
        at += (size_t)snprintf(text + at, 128 - at, "%s%" PRIu64, i ? ", " : "", shape[i]);
        if (at >= 120) break;
    }
    snprintf(text + (at < 126 ? at : 126), 2, ")");
}

static enum vgg_status wrong_shape(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                   const uint64_t *expected, int rank)
{
    char found[128], wanted[128];
    print_shape(found, tensor->shape, tensor->rank);
    print_shape(wanted, expected, rank);
    return vgg_fail(VGG_ERR_FORMAT, "%s: tensor %s has shape %s, but the network needs %s", weights->path, tensor->name,
                    found, wanted);
}

static enum vgg_status missing(const struct vgg_weights *weights, const char *layer, bool bias)
{
    char name[VGG_WEIGHTS_NAME];
    vgg_weights_names_missing(weights, layer, bias, name);
    const char *first = weights->entry[0].name, *last = weights->entry[weights->count - 1].name;
    return vgg_fail(VGG_ERR_MISSING, "%s: tensor %s is missing; the file holds %zu layers, %s to %s", weights->path,
                    name, weights->count, first, last);
}

/* The kernel's expected shape in the file's own order, for the message. */
static int file_shape(const struct vgg_weights *weights, const struct vgg_weights_entry *entry, int rank,
                      const int shape[4], uint64_t expected[4])
{
    for (int i = 0; i < rank; i++)
        expected[i] = (uint64_t)shape[i];
    if (!vgg_weights_is_torch(weights)) return rank;
    if (rank == 2 && entry->kernel.rank == 4) { /* timm's 7x7 or 1x1 convolution */
        uint64_t taps = entry->kernel.shape[2] * entry->kernel.shape[3];
        bool whole = taps && expected[0] % taps == 0;
        uint64_t in = whole ? expected[0] / taps : expected[0], out = expected[1];
        expected[2] = whole ? entry->kernel.shape[2] : 1, expected[3] = whole ? entry->kernel.shape[3] : 1;
        expected[0] = out, expected[1] = in;
        return 4;
    }
    if (rank == 2) {
        uint64_t in = expected[0];
        expected[0] = expected[1], expected[1] = in;
    } else {
        uint64_t h = expected[0], w = expected[1], in = expected[2], out = expected[3];
        expected[0] = out, expected[1] = in, expected[2] = h, expected[3] = w;
    }
    return rank;
}

/* The first that cannot be; VGG_QUANT_COUNT: all are possible. Clips are all there or all 0, as where there is no step
 * of the input. */
static int wrong_scale(const float scales[VGG_QUANT_COUNT])
{
    bool first = scales[VGG_QUANT_X] == 0.0f, none = first || scales[VGG_QUANT_CLIP] == 0.0f;
    for (int i = 0; i < VGG_QUANT_COUNT; i++) {
        bool zero = i == VGG_QUANT_X ? first : none && i >= VGG_QUANT_CLIP;
        if (!isfinite(scales[i]) || (zero ? scales[i] != 0.0f : !(scales[i] > 0.0f))) return i;
    }
    return VGG_QUANT_COUNT;
}

enum vgg_status vgg_weights_scales(bool *found, float scales[VGG_QUANT_COUNT], const struct vgg_weights *weights,
                                   const char *layer)
{
    char name[2 * VGG_WEIGHTS_NAME];
    const struct vgg_tensor *tensor = NULL;
    snprintf(name, sizeof name, "%.100s" VGG_WEIGHTS_INT8, layer);
    for (size_t i = 0; i < weights->tensor_count && !tensor; i++)
        if (strcmp(weights->tensor[i].name, name) == 0) tensor = &weights->tensor[i];
    *found = tensor != NULL;
    if (!tensor) return VGG_OK;
    if (tensor->dtype != VGG_DTYPE_F32 || tensor->rank != 1 || tensor->shape[0] != VGG_QUANT_COUNT) {
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: %s is not the %d F32 numbers that the scales of int8 are; find them anew "
                        "by vgg16 quantize",
                        weights->path, name, VGG_QUANT_COUNT);
    }
    vgg_tensor_read(scales, tensor, 0, VGG_QUANT_COUNT);
    int wrong = wrong_scale(scales);
    if (wrong == VGG_QUANT_COUNT) return VGG_OK;
    return vgg_fail(VGG_ERR_FORMAT,
                    "%s: %s holds %g as its number %d, which no scale of int8 can be; find them anew "
                    "by vgg16 quantize",
                    weights->path, name, (double)scales[wrong], wrong);
}

/* PyTorch's [out][channels][taps] becomes the library's [taps][channels][out]. */
static enum vgg_status turn(const struct vgg_weights *weights, const struct vgg_tensor *tensor, float *kernel,
                            size_t out, size_t channels, size_t taps)
{
    size_t in = channels * taps;
    float *rows = vgg_mem_calloc(vgg_mem_mul(in, TURN), sizeof *rows);
    if (!rows) return vgg_fail_memory(weights->path, vgg_mem_mul(in, TURN * sizeof *rows));
    for (size_t first = 0; first < out; first += TURN) {
        size_t n = out - first < TURN ? out - first : TURN;
        vgg_tensor_read(rows, tensor, first * in, n * in);
        for (size_t t = 0; t < taps; t++) {
            for (size_t c = 0; c < channels; c++) {
                float *dst = kernel + (t * channels + c) * out + first;
                for (size_t o = 0; o < n; o++)
                    dst[o] = rows[o * in + c * taps + t];
            }
        }
    }
    free(rows);
    return VGG_OK;
}

/* How many positions of the image one channel of a dense layer's input spans in the file's order. */
static size_t flattened(const struct vgg_weights *weights, const struct vgg_weights_entry *entry, size_t in,
                        int feature_h, int feature_w)
{
    const struct vgg_weights_entry *first = NULL;
    if (entry->kernel.rank == 4) return entry->kernel.shape[2] * entry->kernel.shape[3];
    for (size_t i = 0; i < weights->count && !first; i++) {
        if (is_dense(weights, &weights->entry[i])) first = &weights->entry[i];
    }
    size_t taps = feature_h > 0 && feature_w > 0 ? (size_t)feature_h * (size_t)feature_w : 1;
    return entry == first && in % taps == 0 ? taps : 1;
}

static enum vgg_status read_values(const struct vgg_weights *weights, const struct vgg_weights_tensor *tensor,
                                   float *dst, size_t count)
{
    if (!tensor->st) return vgg_weights_h5_read(weights, tensor, dst);
    vgg_tensor_read(dst, tensor->st, 0, count);
    return VGG_OK;
}

/* Are the values of a dtype that can be read, and what their archive says that they are? */
static enum vgg_status check_values(const struct vgg_weights *weights, const struct vgg_tensor *tensor)
{
    if (!tensor) return VGG_OK;
    if (tensor->dtype != VGG_DTYPE_OTHER) return weights->torch ? vgg_torch_check(weights->torch, tensor) : VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: tensor %s has dtype %.16s, which is not read here; save it as F32",
                    weights->path, tensor->name, tensor->word);
}

enum vgg_status vgg_weights_read(const struct vgg_weights *weights, const char *layer, float *kernel, int rank,
                                 const int shape[4], float *bias, int feature_h, int feature_w)
{
    const struct vgg_weights_entry *entry = find(weights, layer);
    if (!entry || !entry->kernel.name) return missing(weights, layer, false);
    if (!entry->bias.name) return missing(weights, layer, true);

    int stored[4], stored_rank = library_shape(weights, entry, stored);
    uint64_t expected[4], out = (uint64_t)shape[rank - 1];
    if (stored_rank != rank || memcmp(stored, shape, (size_t)rank * sizeof *shape) != 0) {
        int n = file_shape(weights, entry, rank, shape, expected);
        return wrong_shape(weights, &entry->kernel, expected, n);
    }
    if (entry->bias.rank != 1 || entry->bias.shape[0] != out) return wrong_shape(weights, &entry->bias, &out, 1);

    enum vgg_status status = check_values(weights, entry->kernel.st);
    if (status == VGG_OK) status = check_values(weights, entry->bias.st);
    if (status == VGG_OK) status = read_values(weights, &entry->bias, bias, (size_t)out);
    if (status != VGG_OK) return status;
    size_t in = 1;
    for (int i = 0; i + 1 < rank; i++)
        in *= (size_t)shape[i];
    if (!vgg_weights_is_torch(weights)) return read_values(weights, &entry->kernel, kernel, in * (size_t)out);
    size_t taps = rank == 4 ? (size_t)shape[0] * (size_t)shape[1] : flattened(weights, entry, in, feature_h, feature_w);
    if (in == 0 || out == 0) return VGG_OK;
    return turn(weights, entry->kernel.st, kernel, (size_t)out, in / taps, taps);
}
