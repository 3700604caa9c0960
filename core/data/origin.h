/* origin.h: the record of how features were made (struct vgg_origin), as the texts that their files keep. */
#ifndef CORE_DATA_ORIGIN_H
#define CORE_DATA_ORIGIN_H

#include "core/format/safetensors.h"

enum { VGG_ORIGIN_PAIRS = 16 };
#define VGG_ORIGIN_PART "part" /* "3/8": the metadata of a file that holds a part of the features of a data set */

/* A record as keys and values: "format", then the members of struct vgg_origin by their names. */
struct vgg_origin_text {
    struct vgg_st_meta pair[VGG_ORIGIN_PAIRS]; /* values point into the origin and into `number` */
    char number[2][16];
};
void vgg_origin_write(struct vgg_origin_text *text, const struct vgg_origin *origin);

/* Reads the record in the metadata of `st`, which the result points into. *found: is there one? A record that lacks a
 * key, or has a value that cannot be: VGG_ERR_FORMAT with file, key and value. */
enum vgg_status vgg_origin_read(struct vgg_origin *origin, bool *found, const struct vgg_st *st, const char *path);

/* The first fact in which two records of features contradict each other; NULL: none. What says only where the weights
 * and the pixels came from may differ. have, want: the two values, as a message shows them. */
struct vgg_origin_value {
    char text[64];
};
const char *vgg_origin_differ(struct vgg_origin_value *have, struct vgg_origin_value *want, const struct vgg_origin *a,
                              const struct vgg_origin *b);

#endif
