/* Whole files in memory, and which file an address is of. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"

enum { SLOTS = 64 };

/* What is mapped now, as far as there is room: a handler of signals reads it, so that there is no lock. A slot belongs
 * to whom sets `taken`; `begin` is set last and cleared first. */
static struct slot {
    atomic_flag taken;
    _Atomic uintptr_t begin; /* 0: nothing */
    size_t size;
    char *path;
} slots[SLOTS];

static void note(const void *data, size_t size, const char *path)
{
    char *copy = vgg_mem_strdup(path);
    for (int i = 0; copy && i < SLOTS; i++) {
        if (atomic_flag_test_and_set(&slots[i].taken)) continue;
        slots[i].size = size;
        slots[i].path = copy;
        atomic_store(&slots[i].begin, (uintptr_t)data);
        return;
    }
    free(copy);
}

static void forget(const void *data)
{
    for (int i = 0; i < SLOTS; i++) {
        if (atomic_load(&slots[i].begin) != (uintptr_t)data) continue;
        atomic_store(&slots[i].begin, 0);
        free(slots[i].path);
        atomic_flag_clear(&slots[i].taken);
        return;
    }
}

const char *vgg_mapped_file(const void *address)
{
    for (int i = 0; i < SLOTS; i++) {
        uintptr_t begin = atomic_load(&slots[i].begin);
        if (begin && (uintptr_t)address >= begin && (uintptr_t)address - begin < slots[i].size) return slots[i].path;
    }
    return NULL;
}

enum vgg_status vgg_file_map(const void **data, size_t *size, const char *path)
{
    *data = NULL, *size = 0;
    int file = vgg_os_open(path);
    if (file < 0) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct vgg_os_info info;
    enum vgg_status status = VGG_OK;
    if (!vgg_os_look_open(&info, file)) {
        status = vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    } else if (info.kind != VGG_OS_FILE) {
        status = vgg_fail(VGG_ERR_IO, "%s: is not a regular file", path);
    } else if (info.size == 0) {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: is empty", path);
    } else {
        *data = vgg_os_map(file, (size_t)info.size);
        if (*data) *size = (size_t)info.size, note(*data, *size, path);
        if (!*data) status = vgg_fail(VGG_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
    }
    vgg_os_close(file);
    return status;
}

void vgg_file_unmap(const void *data, size_t size)
{
    if (!data) return;
    forget(data);
    vgg_os_unmap(data, size);
}
