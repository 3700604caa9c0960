/* launcher.h: what a launcher of ranks has put into the environment. */
#ifndef CORE_RANKS_LAUNCHER_H
#define CORE_RANKS_LAUNCHER_H

enum { VGG_LAUNCHER_MPIS = 3 };

struct vgg_launcher {
    const char *variable; /* that showed it; NULL: this process was started alone */
    int rank, size;       /* size 0: it does not say */
    /* Which MPIs speak with it, those to try first before others: "openmpi", "mpich"; ended by NULL. None: it starts
     * processes that know nothing of each other. */
    const char *mpi[VGG_LAUNCHER_MPIS];
};

/* Reads the environment. VGG16_MPI, where set, is the one MPI to try. */
void vgg_launcher_read(struct vgg_launcher *launcher);

#endif
