#include "core/data/left_out.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/os.h"
#include "core/image/image.h"

/* LISTED: kinds that a line names. SIBLINGS: folders that are looked into for what they are. */
enum { LISTED = 6, SIBLINGS = 16 };

/* ---- counting ---- */

static void count_kind(struct vgg_left_out *left, const char *name, size_t count)
{
    size_t at = 0;
    while (at < left->kinds && strcmp(left->kind[at].name, name) != 0)
        at++;
    if (at == VGG_LEFT_KINDS) {
        left->others += count;
        return;
    }
    if (at == left->kinds) snprintf(left->kind[left->kinds++].name, sizeof left->kind[at].name, "%s", name);
    left->kind[at].count += count;
}

/* The suffix in lower case; words of more than 12 letters, or with other characters, are none. */
static void kind_of(char kind[16], const char *name)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot ? strlen(dot + 1) : 0, i = 0;
    for (; i < n && n <= 12 && (isalnum((unsigned char)dot[i + 1]) || strchr("_-~+", dot[i + 1])); i++)
        kind[i + 1] = (char)tolower((unsigned char)dot[i + 1]);
    kind[0] = '.', kind[i + 1] = '\0';
    if (n == 0 || i < n) snprintf(kind, 16, "without suffix");
}

/* What lies beside pictures and holds none: texts, tables, settings, scripts, sidecars. */
static bool is_companion(const char *name)
{
    static const char *const suffixes[] = { ".txt", ".md",  ".html", ".htm",  ".json", ".jsonl", ".csv",
                                            ".tsv", ".xml", ".yaml", ".yml",  ".toml", ".ini",   ".cfg",
                                            ".log", ".db",  ".xmp",  ".aae",  ".lnk",  ".url",   ".py",
                                            ".sh",  ".mat", ".md5",  ".pbtxt" };
    static const char *const names[] = { "README", "LICENSE", "COPYING" };
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (vgg_file_has_extension(name, suffixes[i])) return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return false;
}

void vgg_left_out_file(struct vgg_left_out *left, const char *name)
{
    char kind[16];
    kind_of(kind, name);
    count_kind(left, kind, 1);
    if (!is_companion(name)) left->notable = true;
}

void vgg_left_out_images(struct vgg_left_out *left, size_t count)
{
    left->images += count;
    if (count) left->notable = true;
}

/* Of class folders, which have no images beside them. */
static void add(struct vgg_left_out *sum, const struct vgg_left_out *left)
{
    for (size_t i = 0; i < left->kinds; i++)
        count_kind(sum, left->kind[i].name, left->kind[i].count);
    sum->others += left->others;
}

/* ---- words ---- */

static int by_count(const void *a, const void *b)
{
    const struct vgg_left_kind *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void say(char text[VGG_LEFT_TEXT], const char *format, ...) VGG_PRINTF(2, 3);

/* Appends one item to a list. */
static void say(char text[VGG_LEFT_TEXT], const char *format, ...)
{
    va_list args;
    size_t used = strlen(text);
    if (used && used + 3 < VGG_LEFT_TEXT) memcpy(text + used, ", ", 3), used += 2;
    va_start(args, format);
    vsnprintf(text + used, VGG_LEFT_TEXT - used, format, args);
    va_end(args);
}

void vgg_left_out_describe(char text[VGG_LEFT_TEXT], struct vgg_left_out *left)
{
    text[0] = '\0';
    qsort(left->kind, left->kinds, sizeof *left->kind, by_count);
    if (left->images) say(text, "%zu image%s beside the class folders", left->images, left->images > 1 ? "s" : "");
    /* A tail of one kind is named: that is no longer than to count it. */
    size_t listed = left->kinds <= LISTED + 1 && !left->others ? left->kinds : LISTED, tail = left->others;
    for (size_t i = 0; i < left->kinds; i++) {
        if (i < listed) {
            say(text, "%zu %s", left->kind[i].count, left->kind[i].name);
        } else {
            tail += left->kind[i].count;
        }
    }
    if (tail) say(text, "and %zu of %s%zu other kinds", tail, left->others ? "more than " : "", left->kinds - listed);
}

/* ---- of a data set ---- */

void vgg_left_report_init(struct vgg_left_report *report)
{
    *report = (struct vgg_left_report) { 0 };
}

void vgg_left_report_add(struct vgg_left_report *report, const char *folder, struct vgg_left_out *left)
{
    char text[VGG_LEFT_TEXT];
    if (!left->notable) {
        vgg_left_out_describe(text, left);
        if (text[0]) vgg_log(VGG_LOG_DEBUG, "%s: left out: %s", folder, text);
    } else if (report->folders++ < VGG_LEFT_FOLDERS) {
        report->folder[report->folders - 1] = folder;
        vgg_left_out_describe(report->text[report->folders - 1], left);
    } else {
        add(&report->rest, left);
    }
}

void vgg_left_report_say(struct vgg_left_report *report, const char *data)
{
    char text[VGG_LEFT_TEXT];
    for (size_t i = 0; i < report->folders && i < VGG_LEFT_FOLDERS; i++)
        vgg_log(VGG_LOG_WARNING, "%s: left out: %s", report->folder[i], report->text[i]);
    if (report->folders <= VGG_LEFT_FOLDERS) return;
    size_t more = report->folders - VGG_LEFT_FOLDERS;
    vgg_left_out_describe(text, &report->rest);
    vgg_log(VGG_LOG_WARNING, "%s: left out in %zu more folder%s: %s", data, more, more > 1 ? "s" : "", text);
}

/* ---- parents of data sets ---- */

/* Has the folder an image of its own? */
static bool holds_image(const char *folder)
{
    bool found = false;
    struct vgg_os_folder *dir = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    if (!dir) return false;
    while (!found && vgg_os_folder_next(dir, &entry))
        found = entry.name[0] != '.' && entry.kind != VGG_OS_FOLDER && vgg_image_is_name(entry.name);
    vgg_os_folder_close(dir);
    return found;
}

static bool is_part_name(const char *folder)
{
    static const char *const names[] = { "train", "val", "test", "dev", "eval", "holdout" };
    const char *name = strrchr(folder, '/');
    name = name ? name + 1 : folder;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(name, names[i], strlen(names[i])) == 0) return true;
    return false;
}

/* Subfolders of `folder` with images of their own; *shared: has `other` (NULL: none) one of the same name? */
static size_t count_holders(bool *shared, const char *folder, const char *other)
{
    size_t holding = 0;
    struct vgg_os_folder *dir = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    *shared = false;
    if (!dir) return 0;
    while (holding < SIBLINGS && vgg_os_folder_next(dir, &entry)) {
        if (entry.name[0] == '.' || entry.kind == VGG_OS_FILE) continue;
        char *path = vgg_file_join(folder, entry.name);
        char *twin = other ? vgg_file_join(other, entry.name) : NULL;
        struct vgg_os_info info;
        if (path && holds_image(path)) {
            holding++;
            *shared = *shared || (twin && vgg_os_look(&info, twin) && info.kind == VGG_OS_FOLDER);
        }
        free(path);
        free(twin);
    }
    vgg_os_folder_close(dir);
    return holding;
}

enum vgg_status vgg_left_out_check_parent(const char *data, char *const *folders, size_t count)
{
    size_t parts = 0, part = 0;
    bool shared;
    for (size_t i = 0; i < count && i < SIBLINGS; i++) {
        if (holds_image(folders[i])) return VGG_OK;
        if (!is_part_name(folders[i])) continue;
        parts++, part = i;
    }
    size_t holding = count_holders(&shared, folders[part], count > 1 ? folders[part ? 0 : 1] : NULL);
    if (holding == 0 || (count == 1 ? holding == 1 && !parts : parts < count && !(parts && shared))) return VGG_OK;
    const char *second = count > 1 ? folders[1] : "", *third = count > 2 ? folders[2] : "";
    return vgg_fail(
        VGG_ERR_MISSING,
        "%s: looks like the parent of data sets: %s holds images in its subfolders alone; give %s%s%s%s%s%s "
        "instead",
        data, folders[part], folders[0],
        count > 2   ? ", "
        : count > 1 ? " or "
                    : "",
        second, count > 2 ? " or " : "", third, count > 3 ? ", ..." : "");
}

enum vgg_status vgg_left_out_refuse(const char *folder, struct vgg_left_out *left)
{
    char text[VGG_LEFT_TEXT];
    vgg_left_out_describe(text, left);
    return vgg_fail(VGG_ERR_MISSING, "%s: class folder without images (%s)%s%s; add some or remove the folder", folder,
                    vgg_image_suffixes, text[0] ? ", only " : "", text);
}
