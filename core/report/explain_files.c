/* Explanations as files: the overlay of an image, the maps, a page with many. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/data/store.h"
#include "core/format/npy.h"
#include "core/image/caption.h"
#include "core/image/heat.h"
#include "core/image/picture.h"
#include "core/infer/explain.h"
#include "core/report/explain_page.h"

enum { CHANNELS = 3, MAX_SIDE = 2048, PAGE_SIDE = 420, DEFAULT_TOP = 5 };
static const float DEFAULT_ALPHA = 0.7f;

/* One run of vgg_explain_files. */
struct work {
    struct vgg_explain *explain;
    const struct vgg_data *data;
    struct vgg_explain_options o; /* nothing left at its default */
    const char *picture;          /* of the outputs, those that are wanted */
    const char *maps;
    struct vgg_html *page;
    float *x;             /* one image as the network takes it */
    float *map;           /* all maps, one after the other, where they are to be kept; else room for one */
    float *probabilities; /* of one image */
    size_t done, skipped;
};

/* ---- one image ---- */

/* Image number `index` for the eye, and in w->x for the network; window: the part of it that the network sees. */
static enum vgg_status load(struct vgg_image *image, struct vgg_resize_window *window, struct work *w, size_t index,
                            char *why)
{
    const struct vgg_image_options *o = &w->o.images;
    *image = (struct vgg_image) { 0 };
    if (!w->data->store->paths) {
        *window = (struct vgg_resize_window) { o->height, o->width, 0, 0, o->height, o->width };
        return vgg_data_fetch_pixels(image, w->x, w->data, index, o, why);
    }
    const char *path = vgg_data_path(w->data, index);
    enum vgg_status status = vgg_image_read_for(image, vgg_data_image(w->data, index), o, why);
    if (status != VGG_OK) return status;
    bool reduced = image->full_height > 0;
    vgg_resize_window(window, reduced ? image->full_height : image->height, reduced ? image->full_width : image->width,
                      o->height, o->width, o->crop);
    struct vgg_image_pixels pixels = {
        image->height, image->width, image->rgb, NULL, path, image->full_height, image->full_width, false,
    };
    status = vgg_image_fit(w->x, &pixels, o, NULL, why);
    if (status != VGG_OK) vgg_image_finish(image);
    return status;
}

/* The picture with what it shows in a strip beneath and as its title. */
static enum vgg_status write_picture(const struct work *w, struct vgg_image *hot, const struct vgg_explanation *e)
{
    char class[VGG_EXPLAIN_TEXT], title[VGG_EXPLAIN_TEXT + 128];
    const struct vgg_arch *arch = &w->explain->model->arch;
    vgg_explain_class(class, w->explain->model, e->label);
    snprintf(title, sizeof title, "%.1f %% %s (Grad-CAM, %s)", 100.0 * (double)e->probabilities[e->label], class,
             arch->layer[w->explain->layer].name);
    enum vgg_status status = vgg_caption_append(hot, title);
    return status == VGG_OK ? vgg_picture_write(w->picture, hot, title) : status;
}

static enum vgg_status show(const struct work *w, const struct vgg_image *image, const struct vgg_resize_window *window,
                            const struct vgg_explanation *e)
{
    enum vgg_status status = VGG_OK;
    struct vgg_image plain = { 0 }, hot = { 0 };
    struct vgg_heat heat = { e->height, e->width, e->map, *window, w->o.colours, w->o.alpha };
    CHECK(vgg_picture_shrink(&hot, image, w->page ? PAGE_SIDE : MAX_SIDE));
    if (w->page) CHECK(vgg_picture_shrink(&plain, image, PAGE_SIDE));
    CHECK(vgg_heat_apply(&hot, &heat));
    if (w->page) {
        int truth = vgg_data_label(w->data, e->index);
        struct vgg_explain_card card = {
            .model = w->explain->model,
            .path = vgg_data_path(w->data, e->index),
            .truth = truth < 0 ? NULL : vgg_data_class_name(w->data, truth),
            .explanation = e,
            .plain = &plain,
            .hot = &hot,
            .top = w->o.top,
        };
        CHECK(vgg_explain_page_card(w->page, &card));
    } else {
        CHECK(write_picture(w, &hot, e));
    }
fail:
    vgg_image_finish(&plain);
    vgg_image_finish(&hot);
    return status;
}

static enum vgg_status explain_one(struct work *w, size_t index)
{
    char why[VGG_IMAGE_WHY];
    struct vgg_image image;
    struct vgg_resize_window window;
    size_t places = (size_t)w->explain->h * (size_t)w->explain->w;
    enum vgg_status status = load(&image, &window, w, index, why);
    if (status != VGG_OK && w->o.images.skip_bad) {
        vgg_log(VGG_LOG_WARNING, "%s; skipped", why);
        w->skipped++;
        return VGG_OK;
    }
    if (status != VGG_OK) return vgg_fail(status, "%s", why);
    float *map = w->map + (w->maps ? w->done * places : 0);
    struct vgg_explanation e = {
        .index = index,
        .label = w->o.chosen ? w->o.label : -1,
        .classes = vgg_arch_classes(&w->explain->model->arch),
        .probabilities = w->probabilities,
        .height = w->explain->h,
        .width = w->explain->w,
        .map = map,
    };
    CHECK(vgg_explain_run(w->explain, map, w->probabilities, &e.label, w->x));
    if (w->picture || w->page) CHECK(show(w, &image, &window, &e));
    if (w->o.explained) w->o.explained(w->o.user, &e);
    w->done++;
fail:
    vgg_image_finish(&image);
    return status;
}

/* ---- the files ---- */

static enum vgg_status write_maps(const struct work *w)
{
    enum vgg_status status = VGG_OK;
    struct vgg_file *file = NULL;
    char header[VGG_NPY_HEADER];
    uint64_t shape[3] = { w->done, (uint64_t)w->explain->h, (uint64_t)w->explain->w };
    bool one = vgg_data_count(w->data) == 1;
    vgg_npy_header(header, "<f4", one ? 2 : 3, one ? shape + 1 : shape);
    CHECK(vgg_file_create(&file, w->maps));
    CHECK(vgg_file_write(file, header, sizeof header));
    CHECK(vgg_file_write(file, w->map, shape[0] * shape[1] * shape[2] * sizeof *w->map));
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    return status;
}

/* Sorts out what is wanted, and refuses what cannot be. */
static enum vgg_status prepare(struct work *w)
{
    struct vgg_explain_options *o = &w->o;
    size_t count = vgg_data_count(w->data), places = (size_t)w->explain->h * (size_t)w->explain->w;
    const char *output = o->output ? o->output : "";
    struct vgg_data_shape shape;
    vgg_data_shape(w->data, &shape);
    vgg_model_images(w->explain->model, &o->images);
    enum vgg_status status = vgg_image_check_options(&o->images);
    if (status != VGG_OK) return status;
    bool page = vgg_file_has_extension(output, ".html");
    if (vgg_file_has_extension(output, ".png")) {
        w->picture = output;
    } else if (vgg_file_has_extension(output, ".npy")) {
        w->maps = output;
    } else if (!page) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: unknown kind of output; use .png, .html or .npy", output);
    }
    if (o->map) w->maps = o->map;
    if (w->picture && count != 1) {
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: a picture is of one image, not of %zu; use .html for several", output,
                        count);
    }
    if (shape.features) return vgg_fail(VGG_ERR_ARGUMENT, "features cannot be explained; explanations take images");
    if (o->images.height != w->explain->model->arch.h || o->images.width != w->explain->model->arch.w) {
        return vgg_fail(VGG_ERR_ARGUMENT, "images of %d x %d: the model takes %d x %d", o->images.height,
                        o->images.width, w->explain->model->arch.h, w->explain->model->arch.w);
    }
    if (o->alpha == 0) o->alpha = DEFAULT_ALPHA;
    if (!(o->alpha > 0 && o->alpha <= 1))
        return vgg_fail(VGG_ERR_ARGUMENT, "opacity %g: must be above 0, at most 1", (double)o->alpha);
    if (o->top == 0) o->top = DEFAULT_TOP;
    w->x = vgg_mem_calloc((size_t)o->images.height * (size_t)o->images.width * CHANNELS, sizeof *w->x);
    w->map = vgg_mem_calloc(vgg_mem_mul(w->maps ? count : 1, places), sizeof *w->map);
    w->probabilities = vgg_mem_calloc((size_t)vgg_arch_classes(&w->explain->model->arch), sizeof *w->probabilities);
    if (!w->x || !w->map || !w->probabilities) return vgg_fail_memory("explanations", count * places * sizeof *w->map);
    return page ? vgg_explain_page_create(&w->page, output, w->explain, &w->o) : VGG_OK;
}

enum vgg_status vgg_explain_files(struct vgg_explain *explain, const struct vgg_data *data,
                                  const struct vgg_explain_options *options)
{
    enum vgg_status status = VGG_OK;
    struct work w = { .explain = explain, .data = data, .o = *options };
    uint64_t count = vgg_data_count(data);
    CHECK(prepare(&w));
    for (size_t i = 0; i < count; i++) {
        CHECK(explain_one(&w, i));
        struct vgg_progress progress = { .phase = "explain",
                                         .unit = "images",
                                         .done = w.done,
                                         .total = count - w.skipped,
                                         .loss = (double)NAN,
                                         .accuracy = (double)NAN };
        if (options->progress && !options->progress(options->user, &progress)) CHECK(VGG_INTERRUPTED);
    }
    if (w.done == 0) {
        CHECK(vgg_fail(VGG_ERR_MISSING, "no image could be read: all %llu were skipped", (unsigned long long)count));
    }
    if (w.maps) CHECK(write_maps(&w));
    if (w.page) {
        status = vgg_html_commit(w.page);
        w.page = NULL;
    }
fail:
    vgg_html_abort(w.page);
    free(w.x);
    free(w.map);
    free(w.probabilities);
    return status;
}
