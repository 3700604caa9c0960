/* tensorboard.h: event files that TensorBoard shows, as Keras' callback of that name writes them.
 *
 * FOLDER/train holds epoch_loss, epoch_accuracy, epoch_learning_rate and, for each step, batch_loss;
 * FOLDER/validation holds epoch_loss and epoch_accuracy. Epochs and steps count from 0, as Keras does. A run that is
 * resumed adds a file to each folder; TensorBoard reads them one after the other.
 *
 * A file is a sequence of records: uint64 length, masked CRC-32C of those 8 bytes, the record, its masked CRC-32C, all
 * little-endian; masked = rotate_right(crc, 15) + 0xa282ead8. A record is a protobuf message Event {double wall_time =
 * 1; int64 step = 2; string file_version = 3; Summary summary = 5}, Summary {repeated Value value = 1}, Value {string
 * tag = 1; float simple_value = 2}; the first one's file_version is "brain.Event:2".
 * Source: TensorFlow, tsl/lib/io/record_writer.h, core/util/event.proto, core/framework/summary.proto; protobuf's
 * encoding guide; CRC-32C: RFC 3720, appendix B.4. */
#ifndef CORE_FORMAT_TENSORBOARD_H
#define CORE_FORMAT_TENSORBOARD_H

#include "core/vgg16.h"

struct vgg_tensorboard;

/* Makes the folders and opens a new file in each; without `validation` only in train. */
enum vgg_status vgg_tensorboard_create(struct vgg_tensorboard **out, const char *folder, bool validation);
void vgg_tensorboard_destroy(struct vgg_tensorboard *board); /* accepts NULL */
/* The mean loss of step number `step` (from 0, over all epochs). */
enum vgg_status vgg_tensorboard_step(struct vgg_tensorboard *board, uint64_t step, double loss);
/* An epoch's scalars; all that was written so far can then be read. */
enum vgg_status vgg_tensorboard_epoch(struct vgg_tensorboard *board, const struct vgg_epoch *epoch);

/* CRC-32C (Castagnoli) of `size` bytes. */
uint32_t vgg_tensorboard_crc(const void *data, size_t size);

#endif
