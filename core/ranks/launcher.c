#include "core/ranks/launcher.h"

#include <stdbool.h>
#include <stdlib.h>

/* Sources: Open MPI's mpirun(1), section ENVIRONMENT VARIABLES; the PMI of MPICH's mpiexec (Hydra), which Intel MPI and
 * srun --mpi=pmi2 share; PMIx Standard 4.1, 3.4; srun(1), OUTPUT ENVIRONMENT VARIABLES. */
static const struct {
    const char *rank, *size;
    const char *mpi[VGG_LAUNCHER_MPIS];
} known[] = {
    { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", { "openmpi" } },
    { "PMI_RANK", "PMI_SIZE", { "mpich", "openmpi" } },
    { "PMIX_RANK", "SLURM_STEP_NUM_TASKS", { "openmpi", "mpich" } },
    { "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", { NULL } },
};

static bool number(int *value, const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || n < 0 || n > 1 << 24) return false;
    *value = (int)n;
    return true;
}

void vgg_launcher_read(struct vgg_launcher *launcher)
{
    const char *mpi = getenv("VGG16_MPI");
    *launcher = (struct vgg_launcher) { 0 };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!number(&launcher->rank, known[i].rank)) continue;
        bool sized = number(&launcher->size, known[i].size);
        /* A batch script of Slurm's is a process number 0, too, of no step. */
        if (!known[i].mpi[0] && !sized) continue;
        launcher->variable = known[i].rank;
        for (int k = 0; k < VGG_LAUNCHER_MPIS; k++)
            launcher->mpi[k] = known[i].mpi[k];
        if (mpi && *mpi && known[i].mpi[0]) launcher->mpi[0] = mpi, launcher->mpi[1] = NULL;
        return;
    }
}
