/* vgg16_ranks.h: the public interface for one computation by several machines: by processes that talk to each other, or
 * in parts, by such as know nothing of each other. */
#ifndef VGG16_RANKS_H
#define VGG16_RANKS_H

#include "vgg16.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Was this process started as one of several, by mpirun or srun? Then its number, before it has joined them. */
VGG_API bool vgg_ranks_launched(int *rank);
/* Joins them, by the MPI that their launcher speaks: libvgg16-mpi-openmpi.so or libvgg16-mpi-mpich.so, which lie beside
 * this library or in vgg16/ there, or the one that the environment variable VGG16_MPI names ("openmpi", "mpich"). *out
 * is NULL where the process was started alone, or as the only one. VGG_ERR_MISSING where there are others, but no way
 * to them. Once a process. An engine made with `ranks` computes with all of them: vgg_engine_create, vgg_train,
 * vgg_evaluate and vgg_features_extract are then called by all, in the same order and with the same arguments but for
 * paths; they return the same on all, with the bits that one process would compute, and fail on all when they fail on
 * one, which all log, the others with its number and machine. Files are written by rank 0 alone, which alone needs the
 * folder of checkpoints. A message that does not come within VGG16_RANKS_TIMEOUT seconds (1800) is VGG_ERR_IO. */
VGG_API enum vgg_status vgg_ranks_join(struct vgg_ranks **out);
VGG_API int vgg_ranks_number(const struct vgg_ranks *ranks); /* of this process; NULL: 0 */
VGG_API int vgg_ranks_count(const struct vgg_ranks *ranks);  /* NULL: 1 */
/* Can others not be reached any more? */
VGG_API bool vgg_ranks_broken(const struct vgg_ranks *ranks);
/* Leaves them, together with all others, and frees `ranks`, which may be NULL. status, and why (NULL: what this thread
 * logged last): what came of this rank's work, which the others learn if they wait for it. Returns what came of all.
 * Where others cannot be reached any more this ends the processes of all. */
VGG_API enum vgg_status vgg_ranks_leave(struct vgg_ranks *ranks, enum vgg_status status, const char *why);

/* One part of a data set's features, for jobs that each compute some of them and know nothing of each other. */
struct vgg_part {
    int number, count; /* part number 1 .. count: a contiguous range of the data, which is as the ranks' shares are */
    bool resume;       /* where the file is there and holds that part of the same features, leave it as it is */
    /* Filled in: what the file holds, perhaps none, where there are more parts than images or all were skipped; and
     * whether it was there. */
    uint64_t images;
    bool found;
};
/* vgg_features_extract of one part, into a .safetensors file for vgg_features_merge. It also holds which part it is and
 * what all must agree in: number and checksum of the data's items, the record, the device. With `resume`, a file that
 * holds anything else is VGG_ERR_ARGUMENT. */
VGG_API enum vgg_status vgg_features_extract_part(struct vgg_features *features, const char *output,
                                                  const struct vgg_data *data, const struct vgg_image_options *images,
                                                  struct vgg_part *part, vgg_progress_fn *progress, void *user);
/* What vgg_features_merge has written. */
struct vgg_merged {
    uint64_t images;
    int height, width, channels; /* of the features of one */
    char layer[32];
};
/* Makes of all parts, in any order, the files that vgg_features_extract would have written, byte for byte, in any of
 * its kinds; the names of the weights are those of part 1. Parts that are missing (VGG_ERR_MISSING), there twice, or of
 * other data, weights, settings, devices or versions (VGG_ERR_ARGUMENT) are refused. `merged` may be NULL. */
VGG_API enum vgg_status vgg_features_merge(const char *output, const char *const *parts, size_t count,
                                           struct vgg_merged *merged, vgg_progress_fn *progress, void *user);

#ifdef __cplusplus
}
#endif
#endif
