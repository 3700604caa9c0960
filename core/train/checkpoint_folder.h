/* checkpoint_folder.h: the folder that a training keeps its checkpoints in: whose it is, and what lies there. */
#ifndef CORE_TRAIN_CHECKPOINT_FOLDER_H
#define CORE_TRAIN_CHECKPOINT_FOLDER_H

#include "core/vgg16.h"

/* A folder that one training holds. Zeroed: none. */
struct vgg_checkpoint_folder {
    const char *path; /* borrowed; NULL: not held */
    int lock;         /* of vgg_os_lock; -1: its file system has none */
    bool replace;     /* it holds another training's checkpoints, which go when the first of this one is there */
};

/* Takes the folder, made if it is missing, until vgg_checkpoint_folder_release or the end of the process, whatever ends
 * it. VGG_ERR_ARGUMENT while another training has it, in this process or elsewhere, and when it holds checkpoints that
 * the training neither goes on from (`resume`) nor replaces (`overwrite`); VGG_ERR_IO when nothing can be written
 * there. The lock is on FOLDER/.lock, which stays. Where files cannot be locked, a warning says so. */
enum vgg_status vgg_checkpoint_folder_take(struct vgg_checkpoint_folder *folder, const char *path, bool resume,
                                           bool overwrite);
void vgg_checkpoint_folder_release(struct vgg_checkpoint_folder *folder); /* accepts one that is not held */

/* A checkpoint by how far it had come. */
struct vgg_checkpoint_mark {
    unsigned long epoch, step;
};
/* The checkpoints of a folder, the least advanced first; none when there is no folder. *out by malloc. */
enum vgg_status vgg_checkpoint_list(struct vgg_checkpoint_mark **out, size_t *count, const char *folder);
/* FOLDER/checkpoint-EPOCH-STEP.safetensors by malloc, NULL without memory. */
char *vgg_checkpoint_path(const char *folder, const struct vgg_checkpoint_mark *mark);
/* After `written` is safely there: removes what this training no longer needs, and never `written`. Of its own it keeps
 * the one before, too; what is ahead of it can only be damaged or another training's. */
void vgg_checkpoint_folder_tidy(struct vgg_checkpoint_folder *folder, const struct vgg_checkpoint_mark *written);

#endif
