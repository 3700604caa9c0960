/* Finding the component that speaks with this process's launcher. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/library.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/ranks/launcher.h"
#include "core/ranks/ranks.h"

enum { PATH_SIZE = 4096 };

static const char anchor[] = "libvgg16-mpi"; /* in this library's own file, or the program's */

static bool open_file(vgg_ranks_component_fn **function, const char *path)
{
    const struct vgg_library_entry entry = { VGG_RANKS_COMPONENT_NAME, function };
    return vgg_library_open(path, &entry, 1);
}

/* Beside `module` (or NULL, by malloc), and where it is installed to: in vgg16/ beside the library, or below the folder
 * of libraries beside the program's. */
static bool open_near(vgg_ranks_component_fn **function, char *module, const char *name)
{
    static const char *const folders[] = { "", "vgg16/", "../lib/vgg16/", "../" VGG16_LIBDIR "/vgg16/" };
    char path[PATH_SIZE];
    bool opened = false;
    char *slash = module ? strrchr(module, '/') : NULL;
    if (slash) slash[1] = '\0';
    for (size_t i = 0; slash && !opened && i < sizeof folders / sizeof *folders; i++) {
        int n = snprintf(path, sizeof path, "%s%s%s", module, folders[i], name);
        opened = n > 0 && (size_t)n < sizeof path && vgg_os_readable(path) && open_file(function, path);
    }
    free(module);
    return opened;
}

/* NULL: there is none for this MPI. */
static const struct vgg_ranks_component *find(const char *mpi)
{
    char name[64];
    vgg_ranks_component_fn *function = NULL;
    snprintf(name, sizeof name, "%s-%s.so", anchor, mpi);
    if (!open_near(&function, vgg_os_module(anchor), name) && !open_near(&function, vgg_os_program(), name) &&
        !open_file(&function, name)) {
        return NULL;
    }
    const struct vgg_ranks_component *component = function();
    if (component->version == VGG_RANKS_COMPONENT) return component;
    vgg_log(VGG_LOG_WARNING, "%s: is of another version of this library; passed over", name);
    return NULL;
}

static enum vgg_status fail_missing(const struct vgg_launcher *launcher)
{
    char size[32] = "several";
    if (launcher->size) snprintf(size, sizeof size, "%d", launcher->size);
    if (!launcher->mpi[0]) {
        return vgg_fail(
            VGG_ERR_MISSING,
            "%s processes were started (%s), which know nothing of each other; start them by srun --mpi=pmix "
            "(or pmi2), or by mpirun",
            size, launcher->variable);
    }
    return vgg_fail(
        VGG_ERR_MISSING,
        "%s processes were started (%s), but there is no libvgg16-mpi-%s.so beside this program, or its MPI is "
        "not installed; build it where MPI is (README.md), or start one process",
        size, launcher->variable, launcher->mpi[0]);
}

bool vgg_ranks_launched(int *rank)
{
    struct vgg_launcher launcher;
    vgg_launcher_read(&launcher);
    *rank = launcher.variable ? launcher.rank : 0;
    return launcher.variable && launcher.size != 1;
}

enum vgg_status vgg_ranks_join(struct vgg_ranks **out)
{
    struct vgg_launcher launcher;
    struct vgg_ranks_place place = { 0 };
    const struct vgg_ranks_component *component = NULL;
    char why[VGG_RANKS_WHY] = "";
    void *self;
    *out = NULL;
    vgg_launcher_read(&launcher);
    if (!launcher.variable || launcher.size == 1) return VGG_OK;
    for (int i = 0; launcher.mpi[i] && !component; i++)
        component = find(launcher.mpi[i]);
    if (!component) return fail_missing(&launcher);
    if (component->join(&self, &place, why)) return vgg_fail(VGG_ERR_IO, "%s: %s", component->name, why);
    if (launcher.size > 1 && place.size != launcher.size) {
        component->leave(self);
        return vgg_fail(
            VGG_ERR_MISSING,
            "%s finds %d of the %d processes that were started (%s); set VGG16_MPI to the MPI of the launcher, "
            "openmpi or mpich",
            component->name, place.size, launcher.size, launcher.variable);
    }
    vgg_log(VGG_LOG_INFO, "%d ranks by %s", place.size, component->name);
    if (place.size == 1) {
        component->leave(self);
        return VGG_OK;
    }
    return vgg_ranks_create(out, component, self, &place);
}
