/* part.h: features of a contiguous part of a data set in a file of their own, which says what all parts must agree in.
 */
#ifndef CORE_INFER_PART_H
#define CORE_INFER_PART_H

#include "core/engine/engine.h"
#include "core/infer/sink.h"

enum { VGG_PARTS_MOST = 1000000, VGG_PART_PAIRS = 4 };

/* What a part says of itself beside the record of its features: which it is, and what of. */
struct vgg_part_about {
    struct vgg_st_meta pair[VGG_PART_PAIRS]; /* that of VGG_ORIGIN_PART first; values point into what follows */
    char number[32], items[24], data[16], device[VGG_ENGINE_WORDS + 32];
};
/* Part `number` of `count`, from 1, of the features of `data`, the whole, by `engine`. */
enum vgg_status vgg_part_describe(struct vgg_part_about *about, int number, int count, const struct vgg_data *data,
                                  const struct vgg_engine *engine);

/* A part's file. Zeroed: none. */
struct vgg_part_file {
    const char *path; /* borrowed */
    struct vgg_st *st;
    struct vgg_origin origin;
    int number, count;
    uint64_t items;                                    /* of the whole */
    size_t rows;                                       /* of this part */
    int h, w, c;                                       /* of one */
    const struct vgg_st_tensor *x, *y, *index, *paths; /* y: NULL without labels */
};
/* Opens it and checks that it holds what it says. VGG_ERR_ARGUMENT: it is no part. */
enum vgg_status vgg_part_open(struct vgg_part_file *part, const char *path);
void vgg_part_close(struct vgg_part_file *part); /* accepts none */

/* Is what the part says of itself said by these pairs, too? Names of weights and where they lay may differ; a value
 * NULL is that of a key which is not there. If not, *key is the first with another value, and *value the part's, or
 * NULL. */
bool vgg_part_says(const struct vgg_part_file *part, const struct vgg_st_meta *pair, size_t count, const char **key,
                   const char **value);
/* Are two parts of the same data, by the same settings? If not, *key is what they differ in, as above, *value and
 * *otherwise what either says, or NULL. */
bool vgg_part_alike(const struct vgg_part_file *part, const struct vgg_part_file *other, const char **key,
                    const char **value, const char **otherwise);
/* One item of `index`. */
int64_t vgg_part_index(const struct vgg_st_tensor *index, size_t row);

#endif
