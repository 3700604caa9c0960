/* history.h: files that hold the epochs of a training. */
#ifndef CORE_TRAIN_HISTORY_H
#define CORE_TRAIN_HISTORY_H

#include "core/vgg16.h"

/* Writes all epochs anew, aside and renamed. A name that ends in .jsonl: JSON lines, one object an epoch with the
 * members of struct vgg_epoch by their names, null for NAN. Any other: as Keras' CSVLogger does, epoch (from 0), then
 * the sorted columns; val_* only with `validation`. */
enum vgg_status vgg_history_write(const char *path, const struct vgg_epoch *epochs, int count, bool validation);

#endif
