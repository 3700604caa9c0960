#include "core/image/vary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/image/augment.h"

enum { NUMBERS = 32, TRIES = 10, FIRST_TRY = 3, PLACE = FIRST_TRY + 2 * TRIES, CHANNELS = 3 };

static double uniform(uint64_t seed, uint64_t pass, uint64_t index, int number)
{
    return (double)vgg_rng_uniform(seed, VGG_RNG_VARY, pass, index * NUMBERS + (uint64_t)number);
}

/* ---- the crop ---- */

void vgg_vary_window(struct vgg_vary_window *window, float scale, int height, int width, uint64_t seed, uint64_t pass,
                     uint64_t index)
{
    const double narrowest = 3.0 / 4.0, widest = 4.0 / 3.0;
    for (int i = 0; i < TRIES; i++) {
        double part = (double)scale + (1.0 - (double)scale) * uniform(seed, pass, index, FIRST_TRY + 2 * i);
        double way = uniform(seed, pass, index, FIRST_TRY + 2 * i + 1), area = (double)height * width * part;
        double ratio = exp(log(narrowest) + (log(widest) - log(narrowest)) * way);
        double w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));
        if (w < 1 || w > width || h < 1 || h > height) continue;
        *window = (struct vgg_vary_window) { .height = (int)h, .width = (int)w };
        uint32_t rows = (uint32_t)(height - window->height + 1), columns = (uint32_t)(width - window->width + 1);
        window->top = (int)vgg_rng_below(seed, VGG_RNG_VARY, pass, index * NUMBERS + PLACE, rows);
        window->left = (int)vgg_rng_below(seed, VGG_RNG_VARY, pass, index * NUMBERS + PLACE + 1, columns);
        return;
    }
    double own = (double)width / height;
    *window = (struct vgg_vary_window) { .height = height, .width = width };
    if (own < narrowest) window->height = (int)rint(width / narrowest);
    if (own > widest) window->width = (int)rint(height * widest);
    window->top = (height - window->height) / 2;
    window->left = (width - window->width) / 2;
}

/* *cut = the window of the pixels, in memory of its own, which *memory gets. */
static enum vgg_status cut_out(struct vgg_image_pixels *cut, void **memory, const struct vgg_image_pixels *pixels,
                               const struct vgg_vary_window *window)
{
    size_t size = CHANNELS * (pixels->values ? sizeof *pixels->values : sizeof *pixels->rgb);
    const char *from = pixels->values ? (const char *)pixels->values : (const char *)pixels->rgb;
    size_t line = (size_t)pixels->width * size, kept = (size_t)window->width * size;
    char *to = malloc((size_t)window->height * kept);
    *memory = to;
    if (!to) return VGG_ERR_MEMORY;
    from += (size_t)window->top * line + (size_t)window->left * size;
    for (int y = 0; y < window->height; y++, from += line, to += kept)
        memcpy(to, from, kept);
    *cut = (struct vgg_image_pixels) { .height = window->height, .width = window->width, .name = pixels->name };
    if (pixels->values)
        cut->values = *memory;
    else
        cut->rgb = *memory;
    return VGG_OK;
}

/* ---- colours ---- */

void vgg_vary_draw(float factors[3], const struct vgg_augment_options *options, uint64_t seed, uint64_t pass,
                   uint64_t index)
{
    const float range[3] = { options->brightness, options->contrast, options->saturation };
    for (int i = 0; i < 3; i++)
        factors[i] = (float)(1.0 + (double)range[i] * (2.0 * uniform(seed, pass, index, i) - 1.0));
}

static float grey_of(const float *rgb)
{
    return 0.2989f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
}

static float blend(float value, float other, float factor)
{
    float mixed = factor * value + (1.0f - factor) * other;
    return mixed < 0.0f ? 0.0f : mixed > 255.0f ? 255.0f : mixed;
}

void vgg_vary_colours(float *x, size_t pixels, const float factors[3])
{
    size_t count = pixels * CHANNELS;
    double sum = 0.0;
    for (size_t i = 0; i < count && factors[0] != 1.0f; i++)
        x[i] = blend(x[i], 0.0f, factors[0]);
    for (size_t i = 0; i < count && factors[1] != 1.0f; i += CHANNELS)
        sum += (double)grey_of(x + i);
    for (size_t i = 0; i < count && factors[1] != 1.0f; i++)
        x[i] = blend(x[i], (float)(sum / (double)pixels), factors[1]);
    for (size_t i = 0; i < count && factors[2] != 1.0f; i += CHANNELS) {
        float grey = grey_of(x + i);
        for (size_t k = 0; k < CHANNELS; k++)
            x[i + k] = blend(x[i + k], grey, factors[2]);
    }
}

/* ---- all of it ---- */

enum vgg_status vgg_vary_fit(float *x, const struct vgg_image_pixels *pixels, const struct vgg_image_options *images,
                             const struct vgg_augment_options *augment, uint64_t seed, uint64_t pass, uint64_t index,
                             char why[VGG_IMAGE_WHY])
{
    if (!vgg_augment_any(augment)) return vgg_image_fit(x, pixels, images, NULL, why);
    enum vgg_status status = VGG_OK;
    struct vgg_image_options plain = *images;
    struct vgg_image_pixels cut = *pixels;
    void *memory = NULL;
    double map[6];
    float factors[3];
    size_t count = (size_t)images->height * (size_t)images->width;
    plain.preprocess = VGG_PREPROCESS_NONE;
    if (augment->crop != 0.0f) {
        struct vgg_vary_window window;
        vgg_image_resolve(&plain);
        plain.crop = VGG_CROP_NONE;
        vgg_vary_window(&window, augment->crop, pixels->height, pixels->width, seed, pass, index);
        status = cut_out(&cut, &memory, pixels, &window);
    }
    if (status == VGG_OK) {
        struct vgg_augment_draw draw;
        vgg_augment_draw(&draw, augment, seed, pass, index);
        vgg_augment_map(map, &draw, images->height, images->width);
        vgg_vary_draw(factors, augment, seed, pass, index);
        status = vgg_image_fit(x, &cut, &plain, vgg_augment_moves(augment) ? map : NULL, why);
        if (status == VGG_OK) vgg_vary_colours(x, count, factors);
        if (status == VGG_OK) vgg_image_preprocess(x, count, images->preprocess);
    } else {
        status = vgg_image_why(why, status, "%s: out of memory for its crop", pixels->name);
    }
    free(memory);
    return status;
}
