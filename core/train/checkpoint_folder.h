/* checkpoint_folder.h: the folder that a training keeps its checkpoints in: whose it is, and what lies there. */
#ifndef CORE_TRAIN_CHECKPOINT_FOLDER_H
#define CORE_TRAIN_CHECKPOINT_FOLDER_H

#include "core/weights/checkpoint.h"

/* A folder that one training holds. Zeroed: none. */
struct vgg_checkpoint_folder {
    const char *path; /* borrowed; NULL: not held */
    int lock;         /* of vgg_os_lock; -1: its file system has none */
    bool replace;     /* it holds another training's checkpoints, which go when the first of this one is there */
    char base[VGG_CHECKPOINT_NAME]; /* the file there with the layers that do not train; "": none yet, or all train */
};

/* Takes the folder, made if it is missing, until vgg_checkpoint_folder_release or the end of the process, whatever ends
 * it. VGG_ERR_ARGUMENT while another training has it, in this process or elsewhere, and when it holds checkpoints that
 * the training neither goes on from (`resume`) nor replaces (`overwrite`); VGG_ERR_IO when nothing can be written
 * there. The lock is on FOLDER/.lock, which stays. Where files cannot be locked, a warning says so. */
enum vgg_status vgg_checkpoint_folder_take(struct vgg_checkpoint_folder *folder, const char *path, bool resume,
                                           bool overwrite);
void vgg_checkpoint_folder_release(struct vgg_checkpoint_folder *folder); /* accepts one that is not held */

/* Sees to it that the folder has the model's layers below number `first`, which do not train: folder->base. */
enum vgg_status vgg_checkpoint_folder_base(struct vgg_checkpoint_folder *folder, const struct vgg_model *model,
                                           int first);
/* After `written` is safely there: removes what this training no longer needs, and never `written`. Of its own it keeps
 * the one before, too, and folder->base; what is ahead of it can only be damaged or another training's. */
void vgg_checkpoint_folder_tidy(struct vgg_checkpoint_folder *folder, const struct vgg_checkpoint_mark *written);

#endif
