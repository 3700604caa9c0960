#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/array.h"
#include "core/data/csv.h"
#include "core/data/folder.h"
#include "core/data/idx.h"
#include "core/data/select.h"
#include "core/data/store.h"
#include "core/image/colour.h"
#include "core/image/vary.h"

/* The `?` that begins the options of a source, or NULL. */
static const char *find_options(const char *source)
{
    const char *mark = strrchr(source, '?');
    if (!mark || (strncmp(mark + 1, "classes=", 8) != 0 && strncmp(mark + 1, "per_class=", 10) != 0)) return NULL;
    return mark;
}

typedef enum vgg_status read_fn(struct vgg_data *data, const char *path);

static enum vgg_status read_idx(struct vgg_data *data, const char *path)
{
    return vgg_idx_read(data, path + 4);
}

/* What reads the file of many items that a source names, as its images alone or with their labels. NULL: it names no
 * such file. */
static read_fn *collection_reader(const char *path, bool labelled)
{
    static const struct {
        const char *extension;
        read_fn *labelled, *images;
    } readers[] = {
        { ".txt", vgg_data_read_list, vgg_data_read_list },
        { ".csv", vgg_data_read_csv, vgg_data_read_csv_images },
        { ".safetensors", vgg_data_read_array, vgg_data_read_array },
    };
    if (strncmp(path, "idx:", 4) == 0) return read_idx;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (vgg_file_has_extension(path, readers[i].extension))
            return labelled ? readers[i].labelled : readers[i].images;
    return NULL;
}

/* Perhaps its options are mistyped. */
static enum vgg_status refuse_absent(const char *path, int cause)
{
    struct vgg_os_info info;
    const char *mark = strrchr(path, '?');
    char *before = mark && strchr(mark, '=') ? vgg_mem_strdup(path) : NULL;
    if (before) before[mark - path] = '\0';
    bool there = before && vgg_os_look(&info, before);
    free(before);
    if (there)
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "%s: behind ? stand classes=0,3,5 or per_class=N, or both with & between them", path);
    return vgg_fail(VGG_ERR_IO, "%s: cannot be opened as a data set: %s", path, strerror(cause));
}

static enum vgg_status read_source(struct vgg_data *data, const char *path, bool labelled)
{
    struct vgg_os_info info;
    read_fn *read = collection_reader(path, labelled);
    if (read == read_idx) return read(data, path);
    if (!vgg_os_look(&info, path)) return refuse_absent(path, errno);
    if (info.kind == VGG_OS_FOLDER) return vgg_data_read_folder(data, path);
    if (read) return read(data, path);
    if (vgg_image_is_name(path)) return vgg_data_read_images(data, &path, 1);
    return vgg_fail(
        VGG_ERR_UNSUPPORTED,
        "%s: not a data set; give a folder, an image (%s), a .txt list of images, a .csv table of images and "
        "labels, a .safetensors file or idx:IMAGES[,LABELS]",
        path, vgg_image_suffixes);
}

/* labelled: the labels are wanted; they are read, too, where options select by them. */
static enum vgg_status open_source(struct vgg_data **out, const char *source, bool labelled)
{
    *out = NULL;
    enum vgg_status status = VGG_OK;
    struct vgg_data *data = NULL;
    const char *options = find_options(source);
    char *path = vgg_mem_strdup(source);
    if (!path) return vgg_fail_memory(source, strlen(source));
    if (options) path[options - source] = '\0';
    CHECK(vgg_data_create(&data, source));
    CHECK(read_source(data, path, labelled || options));
    if (options) CHECK(vgg_data_select(data, options + 1, path));
    *out = data;
    free(path);
    return VGG_OK;
fail:
    free(path);
    vgg_data_destroy(data);
    return status;
}

enum vgg_status vgg_data_open(struct vgg_data **out, const char *source)
{
    return open_source(out, source, true);
}

enum vgg_status vgg_data_open_images(struct vgg_data **out, const char *const *paths, size_t count)
{
    *out = NULL;
    struct vgg_data *data;
    enum vgg_status status;
    if (count == 0) return vgg_fail(VGG_ERR_ARGUMENT, "no images given");
    if (count == 1 && (collection_reader(paths[0], false) || find_options(paths[0]))) {
        status = open_source(&data, paths[0], false);
        if (status == VGG_OK) vgg_data_forget_labels(data);
    } else {
        status = vgg_data_create(&data, "image list");
        if (status == VGG_OK) status = vgg_data_read_images(data, paths, count);
    }
    if (status != VGG_OK) {
        vgg_data_destroy(data);
        return status;
    }
    *out = data;
    return VGG_OK;
}

enum vgg_status vgg_data_from_features(struct vgg_data **out, const struct vgg_data *like, const float *x,
                                       const int *labels, size_t count, int h, int w, int c)
{
    *out = NULL;
    enum vgg_status status = VGG_OK;
    struct vgg_data *data = NULL;
    int64_t *wide = NULL;
    CHECK(vgg_data_create(&data, "features"));
    struct vgg_data_store *store = data->store;
    store->count = data->count = count;
    store->shape = (struct vgg_data_shape) { true, h, w, c };
    store->values = x;
    store->dtype = VGG_DTYPE_F32;
    store->h = h, store->w = w, store->c = c;
    CHECK(vgg_data_name_items(store, "features"));
    if (labels) {
        wide = vgg_mem_calloc(count, sizeof *wide);
        if (!wide) CHECK(vgg_fail_memory("labels", count * sizeof *wide));
        for (size_t i = 0; i < count; i++)
            wide[i] = labels[i];
        if (like && like->class_count) CHECK(vgg_data_reserve_classes(data, like->class_count, "class names"));
        for (int i = 0; i < data->class_count; i++) {
            data->classes[i] = vgg_mem_strdup(like->classes[i]);
            if (!data->classes[i]) CHECK(vgg_fail_memory("class names", strlen(like->classes[i])));
        }
        CHECK(vgg_data_set_labels(data, wide, count, "features"));
    }
    free(wide);
    *out = data;
    return VGG_OK;
fail:
    free(wide);
    vgg_data_destroy(data);
    return status;
}

void vgg_data_shape(const struct vgg_data *data, struct vgg_data_shape *shape)
{
    *shape = data->store->shape;
}

const char *vgg_data_file(const struct vgg_data *data)
{
    return data->store->array;
}

const char *vgg_data_decoder(const struct vgg_data *data)
{
    return data->store->paths ? vgg_image_decoders() : "array";
}

/* An image of an array: grey becomes RGB, any dtype becomes bytes or floats. */
static enum vgg_status fit_stored(float *x, const struct vgg_data_store *store, const void *values, const char *name,
                                  const struct vgg_image_options *images, const struct vgg_augment_options *augment,
                                  uint64_t seed, uint64_t pass, size_t index, char *why)
{
    struct vgg_image_pixels pixels = { .height = store->h, .width = store->w, .name = name };
    size_t count = (size_t)store->h * (size_t)store->w;
    if (store->dtype == VGG_DTYPE_U8 && store->c == 3) {
        pixels.rgb = values;
        return vgg_vary_fit(x, &pixels, images, augment, seed, pass, index, why);
    }
    void *copy = malloc(count * 3 * (store->dtype == VGG_DTYPE_U8 ? 1 : sizeof(float)));
    if (!copy) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", name);
    if (store->dtype == VGG_DTYPE_U8) {
        const uint8_t *grey = values;
        uint8_t *rgb = copy;
        for (size_t i = 0; i < count * 3; i++)
            rgb[i] = grey[i / 3];
        pixels.rgb = rgb;
    } else {
        vgg_dtype_to_f32(copy, values, store->dtype, count * 3);
        pixels.values = copy;
    }
    enum vgg_status status = vgg_vary_fit(x, &pixels, images, augment, seed, pass, index, why);
    free(copy);
    return status;
}

/* An item of an array: features as they are, an image fitted. */
static enum vgg_status fetch_stored(const struct vgg_data *data, size_t index, const struct vgg_image_options *images,
                                    const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, float *x,
                                    char *why)
{
    const struct vgg_data_store *store = data->store;
    const char *name = vgg_data_path(data, index);
    const void *values;
    void *copy;
    enum vgg_status status = vgg_data_item(&values, &copy, store, data->pick ? data->pick[index] : index);
    if (status == VGG_ERR_MEMORY) return vgg_image_why(why, status, "%s: out of memory for its values", name);
    if (status != VGG_OK)
        return vgg_image_why(why, status, "%s: cannot be read: %s", name,
                             errno ? strerror(errno) : "the file has been cut short since it was opened");
    if (!store->shape.features) {
        status = fit_stored(x, store, values, name, images, augment, seed, pass, index, why);
    } else {
        size_t item = (size_t)store->h * (size_t)store->w * (size_t)store->c;
        vgg_dtype_to_f32(x, values, store->dtype, item);
        for (size_t i = 0; i < item && status == VGG_OK; i++) {
            if (!isfinite(x[i]))
                status =
                    vgg_image_why(why, VGG_ERR_NUMERIC, "%s: holds what is no finite number; extract it again", name);
        }
    }
    free(copy);
    return status;
}

enum vgg_status vgg_data_fetch_quiet(const struct vgg_data *data, size_t index, const struct vgg_image_options *images,
                                     const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, float *x,
                                     char *why)
{
    if (vgg_data_is_array(data->store)) return fetch_stored(data, index, images, augment, seed, pass, x, why);
    const char *name = vgg_data_path(data, index);
    struct vgg_image image;
    const char *path = vgg_data_image(data, index);
    /* A crop is resized from its own pixels, which a fitted or reduced image would lack. */
    bool cropped = augment && augment->crop != 0.0f;
    enum vgg_status status =
        cropped ? vgg_image_read(&image, path, why) : vgg_image_read_fitted(&image, path, images, why);
    if (status == VGG_OK) {
        struct vgg_image_pixels pixels = {
            image.height, image.width, image.rgb, NULL, name, image.full_height, image.full_width, image.fitted,
        };
        status = vgg_vary_fit(x, &pixels, images, augment, seed, pass, index, why);
        vgg_image_finish(&image);
    }
    if (status != VGG_OK) vgg_data_locate(why, data, index);
    return status;
}

enum vgg_status vgg_data_fetch_pixels(struct vgg_image *image, float *x, const struct vgg_data *data, size_t index,
                                      const struct vgg_image_options *images, char *why)
{
    struct vgg_image_options plain = *images;
    size_t pixels = (size_t)images->height * (size_t)images->width;
    *image = (struct vgg_image) { 0 };
    plain.preprocess = VGG_PREPROCESS_NONE;
    enum vgg_status status = vgg_data_fetch_quiet(data, index, &plain, NULL, 0, 0, x, why);
    if (status != VGG_OK) return status;
    *image = (struct vgg_image) { .height = images->height, .width = images->width, .rgb = vgg_mem_calloc(pixels, 3) };
    if (!image->rgb) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory", vgg_data_path(data, index));
    for (size_t i = 0; i < pixels * 3; i++)
        image->rgb[i] = vgg_colour_byte(x[i]);
    vgg_image_preprocess(x, pixels, images->preprocess);
    return VGG_OK;
}

enum vgg_status vgg_data_fetch(const struct vgg_data *data, size_t index, const struct vgg_image_options *images,
                               const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, float *x)
{
    char why[VGG_IMAGE_WHY];
    if (index >= data->count)
        return vgg_fail(VGG_ERR_ARGUMENT, "item %zu asked of a data set of %zu", index, data->count);
    if (!data->store->shape.features) {
        enum vgg_status status = vgg_image_check_options(images);
        if (status != VGG_OK) return status;
    }
    enum vgg_status status = vgg_data_fetch_quiet(data, index, images, augment, seed, pass, x, why);
    return status == VGG_OK ? VGG_OK : vgg_fail(status, "%s", why);
}
