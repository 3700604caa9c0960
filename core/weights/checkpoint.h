/* checkpoint.h: the files in which a training keeps its checkpoints, and one of them as a weight file. */
#ifndef CORE_WEIGHTS_CHECKPOINT_H
#define CORE_WEIGHTS_CHECKPOINT_H

#include "core/weights/weights.h"

/* Tensors of a checkpoint: the trained range of the parameters as it lies in memory, that of the best epoch where it is
 * another one, the optimiser's moments. */
#define VGG_CHECKPOINT_PARAMS "params"
#define VGG_CHECKPOINT_BEST "best"
#define VGG_CHECKPOINT_MOMENTS "moments"
/* Its metadata, beside that of the model: how the training stands, and where the rest of the model is. */
#define VGG_CHECKPOINT_SETTINGS "settings"
#define VGG_CHECKPOINT_STATE "state"
#define VGG_CHECKPOINT_HISTORY "history"
#define VGG_CHECKPOINT_SCALE "scale" /* of the loss, where it was scaled */
#define VGG_CHECKPOINT_FIRST "first" /* the layer that the range begins with */
#define VGG_CHECKPOINT_BASE "base"   /* the file beside it with the layers below, where there are any */

/* A checkpoint by how far it had come. */
struct vgg_checkpoint_mark {
    unsigned long epoch, step;
};
/* Of two marks, as qsort wants it. */
int vgg_checkpoint_compare(const void *a, const void *b);
/* The checkpoints of a folder, the least advanced first; none when there is no folder. *out by malloc. */
enum vgg_status vgg_checkpoint_list(struct vgg_checkpoint_mark **out, size_t *count, const char *folder);
/* What the name of a checkpoint's file says; false for all other names. */
bool vgg_checkpoint_mark_read(struct vgg_checkpoint_mark *mark, const char *name);
/* FOLDER/checkpoint-EPOCH-STEP.safetensors by malloc, NULL without memory. */
char *vgg_checkpoint_path(const char *folder, const struct vgg_checkpoint_mark *mark);

/* base-DIGEST.safetensors: the layers that do not train, of this SHA-256 in hex digits, the first 16 of which count. */
enum { VGG_CHECKPOINT_NAME = 80 };
void vgg_checkpoint_base_name(char name[VGG_CHECKPOINT_NAME], const char *digest);
bool vgg_checkpoint_is_base(const char *name); /* is it a name of that kind? */

/* Is the open safetensors file of these weights a checkpoint? */
bool vgg_weights_is_checkpoint(const struct vgg_weights *weights);
/* Makes it a file of all layers, with the model's metadata: the trained ones from the checkpoint, those of the best
 * epoch where it keeps them, the others from the file beside it. */
enum vgg_status vgg_weights_checkpoint_open(struct vgg_weights *weights);

#endif
