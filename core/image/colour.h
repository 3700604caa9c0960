/* colour.h: numbers to colours. */
#ifndef CORE_IMAGE_COLOUR_H
#define CORE_IMAGE_COLOUR_H

#include "core/vgg16.h"

/* The colour of `value` (clamped to 0..1; NAN is 0) as sRGB bytes.
 *   VIRIDIS, INFERNO  a way through Oklch whose lightness grows steadily, so that order survives colour blindness and
 *                     grey printing; ends after the maps of those names. Source of the colour space: B. Ottosson, "A
 *                     perceptual color space for image processing", 2020; of the maps: S. van der Walt and N. Smith,
 *                     matplotlib, 2015
 *   JET               trapezoids of red, green and blue, shifted by a quarter. Source: MATLAB's colour map of that name
 *   GREY              black to white */
void vgg_colour_map(uint8_t rgb[3], double value, enum vgg_colours colours);

/* A float of 0..255 as a byte: rounded, halves up; clamped; NAN is 0. */
static inline uint8_t vgg_colour_byte(float value)
{
    return (uint8_t)(value > 0.0f ? (value < 255.0f ? value + 0.5f : 255.0f) : 0.0f);
}

#endif
