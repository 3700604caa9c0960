#include "core/data/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/escape.h"
#include "core/data/left_out.h"

/* A growing list of strings, owned. */
struct names {
    char **at;
    size_t count, room;
};

static void names_finish(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->at[i]);
    free(names->at);
    *names = (struct names) { 0 };
}

/* Takes `name` over; it may be NULL, for memory that ran out. */
static enum vgg_status names_add(struct names *names, char *name, const char *what)
{
    if (names->count == names->room) {
        size_t room = names->room ? names->room * 2 : 64;
        char **at = realloc(names->at, vgg_mem_mul(room, sizeof *at));
        if (at) names->at = at, names->room = room;
    }
    if (!name || names->count == names->room) {
        free(name);
        return vgg_fail_memory(what, names->room * sizeof *names->at);
    }
    names->at[names->count++] = name;
    return VGG_OK;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* From number `first` on. */
static void names_sort(struct names *names, size_t first, int (*order)(const void *, const void *))
{
    if (names->count > first) qsort(names->at + first, names->count - first, sizeof *names->at, order);
}

/* Adds what lies in a folder, as paths: folders, and files with an image's extension; the rest is counted. Hidden names
 * are left out; links count as what they lead to. */
static enum vgg_status list_folder(struct names *folders, struct names *images, struct vgg_left_out *left,
                                   const char *folder)
{
    enum vgg_status status = VGG_OK;
    struct vgg_os_folder *dir = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    if (!dir) return vgg_fail(VGG_ERR_IO, "%s: folder cannot be read: %s", folder, strerror(errno));
    for (;;) {
        if (!vgg_os_folder_next(dir, &entry)) {
            if (errno) status = vgg_fail(VGG_ERR_IO, "%s: folder cannot be read: %s", folder, strerror(errno));
            break;
        }
        if (entry.name[0] == '.') continue;
        bool is_folder = entry.kind == VGG_OS_FOLDER, is_file = entry.kind == VGG_OS_FILE;
        char *path = vgg_file_join(folder, entry.name);
        struct vgg_os_info info;
        if (path && !is_folder && !is_file && vgg_os_look(&info, path)) is_folder = info.kind == VGG_OS_FOLDER;
        /* A dangling link that is named like an image is kept, so that it is reported when it is used. */
        if (path && !is_folder && !vgg_image_is_name(entry.name)) {
            vgg_left_out_file(left, entry.name);
            free(path);
        } else {
            CHECK(names_add(is_folder ? folders : images, path, folder));
        }
    }
fail:
    vgg_os_folder_close(dir);
    return status;
}

/* ---- classes ---- */

/* The folders that have been entered, so that links neither lead in circles nor show a picture twice. */
struct entered {
    struct place {
        uint64_t volume, number;
    } * at;
    size_t count, room;
    char *first; /* by malloc: the first link that led to one of them again, of `links` */
    size_t links;
};

static void entered_finish(struct entered *entered)
{
    free(entered->at);
    free(entered->first);
}

/* *again: has the folder been entered before? One that cannot be looked at is left for opening to report. */
static enum vgg_status enter(bool *again, struct entered *entered, const char *folder)
{
    struct vgg_os_info info;
    *again = false;
    if (!vgg_os_look(&info, folder)) return VGG_OK;
    for (size_t i = 0; i < entered->count && !*again; i++)
        *again = entered->at[i].number == info.number && entered->at[i].volume == info.volume;
    if (*again) return VGG_OK;
    if (entered->count == entered->room) {
        size_t room = entered->room ? entered->room * 2 : 16;
        struct place *at = realloc(entered->at, vgg_mem_mul(room, sizeof *at));
        if (!at) return vgg_fail_memory(folder, room * sizeof *at);
        entered->at = at, entered->room = room;
    }
    entered->at[entered->count++] = (struct place) { info.volume, info.number };
    return VGG_OK;
}

/* By folder, then by name, in byte order: that of Keras and torchvision, who sort the folders of a walk. */
static int by_folder(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    const char *x_name = strrchr(x, '/'), *y_name = strrchr(y, '/');
    size_t x_size = (size_t)(x_name - x), y_size = (size_t)(y_name - y);
    int order = memcmp(x, y, x_size < y_size ? x_size : y_size);
    if (order == 0) order = x_size < y_size ? -1 : x_size > y_size;
    return order ? order : strcmp(x_name, y_name);
}

/* Adds the images of a folder, entered already, and of all folders below it that have not been entered. */
static enum vgg_status walk(struct names *images, struct entered *entered, struct vgg_left_out *left,
                            const char *folder)
{
    enum vgg_status status = VGG_OK;
    struct names folders = { 0 };
    size_t begin = images->count;
    CHECK(names_add(&folders, vgg_mem_strdup(folder), folder));
    for (size_t i = 0; i < folders.count; i++) {
        size_t known = folders.count;
        bool again = false;
        if (i > 0) CHECK(enter(&again, entered, folders.at[i]));
        if (!again) CHECK(list_folder(&folders, images, left, folders.at[i]));
        if (again && !entered->links++) entered->first = vgg_escape(folders.at[i]);
        names_sort(&folders, known, by_bytes);
    }
    names_sort(images, begin, by_folder);
fail:
    names_finish(&folders);
    return status;
}

static void say_links(const struct entered *entered, const char *data)
{
    if (!entered->links) return;
    vgg_log(VGG_LOG_WARNING, "%s: %zu link%s to folders that are read already, as %s, %s passed over", data,
            entered->links, entered->links == 1 ? "" : "s", entered->first ? entered->first : "one",
            entered->links == 1 ? "is" : "are");
}

/* Adds the paths of a class. */
static enum vgg_status append_class(struct names *all, struct entered *entered, struct vgg_left_report *report,
                                    const char *folder)
{
    struct vgg_left_out left = { 0 };
    size_t begin = all->count;
    enum vgg_status status = walk(all, entered, &left, folder);
    if (status == VGG_OK && all->count == begin) status = vgg_left_out_refuse(folder, &left);
    if (status == VGG_OK) vgg_left_report_add(report, folder, &left);
    return status;
}

/* One class a folder of `root`. The classes' own folders count as entered before any is read: no link of one class
 * leads to the pictures of another. */
static enum vgg_status read_classes(struct vgg_data *data, struct names *all, struct vgg_left_report *report,
                                    const char *root, const struct names *folders)
{
    enum vgg_status status = VGG_OK;
    struct entered entered = { 0 };
    int64_t *labels = NULL;
    bool again;
    size_t *ends = vgg_mem_calloc(folders->count, sizeof *ends);
    if (!ends) CHECK(vgg_fail_memory("classes", folders->count * sizeof *ends));
    CHECK(enter(&again, &entered, root));
    for (size_t i = 0; i < folders->count; i++) {
        CHECK(enter(&again, &entered, folders->at[i]));
        if (again) {
            CHECK(vgg_fail(VGG_ERR_FORMAT,
                           "%s: is a link to the data set itself or to the folder of another class; remove it",
                           folders->at[i]));
        }
    }
    CHECK(vgg_data_reserve_classes(data, (int)folders->count, "classes"));
    for (size_t i = 0; i < folders->count; i++) {
        const char *name = strrchr(folders->at[i], '/') + 1;
        data->classes[i] = vgg_escape(name);
        if (!data->classes[i]) CHECK(vgg_fail_memory("classes", strlen(name)));
        CHECK(append_class(all, &entered, report, folders->at[i]));
        ends[i] = all->count;
    }
    labels = vgg_mem_calloc(all->count, sizeof *labels);
    if (!labels) CHECK(vgg_fail_memory("labels", all->count * sizeof *labels));
    for (size_t item = 0, label = 0; item < all->count; item++) {
        while (item >= ends[label])
            label++;
        labels[item] = (int64_t)label;
    }
    CHECK(vgg_data_set_labels(data, labels, all->count, "classes"));
    say_links(&entered, root);
fail:
    entered_finish(&entered);
    free(labels);
    free(ends);
    return status;
}

enum vgg_status vgg_data_take_paths(struct vgg_data *data, char **paths, size_t count)
{
    struct vgg_data_store *store = data->store;
    store->paths = paths;
    store->count = data->count = count;
    for (size_t i = 0; i < store->count; i++) {
        if (vgg_escape_none(store->paths[i])) continue;
        if (!store->shown) store->shown = vgg_mem_calloc(store->count, sizeof *store->shown);
        if (!store->shown || !(store->shown[i] = vgg_escape(store->paths[i])))
            return vgg_fail_memory("names of images", store->count * sizeof *store->shown);
    }
    return VGG_OK;
}

static enum vgg_status take_paths(struct vgg_data *data, struct names *names)
{
    struct names own = *names;
    *names = (struct names) { 0 };
    return vgg_data_take_paths(data, own.at, own.count);
}

/* `path` by malloc without slashes at its end; NULL: out of memory. */
static char *trim_slashes(const char *path)
{
    char *folder = vgg_mem_strdup(path);
    for (size_t n = folder ? strlen(folder) : 0; n > 1 && folder[n - 1] == '/'; n--)
        folder[n - 1] = '\0';
    return folder;
}

enum vgg_status vgg_data_read_folder(struct vgg_data *data, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct names folders = { 0 }, images = { 0 }, all = { 0 };
    struct vgg_left_report report;
    struct vgg_left_out left = { 0 };
    char *folder = trim_slashes(path);
    if (!folder) return vgg_fail_memory(path, strlen(path));
    vgg_left_report_init(&report);
    CHECK(list_folder(&folders, &images, &left, folder));
    names_sort(&folders, 0, by_bytes);
    names_sort(&images, 0, by_bytes);
    if (folders.count > VGG_DATA_MAX_CLASSES)
        CHECK(vgg_fail(VGG_ERR_UNSUPPORTED, "%s: has %zu subfolders; at most %d classes are possible", path,
                       folders.count, VGG_DATA_MAX_CLASSES));
    if (folders.count) {
        CHECK(vgg_left_out_check_parent(folder, folders.at, folders.count));
        vgg_left_out_images(&left, images.count);
        vgg_left_report_add(&report, folder, &left);
        CHECK(read_classes(data, &all, &report, folder, &folders));
        CHECK(take_paths(data, &all));
    } else if (images.count) {
        vgg_left_report_add(&report, folder, &left);
        CHECK(take_paths(data, &images));
    } else {
        char text[VGG_LEFT_TEXT];
        vgg_left_out_describe(text, &left);
        CHECK(vgg_fail(VGG_ERR_MISSING,
                       "%s: holds neither class folders nor images (%s)%s%s; give one subfolder per class", path,
                       vgg_image_suffixes, text[0] ? ", only " : "", text));
    }
    vgg_left_report_say(&report, folder);
fail:
    names_finish(&folders);
    names_finish(&images);
    names_finish(&all);
    free(folder);
    return status;
}

enum vgg_status vgg_data_read_list(struct vgg_data *data, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct names names = { 0 };
    char *line = NULL;
    size_t room = 0, n;
    FILE *stream = vgg_os_fopen(path, "r");
    if (!stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    for (size_t number = 1; vgg_os_read_until(&line, &room, &n, '\n', stream); number++) {
        if (number == 1 && n >= 3 && memcmp(line, "\xEF\xBB\xBF", 3) == 0) memmove(line, line + 3, (n -= 3) + 1);
        while (n > 0 && strchr(" \t\r\n", line[n - 1]))
            line[--n] = '\0';
        if (n == 0) continue;
        CHECK(names_add(&names, vgg_file_beside(path, line), path));
        CHECK(vgg_data_add_line(data->store, path, number));
    }
    if (ferror(stream)) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno)));
    if (names.count == 0) CHECK(vgg_fail(VGG_ERR_MISSING, "%s: lists no images; give one path a line", path));
    CHECK(take_paths(data, &names));
fail:
    free(line);
    fclose(stream);
    names_finish(&names);
    return status;
}

/* Adds the images of a folder and of all below it, whatever the folders are called. */
static enum vgg_status append_tree(struct names *all, const char *path)
{
    enum vgg_status status = VGG_OK;
    struct entered entered = { 0 };
    struct vgg_left_report report;
    struct vgg_left_out left = { 0 };
    size_t begin = all->count;
    bool again;
    char *folder = trim_slashes(path);
    if (!folder) return vgg_fail_memory(path, strlen(path));
    vgg_left_report_init(&report);
    CHECK(enter(&again, &entered, folder));
    CHECK(walk(all, &entered, &left, folder));
    if (all->count == begin) {
        char text[VGG_LEFT_TEXT];
        vgg_left_out_describe(text, &left);
        CHECK(vgg_fail(VGG_ERR_MISSING, "%s: holds no images (%s)%s%s, nor do folders below it", path,
                       vgg_image_suffixes, text[0] ? ", only " : "", text));
    }
    vgg_left_report_add(&report, folder, &left);
    vgg_left_report_say(&report, folder);
    say_links(&entered, folder);
fail:
    entered_finish(&entered);
    free(folder);
    return status;
}

enum vgg_status vgg_data_read_images(struct vgg_data *data, const char *const *paths, size_t count)
{
    enum vgg_status status = VGG_OK;
    struct names names = { 0 };
    for (size_t i = 0; i < count; i++) {
        struct vgg_os_info info;
        if (vgg_os_look(&info, paths[i]) && info.kind == VGG_OS_FOLDER) {
            CHECK(append_tree(&names, paths[i]));
        } else {
            CHECK(names_add(&names, vgg_mem_strdup(paths[i]), "image paths"));
        }
    }
    CHECK(take_paths(data, &names));
fail:
    names_finish(&names);
    return status;
}
