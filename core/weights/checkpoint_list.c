/* The names of checkpoints in their folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/weights/checkpoint.h"

enum { DIGITS = 16 };
#define BASE_FORMAT "base-%.16s.safetensors"

static void print_name(char name[VGG_CHECKPOINT_NAME], const struct vgg_checkpoint_mark *mark)
{
    snprintf(name, VGG_CHECKPOINT_NAME, "checkpoint-%06lu-%08lu.safetensors", mark->epoch, mark->step);
}

bool vgg_checkpoint_mark_read(struct vgg_checkpoint_mark *mark, const char *name)
{
    char same[VGG_CHECKPOINT_NAME];
    if (sscanf(name, "checkpoint-%lu-%lu", &mark->epoch, &mark->step) != 2) return false;
    print_name(same, mark);
    return strcmp(name, same) == 0;
}

int vgg_checkpoint_compare(const void *a, const void *b)
{
    const struct vgg_checkpoint_mark *x = a, *y = b;
    if (x->epoch != y->epoch) return x->epoch < y->epoch ? -1 : 1;
    return (x->step > y->step) - (x->step < y->step);
}

enum vgg_status vgg_checkpoint_list(struct vgg_checkpoint_mark **out, size_t *count, const char *folder)
{
    struct vgg_checkpoint_mark *marks = NULL, mark;
    size_t n = 0, room = 0;
    enum vgg_status status = VGG_OK;
    *out = NULL, *count = 0;
    errno = 0;
    struct vgg_os_folder *directory = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    while (directory && status == VGG_OK) {
        if (!vgg_os_folder_next(directory, &entry)) break;
        if (!vgg_checkpoint_mark_read(&mark, entry.name)) continue;
        if (n == room) {
            room = room ? 2 * room : 8;
            void *grown = realloc(marks, room * sizeof *marks);
            if (!grown) status = vgg_fail_memory(folder, room * sizeof *marks);
            if (grown) marks = grown;
        }
        if (status == VGG_OK) marks[n++] = mark;
    }
    if (status == VGG_OK && errno && errno != ENOENT)
        status = vgg_fail(VGG_ERR_IO, "%s: the checkpoint folder cannot be read: %s", folder, strerror(errno));
    vgg_os_folder_close(directory);
    if (status != VGG_OK) {
        free(marks);
        return status;
    }
    if (n) qsort(marks, n, sizeof *marks, vgg_checkpoint_compare);
    *out = marks, *count = n;
    return VGG_OK;
}

char *vgg_checkpoint_path(const char *folder, const struct vgg_checkpoint_mark *mark)
{
    char name[VGG_CHECKPOINT_NAME];
    print_name(name, mark);
    return vgg_file_join(folder, name);
}

void vgg_checkpoint_base_name(char name[VGG_CHECKPOINT_NAME], const char *digest)
{
    snprintf(name, VGG_CHECKPOINT_NAME, BASE_FORMAT, digest);
}

bool vgg_checkpoint_is_base(const char *name)
{
    char same[VGG_CHECKPOINT_NAME];
    if (strncmp(name, "base-", 5) != 0 || strspn(name + 5, "0123456789abcdef") != DIGITS) return false;
    vgg_checkpoint_base_name(same, name + 5);
    return strcmp(name, same) == 0;
}
