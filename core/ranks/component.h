/* component.h: what a library that knows MPI gives to this one, which does not: libvgg16-mpi-openmpi.so and
 * libvgg16-mpi-mpich.so, each built with its own MPI (mpi/mpi_component.c) and opened under a launcher. */
#ifndef CORE_RANKS_COMPONENT_H
#define CORE_RANKS_COMPONENT_H

#include <stddef.h>

enum { VGG_RANKS_COMPONENT = 2, VGG_RANKS_WHY = 256 };

/* Where a process stands: its number among all, and among those of the same machine. */
struct vgg_ranks_place {
    int rank, size;
    int local, locals;
    int any_thread; /* may other threads than the one that joined call, one at a time? */
};

/* Bytes for one rank and from one; -1: for or from none. */
struct vgg_ranks_transfer {
    int to, from;
    const void *sent;
    void *received;
    size_t send_size, receive_size; /* below 2 GiB each */
};

/* Functions return 0, or another number and say why. One transfer is under way at a time. */
struct vgg_ranks_component {
    int version;      /* VGG_RANKS_COMPONENT */
    const char *name; /* of the MPI */
    int (*join)(void **self, struct vgg_ranks_place *place, char why[VGG_RANKS_WHY]);
    int (*start)(void *self, const struct vgg_ranks_transfer *transfer, char why[VGG_RANKS_WHY]);
    int (*test)(void *self, int *done, char why[VGG_RANKS_WHY]);
    void (*leave)(void *self); /* together with all others */
    void (*abort)(void *self); /* ends the processes of all ranks */
};

/* The one function that a component exports, and its name. */
typedef const struct vgg_ranks_component *vgg_ranks_component_fn(void);
#define VGG_RANKS_COMPONENT_NAME "vgg16_mpi_component"

#endif
