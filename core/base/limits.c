#include "core/base/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/text.h"

/* Less than a page cannot be taken. v1 says "no limit" by LONG_MAX rounded down to a page of up to 64 KiB. */
enum { PAGE = 4096 };
static const uint64_t no_limit = INT64_MAX - 65536;

/* ---- files ---- */

static FILE *open_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof path ? vgg_os_fopen(path, "r") : NULL;
}

/* A whole file by malloc, or NULL. */
static char *read_all(const char *folder, const char *name)
{
    char *text = NULL;
    size_t room = 0, length;
    FILE *file = open_file(folder, name);
    if (!file) return NULL;
    if (!vgg_os_read_until(&text, &room, &length, '\0', file)) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* A decimal number at *text, which moves behind it and the blanks that follow. */
static bool parse_number(const char **text, uint64_t *value)
{
    char *end;
    if (**text < '0' || **text > '9') return false;
    unsigned long long number = strtoull(*text, &end, 10); /* too large a number becomes the largest: no limit */
    if (!strchr(" \t\n", *end)) return false;
    *text = end + strspn(end, " \t\n");
    *value = number;
    return true;
}

/* The first `count` numbers of a file's first line. */
static bool read_numbers(uint64_t *value, int count, const char *folder, const char *name)
{
    char line[128];
    FILE *file = open_file(folder, name);
    if (!file) return false;
    bool good = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *at = line;
    for (int i = 0; good && i < count; i++)
        good = parse_number(&at, &value[i]);
    return good;
}

/* The number behind "key" or "key:" at the start of a line. */
static bool read_keyed(uint64_t *value, const char *folder, const char *name, const char *key)
{
    char line[256];
    size_t n = strlen(key);
    bool found = false;
    FILE *file = open_file(folder, name);
    if (!file) return false;
    while (!found && fgets(line, sizeof line, file)) {
        const char *at = line + n;
        if (strncmp(line, key, n) != 0 || (*at != ' ' && *at != ':')) continue;
        at += strspn(at, ": \t");
        found = parse_number(&at, value);
    }
    fclose(file);
    return found;
}

/* ---- one group ---- */

static void lower(uint64_t *value, uint64_t to)
{
    if (to < *value) *value = to;
}

static void limit_quota(struct vgg_limits *limits, uint64_t quota, uint64_t period)
{
    if (!quota || !period) return;
    uint64_t processors = quota / period + (quota % period != 0);
    if (processors < (uint64_t)limits->quota) limits->quota = (int)processors;
}

static void limit_memory(struct vgg_limits *limits, uint64_t limit, uint64_t used, uint64_t inactive, uint64_t active)
{
    if (limit >= no_limit) return;
    uint64_t reclaimable = inactive + active / 2;
    used = used > reclaimable ? used - reclaimable : 0;
    lower(&limits->memory, limit);
    lower(&limits->available, limit > used ? limit - used : 0);
}

/* What one group's files say; false: the groups above it do not bind this one. own: the process's own group. */
typedef bool read_group_fn(struct vgg_limits *limits, const char *folder, bool own);

static bool read_cpu_v2(struct vgg_limits *limits, const char *folder, bool own)
{
    (void)own;
    uint64_t value[2];
    if (read_numbers(value, 2, folder, "cpu.max")) limit_quota(limits, value[0], value[1]);
    return true;
}

static bool read_cpu_v1(struct vgg_limits *limits, const char *folder, bool own)
{
    (void)own;
    uint64_t quota, period;
    if (read_numbers(&quota, 1, folder, "cpu.cfs_quota_us") && read_numbers(&period, 1, folder, "cpu.cfs_period_us"))
        limit_quota(limits, quota, period);
    return true;
}

static bool read_memory_v2(struct vgg_limits *limits, const char *folder, bool own)
{
    (void)own;
    uint64_t limit = UINT64_MAX, value, used = 0, inactive = 0, active = 0;
    if (read_numbers(&value, 1, folder, "memory.max")) lower(&limit, value);
    if (read_numbers(&value, 1, folder, "memory.high")) lower(&limit, value);
    if (limit == UINT64_MAX) return true;
    read_numbers(&used, 1, folder, "memory.current");
    read_keyed(&inactive, folder, "memory.stat", "inactive_file");
    read_keyed(&active, folder, "memory.stat", "active_file");
    limit_memory(limits, limit, used, inactive, active);
    return true;
}

/* hierarchical_memory_limit also knows of groups above the mount. */
static bool read_memory_v1(struct vgg_limits *limits, const char *folder, bool own)
{
    uint64_t limit = UINT64_MAX, value, used = 0, inactive = 0, active = 0;
    if (!own && read_numbers(&value, 1, folder, "memory.use_hierarchy") && value == 0) return false;
    if (read_numbers(&value, 1, folder, "memory.limit_in_bytes")) lower(&limit, value);
    if (read_keyed(&value, folder, "memory.stat", "hierarchical_memory_limit")) lower(&limit, value);
    if (limit == UINT64_MAX) return true;
    read_numbers(&used, 1, folder, "memory.usage_in_bytes");
    read_keyed(&inactive, folder, "memory.stat", "total_inactive_file");
    read_keyed(&active, folder, "memory.stat", "total_active_file");
    limit_memory(limits, limit, used, inactive, active);
    return true;
}

/* ---- where the groups are ---- */

/* Is `word` in the list, whose words are separated by commas? */
static bool listed(const char *list, size_t length, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list, *end = list + length; at <= end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if ((size_t)(stop - at) == n && memcmp(at, word, n) == 0) return true;
        at = stop + 1;
    }
    return false;
}

/* The path of the process's group from /proc/self/cgroup, lines of "number:controllers:path"; v2's has no controllers.
 */
static bool find_group(char path[PATH_MAX], const char *groups, const char *controller)
{
    for (const char *line = groups; line && *line;) {
        const char *end = line + strcspn(line, "\n");
        const char *list = memchr(line, ':', (size_t)(end - line));
        const char *name = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
        if (name) {
            size_t words = (size_t)(name - list - 1), length = (size_t)(end - name - 1);
            bool right = controller ? listed(list + 1, words, controller) : words == 0;
            if (right && length < PATH_MAX) {
                memcpy(path, name + 1, length);
                path[length] = '\0';
                return true;
            }
        }
        line = *end ? end + 1 : end;
    }
    return false;
}

/* A field of mountinfo, in which blanks, newlines and backslashes stand as three octal digits. */
static bool unescape(char out[PATH_MAX], const char *field, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; n++) {
        if (n + 1 >= PATH_MAX) return false;
        const char *c = field + i;
        bool octal = *c == '\\' && i + 3 < length && strspn(c + 1, "01234567") >= 3;
        int byte = octal ? (c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0') : *c;
        out[n] = (char)byte;
        i += octal ? 4 : 1;
    }
    out[n] = '\0';
    return true;
}

/* Mount of a hierarchy: the group at its root, and where it hangs. */
struct mount {
    char root[PATH_MAX], point[PATH_MAX];
};

/* Field number `index` of the line, counted from 0. */
static const char *find_field(const char *line, const char *end, int index, size_t *length)
{
    for (;;) {
        const char *blank = memchr(line, ' ', (size_t)(end - line));
        *length = (size_t)((blank ? blank : end) - line);
        if (index-- == 0) return line;
        if (!blank) return NULL;
        line = blank + 1;
    }
}

/* One line of /proc/self/mountinfo, if it mounts the controller's hierarchy (v2's: NULL).
 * Source: proc_pid_mountinfo(5): number parent device ROOT POINT options... - TYPE source OPTIONS */
static bool parse_mount(struct mount *mount, const char *line, const char *end, const char *controller)
{
    const char *dash = vgg_text_find(line, (size_t)(end - line), " - ");
    if (!dash) return false;
    size_t root_length, point_length, type_length, length;
    const char *root = find_field(line, dash, 3, &root_length), *point = find_field(line, dash, 4, &point_length);
    const char *type = find_field(dash + 3, end, 0, &type_length), *options = find_field(dash + 3, end, 2, &length);
    if (!root || !point || !type || !options) return false;
    const char *wanted = controller ? "cgroup" : "cgroup2";
    if (type_length != strlen(wanted) || memcmp(type, wanted, type_length) != 0) return false;
    if (controller && !listed(options, length, controller)) return false;
    return unescape(mount->root, root, root_length) && unescape(mount->point, point, point_length);
}

/* What of `path` lies below `root`, or NULL where it is not below. */
static const char *below(const char *root, const char *path)
{
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(root, path, n) != 0 || (path[n] != '/' && path[n] != '\0')) return NULL;
    const char *rest = path + n;
    size_t length = strlen(rest);
    if (strstr(rest, "/../") || (length >= 3 && strcmp(rest + length - 3, "/..") == 0)) return NULL;
    return strcmp(rest, "/") == 0 ? "" : rest;
}

/* Reads the group `rest` below the mount, and all groups above it up to the mount. */
static void climb(struct vgg_limits *limits, const char *root, const char *point, const char *rest, read_group_fn *read)
{
    char folder[PATH_MAX];
    int n = snprintf(folder, sizeof folder, "%s%s%s", root, point, rest);
    if (n < 0 || (size_t)n >= sizeof folder) return;
    size_t top = strlen(root) + strlen(point);
    for (bool own = true; read(limits, folder, own) && strlen(folder) > top; own = false)
        *strrchr(folder, '/') = '\0';
}

struct reader {
    const char *controller; /* NULL: v2 */
    read_group_fn *read;
};

/* All mounts that show the process's group bind it. Where none does, because the process was moved out of what the
 * container sees, the container's mount stands for the group. */
static void read_hierarchy(struct vgg_limits *limits, const char *root, const char *groups, const char *mounts,
                           const struct reader *reader)
{
    char path[PATH_MAX];
    struct mount mount, last;
    bool any = false, shown = false;
    if (!find_group(path, groups, reader->controller)) return;
    for (const char *line = mounts; *line;) {
        const char *end = line + strcspn(line, "\n");
        if (parse_mount(&mount, line, end, reader->controller)) {
            const char *rest = below(mount.root, path);
            if (rest) climb(limits, root, mount.point, rest, reader->read);
            shown = shown || rest;
            any = true;
            last = mount;
        }
        line = *end ? end + 1 : end;
    }
    if (any && !shown) climb(limits, root, last.point, "", reader->read);
}

/* ---- the answers ---- */

static void read_host_memory(struct vgg_limits *limits, const char *root)
{
    uint64_t kib;
    limits->memory = limits->available = UINT64_MAX;
    uint64_t host = *root ? 0 : vgg_os_memory();
    if (read_keyed(&kib, root, "proc/meminfo", "MemTotal") && kib < no_limit / 1024) {
        limits->memory = kib * 1024;
    } else if (host) {
        limits->memory = host;
    }
    limits->host_memory = limits->memory == UINT64_MAX ? 0 : limits->memory;
    if (read_keyed(&kib, root, "proc/meminfo", "MemAvailable") && kib < no_limit / 1024) limits->available = kib * 1024;
    lower(&limits->available, limits->memory);
}

static uint64_t known(uint64_t value)
{
    return value == UINT64_MAX ? 0 : value < PAGE ? PAGE : value;
}

void vgg_limits_read(struct vgg_limits *limits, const char *root, int affinity)
{
    static const struct reader readers[] = {
        { NULL, read_cpu_v2 }, { NULL, read_memory_v2 }, { "cpu", read_cpu_v1 }, { "memory", read_memory_v1 }
    };
    *limits = (struct vgg_limits) { .affinity = affinity < 1 ? 1 : affinity, .quota = INT_MAX };
    read_host_memory(limits, root);
    char *groups = read_all(root, "proc/self/cgroup"), *mounts = read_all(root, "proc/self/mountinfo");
    for (size_t i = 0; groups && mounts && i < sizeof readers / sizeof *readers; i++)
        read_hierarchy(limits, root, groups, mounts, &readers[i]);
    free(groups);
    free(mounts);
    limits->processors = limits->quota < limits->affinity ? limits->quota : limits->affinity;
    limits->memory = known(limits->memory);
    limits->available = known(limits->available);
}

void vgg_limits_get(struct vgg_limits *limits)
{
    vgg_limits_read(limits, "", vgg_os_affinity());
}

void vgg_limits_describe(char *text, size_t size, const struct vgg_limits *limits)
{
    const double gib = 0x1p30;
    bool processors = limits->quota < limits->affinity, memory = limits->memory < limits->host_memory;
    int n = snprintf(text, size, "%s", processors || memory ? "a container allows " : "");
    if (processors) n += snprintf(text + n, size - (size_t)n, "%d of %d processors", limits->quota, limits->affinity);
    if (memory)
        snprintf(text + n, size - (size_t)n, "%s%.1f of %.1f GiB memory", processors ? ", " : "",
                 (double)limits->memory / gib, (double)limits->host_memory / gib);
}

int vgg_limits_processors(void)
{
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    return limits.processors;
}

uint64_t vgg_limits_memory(void)
{
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    return limits.memory;
}

uint64_t vgg_limits_available(void)
{
    struct vgg_limits limits;
    vgg_limits_get(&limits);
    return limits.available;
}

int vgg_limits_online(void)
{
    return vgg_os_processors();
}
