/* names.h: the words for the values of enums, the way back; vgg_name in vgg16.h is the way there. */
#ifndef CORE_BASE_NAMES_H
#define CORE_BASE_NAMES_H

#include "core/vgg16.h"

/* The value that a word of a file stands for. False for NULL, for unknown words and for "default", which no file holds.
 */
bool vgg_names_find(int *value, enum vgg_names names, const char *word);
/* "caffe, torch, rescale, none": all words that vgg_names_find knows. */
struct vgg_names_list {
    char text[64];
};
struct vgg_names_list vgg_names_list(enum vgg_names names);

#endif
