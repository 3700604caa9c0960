/* The component between core/ranks and an MPI: built once for each, as a library of its own. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/ranks/component.h"

#define STRING(x) #x
#define VERSION(x) STRING(x)

#if defined(OPEN_MPI)
#define MPI_NAME \
    "Open MPI " VERSION(OMPI_MAJOR_VERSION) "." VERSION(OMPI_MINOR_VERSION) "." VERSION(OMPI_RELEASE_VERSION)
#elif defined(MPICH_VERSION)
#define MPI_NAME "MPICH " MPICH_VERSION
#else
#define MPI_NAME "MPI"
#endif

enum { TAG = 16 };

static MPI_Request requests[2];
static int under_way;

static int failed(int error, const char *what, char why[VGG_RANKS_WHY])
{
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(error, text, &length) != MPI_SUCCESS) length = 0;
    snprintf(why, VGG_RANKS_WHY, "%s: %.*s", what, length, text);
    return 1;
}

/* How long a host that cannot be reached is waited for is said in core/ranks; the UCX under MPICH would end a process
 * after some seconds. */
static int join(void **self, struct vgg_ranks_place *place, char why[VGG_RANKS_WHY])
{
    setenv("UCX_TCP_KEEPIDLE", "inf", 0);
    int level, error = MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level);
    MPI_Comm machine;
    *self = NULL;
    if (error != MPI_SUCCESS) return failed(error, "MPI_Init_thread", why);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &place->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &place->size);
    place->any_thread = level >= MPI_THREAD_SERIALIZED;
    error = MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, place->rank, MPI_INFO_NULL, &machine);
    if (error != MPI_SUCCESS) return failed(error, "MPI_Comm_split_type", why);
    MPI_Comm_rank(machine, &place->local);
    MPI_Comm_size(machine, &place->locals);
    MPI_Comm_free(&machine);
    return 0;
}

/* Receives are posted first, so that what comes needs no room of MPI's own. */
static int start(void *self, const struct vgg_ranks_transfer *t, char why[VGG_RANKS_WHY])
{
    int error = MPI_SUCCESS;
    (void)self;
    under_way = 0;
    if (t->from >= 0)
        error = MPI_Irecv(t->received, (int)t->receive_size, MPI_BYTE, t->from, TAG, MPI_COMM_WORLD,
                          &requests[under_way++]);
    if (error == MPI_SUCCESS && t->to >= 0)
        error = MPI_Isend(t->sent, (int)t->send_size, MPI_BYTE, t->to, TAG, MPI_COMM_WORLD, &requests[under_way++]);
    return error == MPI_SUCCESS ? 0 : failed(error, "MPI_Isend, MPI_Irecv", why);
}

static int test(void *self, int *done, char why[VGG_RANKS_WHY])
{
    MPI_Status status[2];
    (void)self;
    int error = MPI_Testall(under_way, requests, done, status);
    return error == MPI_SUCCESS ? 0 : failed(error, "MPI_Testall", why);
}

static void leave(void *self)
{
    (void)self;
    MPI_Finalize();
}

static void end_all(void *self)
{
    (void)self;
    MPI_Abort(MPI_COMM_WORLD, 1);
}

__attribute__((visibility("default"))) vgg_ranks_component_fn vgg16_mpi_component;

const struct vgg_ranks_component *vgg16_mpi_component(void)
{
    static const struct vgg_ranks_component component = {
        VGG_RANKS_COMPONENT, MPI_NAME, join, start, test, leave, end_all,
    };
    return &component;
}
