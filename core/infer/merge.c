/* Parts of features, which several machines computed apart, made one file. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/data/array.h"
#include "core/infer/part.h"

enum { PIECE = 1 << 20 }; /* bytes that are copied at once, but a row at least */

struct merge {
    const char *output;
    struct vgg_part_file *part; /* count, by their numbers; those that are not there zeroed */
    int count;
    const struct vgg_part_file *first; /* that was opened: all others are compared with it */
    struct vgg_data *data;             /* labels, classes and paths of the whole */
    uint64_t rows, done;
    vgg_progress_fn *progress;
    void *user;
};

/* ---- which parts there are ---- */

static const char *in_words(const char *key)
{
    static const char *const words[][2] = { { "digest", "digest of the weights" },
                                            { "items", "number of images" },
                                            { "data", "checksum of the data" },
                                            { "device", "device" } };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], key) == 0) return words[i][1];
    return key;
}

/* Values that could be long are cut. */
static enum vgg_status compare(const struct merge *m, const struct vgg_part_file *part)
{
    const char *key, *value, *otherwise;
    if (part->count != m->count) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "%s: is one of %d parts, but %s is one of %d; give the parts of one extraction", part->path,
                        part->count, m->first->path, m->count);
    }
    if (!vgg_part_alike(part, m->first, &key, &value, &otherwise)) {
        return vgg_fail(VGG_ERR_ARGUMENT,
                        "%s: %s %.160s, but %.160s in %s; parts must have the same data, weights, "
                        "settings, devices and version",
                        part->path, in_words(key), value ? value : "none", otherwise ? otherwise : "none",
                        m->first->path);
    }
    bool same = part->h == m->first->h && part->w == m->first->w && part->c == m->first->c;
    return same ? VGG_OK
                : vgg_fail(VGG_ERR_FORMAT, "%s: features of %d x %d x %d, but of %d x %d x %d in %s", part->path,
                           part->h, part->w, part->c, m->first->h, m->first->w, m->first->c, m->first->path);
}

/* Puts an open part in its place. */
static enum vgg_status place(struct merge *m, struct vgg_part_file *part)
{
    enum vgg_status status = VGG_OK;
    if (!m->part) {
        m->count = part->count;
        m->part = vgg_mem_calloc((size_t)m->count, sizeof *m->part);
        if (!m->part) return vgg_fail_memory("the parts", (size_t)m->count * sizeof *m->part);
    } else {
        CHECK(compare(m, part));
    }
    struct vgg_part_file *own = &m->part[part->number - 1];
    if (own->st) {
        CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: is part %d/%d, and so is %s; give each part once", part->path,
                       part->number, part->count, own->path));
    }
    *own = *part;
    *part = (struct vgg_part_file) { 0 };
    if (!m->first) m->first = own;
    m->rows += own->rows;
fail:
    return status;
}

static enum vgg_status check_complete(const struct merge *m)
{
    int missing = 0, first = 0;
    for (int i = m->count; i-- > 0;)
        if (!m->part[i].st) missing++, first = i + 1;
    if (missing == 0) return VGG_OK;
    char others[48] = "";
    if (missing > 1) snprintf(others, sizeof others, " and %d other%s", missing - 1, missing > 2 ? "s" : "");
    return vgg_fail(VGG_ERR_MISSING, "part %d/%d%s: not among the files; all parts are needed", first, m->count,
                    others);
}

static enum vgg_status open_parts(struct merge *m, const char *const *paths, size_t count)
{
    enum vgg_status status = VGG_OK;
    struct vgg_part_file part = { 0 };
    struct vgg_os_info output, info;
    bool there = vgg_os_look(&output, m->output);
    for (size_t i = 0; i < count; i++) {
        if (there && vgg_os_look(&info, paths[i]) && info.volume == output.volume && info.number == output.number) {
            CHECK(vgg_fail(VGG_ERR_ARGUMENT, "%s: is one of the parts; name another file to write", m->output));
        }
        CHECK(vgg_part_open(&part, paths[i]));
        CHECK(place(m, &part));
    }
    CHECK(check_complete(m));
    if (m->rows == 0) {
        CHECK(vgg_fail(VGG_ERR_MISSING, "no image could be read: all %" PRIu64 " were skipped", m->first->items));
    }
fail:
    vgg_part_close(&part);
    return status;
}

/* ---- the data set that they are of ---- */

/* The paths of a part's rows; those of images that were skipped are empty. */
static enum vgg_status add_paths(struct vgg_data_store *store, const struct vgg_part_file *part)
{
    const char *text = part->paths->data;
    for (size_t i = 0; i < part->rows; i++) {
        size_t at = (size_t)vgg_part_index(part->index, i), length = strcspn(text, "\n");
        char *path = vgg_mem_calloc(length + 1, 1);
        if (!path) return vgg_fail_memory(part->path, length + 1);
        memcpy(path, text, length);
        store->paths[at] = path;
        text += length + 1;
    }
    return VGG_OK;
}

static enum vgg_status make_data(struct merge *m)
{
    enum vgg_status status = VGG_OK;
    size_t items = (size_t)m->first->items;
    int64_t *labels = NULL;
    CHECK(vgg_data_create(&m->data, m->output));
    struct vgg_data_store *store = m->data->store;
    store->paths = vgg_mem_calloc(items, sizeof *store->paths);
    if (!store->paths) CHECK(vgg_fail_memory(m->output, items * sizeof *store->paths));
    m->data->count = store->count = items;
    for (int i = 0; i < m->count; i++)
        CHECK(add_paths(store, &m->part[i]));
    for (size_t i = 0; i < items; i++) {
        if (!store->paths[i] && !(store->paths[i] = vgg_mem_strdup(""))) CHECK(vgg_fail_memory(m->output, 1));
    }
    if (!m->first->y) return VGG_OK;
    labels = vgg_mem_calloc(items, sizeof *labels);
    if (!labels) CHECK(vgg_fail_memory(m->output, items * sizeof *labels));
    for (int i = 0; i < m->count; i++) {
        const struct vgg_part_file *part = &m->part[i];
        for (size_t row = 0; row < part->rows; row++)
            labels[vgg_part_index(part->index, row)] = vgg_part_index(part->y, row);
    }
    CHECK(vgg_data_set_classes(m->data, vgg_st_meta(m->first->st, "classes"), m->first->path));
    status = vgg_data_set_labels(m->data, labels, items, m->output);
fail:
    free(labels);
    return status;
}

/* ---- copying ---- */

static bool report(const struct merge *m)
{
    struct vgg_progress progress = { "merge", "images", m->done, m->rows, 0, 0, (double)NAN, (double)NAN };
    return !m->progress || m->progress(m->user, &progress);
}

/* Reads rows as a data set's are read: a file that is cut short meanwhile is an ordinary failure. */
static enum vgg_status copy_rows(struct merge *m, struct vgg_sink *sink, const struct vgg_part_file *part, float *x,
                                 size_t *index, size_t most)
{
    enum vgg_status status = VGG_OK;
    size_t row_size = (size_t)part->h * (size_t)part->w * (size_t)part->c * sizeof *x;
    uint64_t offset = vgg_st_offset(part->st, part->x);
    int file = vgg_os_open(part->path);
    if (file < 0) CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", part->path, strerror(errno)));
    for (size_t at = 0, n; at < part->rows; at += n) {
        n = part->rows - at < most ? part->rows - at : most;
        if (!vgg_os_read_at(file, x, n * row_size, offset + at * row_size)) {
            CHECK(vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", part->path,
                           errno ? strerror(errno) : "the file has been cut short since it was opened"));
        }
        for (size_t i = 0; i < n; i++)
            index[i] = (size_t)vgg_part_index(part->index, at + i);
        CHECK(vgg_sink_append(sink, x, index, n));
        m->done += n;
        if (!report(m)) CHECK(VGG_INTERRUPTED);
    }
fail:
    if (file >= 0) vgg_os_close(file);
    return status;
}

static enum vgg_status write_all(struct merge *m)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_part_file *first = m->first;
    size_t row_size = (size_t)first->h * (size_t)first->w * (size_t)first->c * sizeof(float);
    size_t most = row_size < PIECE ? PIECE / row_size : 1;
    struct vgg_sink *sink = NULL;
    float *x = vgg_mem_calloc(most, row_size);
    size_t *index = vgg_mem_calloc(most, sizeof *index);
    if (!x || !index) CHECK(vgg_fail_memory(m->output, most * row_size));
    CHECK(vgg_sink_create(&sink, m->output, m->data, first->h, first->w, first->c, &m->part[0].origin));
    for (int i = 0; i < m->count; i++)
        CHECK(copy_rows(m, sink, &m->part[i], x, index, most));
    status = vgg_sink_commit(sink);
    sink = NULL;
fail:
    vgg_sink_abort(sink);
    free(x);
    free(index);
    return status;
}

enum vgg_status vgg_features_merge(const char *output, const char *const *parts, size_t count,
                                   struct vgg_merged *merged, vgg_progress_fn *progress, void *user)
{
    enum vgg_status status = VGG_OK;
    struct merge m = { .output = output, .progress = progress, .user = user };
    if (count == 0) return vgg_fail(VGG_ERR_ARGUMENT, "no parts given");
    CHECK(open_parts(&m, parts, count));
    CHECK(make_data(&m));
    CHECK(write_all(&m));
    if (merged) {
        *merged =
            (struct vgg_merged) { .images = m.rows, .height = m.first->h, .width = m.first->w, .channels = m.first->c };
        snprintf(merged->layer, sizeof merged->layer, "%s", m.first->origin.layer);
    }
fail:
    vgg_data_destroy(m.data);
    for (int i = 0; m.part && i < m.count; i++)
        vgg_part_close(&m.part[i]);
    free(m.part);
    return status;
}
