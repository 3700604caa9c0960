#include "core/image/augment.h"

#include <math.h>

#include "core/base/rng.h"

enum { NUMBERS = 8, CHANNELS = 3 };

bool vgg_augment_moves(const struct vgg_augment_options *o)
{
    bool turned = o->rotate != 0 || o->shift_height != 0 || o->shift_width != 0 || o->shear != 0 || o->zoom != 0;
    return turned || o->flip || o->vflip;
}

bool vgg_augment_any(const struct vgg_augment_options *o)
{
    return o && (vgg_augment_moves(o) || o->crop != 0 || o->brightness != 0 || o->contrast != 0 || o->saturation != 0);
}

void vgg_augment_draw(struct vgg_augment_draw *draw, const struct vgg_augment_options *options, uint64_t seed,
                      uint64_t pass, uint64_t index)
{
    double u[NUMBERS]; /* uniform in [-1, 1) */
    for (uint64_t i = 0; i < NUMBERS; i++)
        u[i] = 2.0 * (double)vgg_rng_uniform(seed, VGG_RNG_AUGMENT, pass, index * NUMBERS + i) - 1.0;
    draw->rotate = u[0] * (double)options->rotate;
    draw->shift_height = u[1] * (double)options->shift_height;
    draw->shift_width = u[2] * (double)options->shift_width;
    draw->shear = u[3] * (double)options->shear;
    draw->zoom_height = 1.0 + u[4] * (double)options->zoom;
    draw->zoom_width = 1.0 + u[5] * (double)options->zoom;
    draw->flip = options->flip && u[6] < 0.0;
    draw->vflip = options->vflip && u[7] < 0.0;
}

void vgg_augment_map(double map[6], const struct vgg_augment_draw *draw, int height, int width)
{
    double angle = draw->rotate * M_PI / 180.0, shear = draw->shear * M_PI / 180.0;
    double c = cos(angle), s = sin(angle);
    double ty = draw->shift_height * height, tx = draw->shift_width * width;
    double centre_row = height / 2.0 - 0.5, centre_column = width / 2.0 - 0.5;
    /* rotation (c -s; s c) times shear (1 -sin; 0 cos) times zoom; the shift stands between rotation and shear. */
    map[0] = c * draw->zoom_height;
    map[1] = (-c * sin(shear) - s * cos(shear)) * draw->zoom_width;
    map[3] = s * draw->zoom_height;
    map[4] = (-s * sin(shear) + c * cos(shear)) * draw->zoom_width;
    map[2] = c * ty - s * tx + centre_row - map[0] * centre_row - map[1] * centre_column;
    map[5] = s * ty + c * tx + centre_column - map[3] * centre_row - map[4] * centre_column;
    if (draw->flip) { /* column -> width - 1 - column before the map */
        map[2] += map[1] * (width - 1), map[1] = -map[1];
        map[5] += map[4] * (width - 1), map[4] = -map[4];
    }
    if (draw->vflip) {
        map[2] += map[0] * (height - 1), map[0] = -map[0];
        map[5] += map[3] * (height - 1), map[3] = -map[3];
    }
}

static double clamp(double value, double highest)
{
    return value < 0.0 ? 0.0 : value > highest ? highest : value;
}

void vgg_augment_apply(float *dst, const float *src, int height, int width, const double map[6])
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, dst += CHANNELS) {
            double row = clamp(map[0] * y + map[1] * x + map[2], height - 1);
            double column = clamp(map[3] * y + map[4] * x + map[5], width - 1);
            int r = (int)row, q = (int)column;
            float fr = (float)(row - r), fq = (float)(column - q);
            size_t below = r + 1 < height ? (size_t)width * CHANNELS : 0, right = q + 1 < width ? CHANNELS : 0;
            const float *p = src + ((size_t)r * (size_t)width + (size_t)q) * CHANNELS;
            for (int i = 0; i < CHANNELS; i++, p++) {
                float top = p[0] + fq * (p[right] - p[0]);
                float bottom = p[below] + fq * (p[below + right] - p[below]);
                dst[i] = top + fr * (bottom - top);
            }
        }
    }
}
