/* vgg16_ranks.h: the public interface for one computation by the processes of several machines. */
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

#ifdef __cplusplus
}
#endif
#endif
