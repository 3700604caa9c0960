#include "core/image/colour.h"

#include <math.h>

/* A way through Oklch: lightness in a straight line, chroma along a parabola through both ends and the middle, hue in
 * degrees along one as well. */
struct path {
    double lightness[2], chroma[3], hue[3];
};

static double parabola(const double at[3], double t)
{
    return at[0] * (1 - t) * (1 - 2 * t) + at[1] * 4 * t * (1 - t) + at[2] * t * (2 * t - 1);
}

static uint8_t to_byte(double linear)
{
    double value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * fmin(fmax(value, 0), 1));
}

/* Oklch to sRGB; what lies outside is clamped. */
static void from_oklch(uint8_t rgb[3], double lightness, double chroma, double hue)
{
    double a = chroma * cos(hue * M_PI / 180), b = chroma * sin(hue * M_PI / 180);
    double l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
    double m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
    double s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
    rgb[0] = to_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = to_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = to_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

static uint8_t trapezoid(double value, double centre)
{
    return (uint8_t)lround(255 * fmin(fmax(1.5 - 4 * fabs(value - centre), 0), 1));
}

void vgg_colour_map(uint8_t rgb[3], double value, enum vgg_colours colours)
{
    static const struct path viridis = { { 0.28, 0.92 }, { 0.12, 0.105, 0.18 }, { 315, 220, 108 } };
    static const struct path inferno = { { 0.15, 0.96 }, { 0.07, 0.2, 0.1 }, { 290, 372, 470 } };
    double t = value > 0 ? fmin(value, 1) : 0;
    if (colours == VGG_COLOURS_JET) {
        rgb[0] = trapezoid(t, 0.75), rgb[1] = trapezoid(t, 0.5), rgb[2] = trapezoid(t, 0.25);
    } else if (colours == VGG_COLOURS_GREY) {
        rgb[0] = rgb[1] = rgb[2] = (uint8_t)lround(255 * t);
    } else {
        const struct path *path = colours == VGG_COLOURS_INFERNO ? &inferno : &viridis;
        double lightness = path->lightness[0] + (path->lightness[1] - path->lightness[0]) * t;
        from_oklch(rgb, lightness, parabola(path->chroma, t), parabola(path->hue, t));
    }
}
