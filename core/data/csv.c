#include "core/data/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/escape.h"
#include "core/data/folder.h"

/* ---- rows ---- */

enum { FIELDS = 2 };

/* A table that is read: fields are taken out of their quotes in place. */
struct table {
    const char *path;
    char *text, *at, *end;
    size_t line;   /* of `at`, from 1 */
    bool labelled; /* has each row a label that is wanted? */
};

static enum vgg_status wrong(const struct table *table, size_t line, const char *what)
{
    return vgg_fail(VGG_ERR_FORMAT, "%s:%zu: %s; a row is PATH,LABEL, in quotes where a field holds a comma",
                    table->path, line, what);
}

/* Reads one field into *field, ended by 0, and goes behind it. *last: the row ends there. */
static enum vgg_status read_field(struct table *t, char **field, bool *last)
{
    size_t line = t->line;
    char *to = t->at;
    bool quoted = t->at < t->end && *t->at == '"';
    *field = to;
    if (quoted) t->at++;
    while (t->at < t->end) {
        char c = *t->at;
        if (quoted && c == '"' && t->at + 1 < t->end && t->at[1] == '"') {
            t->at++;
        } else if (quoted && c == '"') {
            t->at++;
            quoted = false;
            if (t->at < t->end && !strchr(",\r\n", *t->at))
                return wrong(t, line, "a quoted field goes on behind its quote");
            continue;
        } else if (!quoted && (c == ',' || c == '\n' || (c == '\r' && (t->at + 1 == t->end || t->at[1] == '\n')))) {
            break;
        }
        if (c == '\0') return wrong(t, line, "holds a byte of 0");
        t->line += c == '\n';
        *to++ = c;
        t->at++;
    }
    if (quoted) return wrong(t, line, "a quote is not closed");
    *last = t->at >= t->end || *t->at != ',';
    if (t->at < t->end && *t->at == '\r') t->at++;
    if (t->at < t->end) t->line += *t->at++ == '\n';
    *to = '\0';
    return VGG_OK;
}

/* Spaces around a label are no part of it. */
static char *trimmed(char *text)
{
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && strchr(" \t", text[n - 1]))
        text[--n] = '\0';
    return text;
}

/* The next row that is not empty; *field[0] NULL: there is none. */
static enum vgg_status read_row(struct table *t, char *field[FIELDS], size_t *line)
{
    enum vgg_status status = VGG_OK;
    field[0] = NULL;
    while (status == VGG_OK && t->at < t->end) {
        size_t count = 0;
        bool last = false;
        *line = t->line;
        for (char *text; status == VGG_OK && !last; count++) {
            status = read_field(t, &text, &last);
            if (status == VGG_OK && count < FIELDS) field[count] = trimmed(text);
        }
        if (status != VGG_OK) break;
        if (count == 1 && !*field[0]) continue;
        if (!t->labelled && count < FIELDS) field[1] = t->end; /* an empty text */
        if (t->labelled && count != FIELDS) {
            char what[48];
            snprintf(what, sizeof what, "has %zu field%s, not 2", count, count == 1 ? "" : "s");
            return wrong(t, *line, what);
        }
        return VGG_OK;
    }
    field[0] = NULL;
    return status;
}

/* ---- all of it ---- */

/* What the rows say, in their order. */
struct rows {
    char **path;
    const char **label; /* in the table's text */
    size_t count, room;
};

/* A first row is a header where its path is no image's name and nothing has that path. */
static enum vgg_status is_header(bool *header, const struct table *table, const char *name)
{
    struct vgg_os_info info;
    *header = false;
    if (vgg_image_is_name(name)) return VGG_OK;
    char *path = vgg_file_beside(table->path, name);
    if (!path) return vgg_fail_memory(table->path, strlen(name));
    *header = !*name || !vgg_os_look(&info, path);
    free(path);
    if (*header) vgg_log(VGG_LOG_INFO, "%s: its first row is a header", table->path);
    return VGG_OK;
}

static enum vgg_status add_row(struct rows *rows, const struct table *table, char *const field[FIELDS])
{
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 256;
        char **path = realloc(rows->path, vgg_mem_mul(room, sizeof *path));
        if (path) rows->path = path;
        const char **label = realloc(rows->label, vgg_mem_mul(room, sizeof *label));
        if (label) rows->label = label;
        if (!path || !label) return vgg_fail_memory(table->path, room * sizeof *path);
        rows->room = room;
    }
    char *path = vgg_file_beside(table->path, field[0]);
    if (!path) return vgg_fail_memory(table->path, strlen(field[0]));
    rows->label[rows->count] = field[1];
    rows->path[rows->count++] = path;
    return VGG_OK;
}

static enum vgg_status read_rows(struct rows *rows, struct vgg_data_store *store, struct table *table)
{
    enum vgg_status status = VGG_OK;
    char *field[FIELDS];
    size_t line;
    bool header;
    for (bool first = true;; first = false) {
        CHECK(read_row(table, field, &line));
        if (!field[0]) break;
        if (first) CHECK(is_header(&header, table, field[0]));
        if (first && header) continue;
        if (!*field[0]) CHECK(wrong(table, line, "has no path"));
        if (table->labelled && !*field[1]) CHECK(wrong(table, line, "has no label"));
        CHECK(add_row(rows, table, field));
        CHECK(vgg_data_add_line(store, table->path, line));
    }
    if (rows->count == 0) {
        CHECK(vgg_fail(VGG_ERR_MISSING, "%s: lists no images; give a row %s for each, named as images are", table->path,
                       table->labelled ? "PATH,LABEL" : "PATH"));
    }
fail:
    return status;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A row by its path. */
struct by_path {
    const char *path;
    size_t row;
};

static int compare(const void *a, const void *b)
{
    const struct by_path *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

/* An image of two labels is a mistake; one that is listed again counts again, which is told. line: of each row. */
static enum vgg_status check_repeated(const struct rows *rows, const size_t *line, const char *path)
{
    enum vgg_status status = VGG_OK;
    size_t repeated = 0, first = 0, again = 0;
    struct by_path *sorted = vgg_mem_calloc(rows->count, sizeof *sorted);
    if (!sorted) return vgg_fail_memory(path, rows->count * sizeof *sorted);
    for (size_t i = 0; i < rows->count; i++)
        sorted[i] = (struct by_path) { rows->path[i], i };
    qsort(sorted, rows->count, sizeof *sorted, compare);
    for (size_t i = 1; i < rows->count; i++) {
        size_t a = sorted[i - 1].row, b = sorted[i].row;
        if (strcmp(sorted[i - 1].path, sorted[i].path) != 0) continue;
        if (strcmp(rows->label[a], rows->label[b]) != 0)
            CHECK(vgg_fail(VGG_ERR_FORMAT, "%s:%zu: %s is %s here and %s in line %zu; give it one label", path, line[b],
                           rows->path[b], rows->label[b], rows->label[a], line[a]));
        if (!repeated++) first = a, again = b;
    }
    if (repeated)
        vgg_log(VGG_LOG_WARNING, "%s: lists %zu image%s again, as line %zu that of line %zu; each time counts", path,
                repeated, repeated == 1 ? "" : "s", line[again], line[first]);
fail:
    free(sorted);
    return status;
}

/* Numbers the labels in the byte order of their names. */
static enum vgg_status name_classes(struct vgg_data *data, const struct rows *rows, const char *path)
{
    enum vgg_status status = VGG_OK;
    size_t classes = 0;
    const char **name = vgg_mem_calloc(rows->count, sizeof *name);
    int64_t *labels = vgg_mem_calloc(rows->count, sizeof *labels);
    if (!name || !labels) CHECK(vgg_fail_memory(path, rows->count * sizeof *labels));
    memcpy(name, rows->label, rows->count * sizeof *name);
    qsort(name, rows->count, sizeof *name, by_bytes);
    for (size_t i = 0; i < rows->count; i++)
        if (i == 0 || strcmp(name[i], name[classes - 1]) != 0) name[classes++] = name[i];
    if (classes > VGG_DATA_MAX_CLASSES) {
        CHECK(vgg_fail(VGG_ERR_UNSUPPORTED, "%s: has %zu labels; at most %d classes are possible", path, classes,
                       VGG_DATA_MAX_CLASSES));
    }
    CHECK(vgg_data_reserve_classes(data, (int)classes, path));
    for (size_t i = 0; i < classes; i++) {
        data->classes[i] = vgg_escape(name[i]);
        if (!data->classes[i]) CHECK(vgg_fail_memory(path, strlen(name[i])));
    }
    for (size_t i = 0; i < rows->count; i++) {
        const char **found = bsearch(&rows->label[i], name, classes, sizeof *name, by_bytes);
        labels[i] = found - name;
    }
    CHECK(vgg_data_set_labels(data, labels, rows->count, path));
fail:
    free(name);
    free(labels);
    return status;
}

static enum vgg_status read_table(struct vgg_data *data, const char *path, bool labelled)
{
    enum vgg_status status = VGG_OK;
    struct table table = { .path = path, .line = 1, .labelled = labelled };
    struct rows rows = { 0 };
    const void *bytes = NULL;
    size_t size = 0;
    CHECK(vgg_file_map(&bytes, &size, path));
    table.text = vgg_mem_calloc(size + 1, 1);
    if (!table.text) CHECK(vgg_fail_memory(path, size));
    if (size) memcpy(table.text, bytes, size);
    table.at = table.text, table.end = table.text + size;
    if (size >= 3 && memcmp(table.text, "\xEF\xBB\xBF", 3) == 0) table.at += 3;
    CHECK(read_rows(&rows, data->store, &table));
    if (labelled) CHECK(check_repeated(&rows, data->store->line, path));
    if (labelled) CHECK(name_classes(data, &rows, path));
    status = vgg_data_take_paths(data, rows.path, rows.count);
    rows.path = NULL, rows.count = 0;
fail:
    for (size_t i = 0; i < rows.count; i++)
        free(rows.path[i]);
    free(rows.path);
    free(rows.label);
    free(table.text);
    vgg_file_unmap(bytes, size);
    return status;
}

enum vgg_status vgg_data_read_csv(struct vgg_data *data, const char *path)
{
    return read_table(data, path, true);
}

enum vgg_status vgg_data_read_csv_images(struct vgg_data *data, const char *path)
{
    return read_table(data, path, false);
}
