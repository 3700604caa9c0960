/* Texts that this library writes and reads again, whatever is in them: settings, histories, fields of tables, the
 * header of .npy, the state in a checkpoint. Input: a kind, then values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/data/data.h"
#include "core/format/json.h"
#include "core/format/npy.h"
#include "core/train/checkpoint.h"
#include "core/train/history.h"
#include "core/train/settings.h"
#include "tests/fuzz/fuzz.h"

/* ---- values from the input; zeros behind its end ---- */

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t value = 0;
    for (; bytes > 0 && in->at < in->end; bytes--)
        value = value << 8 | *in->at++;
    return value;
}

static double take_double(struct input *in)
{
    uint64_t bits = take(in, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Up to `most` bytes without a 0; lengths near `most` are rare. */
static void take_text(struct input *in, char *text, size_t most)
{
    size_t n = take(in, 1) % (most + 1);
    for (; n > 0 && in->at < in->end && *in->at; n--)
        *text++ = (char)*in->at++;
    *text = '\0';
}

static void take_epoch(struct input *in, struct vgg_epoch *e, int number)
{
    *e = (struct vgg_epoch) { .epoch = number, .images = take(in, 8) };
    double *values[] = { &e->loss,    &e->accuracy,     &e->val_loss,      &e->val_accuracy,    &e->learning_rate,
                         &e->seconds, &e->seconds_load, &e->seconds_train, &e->seconds_validate };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        *values[i] = take_double(in);
}

static bool same_double(double a, double b)
{
    return isnan(a) ? isnan(b) : memcmp(&a, &b, sizeof a) == 0;
}

/* A whole file, ended by a 0, by malloc. */
static char *read_back(const char *path)
{
    const void *bytes;
    size_t size;
    fuzz_told(vgg_file_map(&bytes, &size, path));
    char *text = malloc(size + 1);
    fuzz_assert(text, "out of memory");
    if (size) memcpy(text, bytes, size);
    text[size] = '\0';
    vgg_file_unmap(bytes, size);
    return text;
}

/* ---- the kinds ---- */

static void try_settings(struct input *in)
{
    struct vgg_settings a = { 0 }, b = { 0 };
    char difference[VGG_SETTINGS_DIFFERENCE], key[16], value[200], other[200];
    int lines = 1 + (int)take(in, 1) % 6, changed = (int)take(in, 1) % 8, found = 0;
    for (int i = 0; i < lines; i++) {
        snprintf(key, sizeof key, "key %d", i);
        take_text(in, value, 180);
        take_text(in, other, 180);
        vgg_settings_add(&a, key, "%s", value);
        vgg_settings_add(&b, key, "%s", i == changed ? other : value);
        found |= i == changed && strcmp(value, other) != 0;
    }
    for (const char *at = a.text; *at; at++)
        lines -= *at == '\n';
    fuzz_assert(lines == 0, "settings are not one line each");
    fuzz_assert(vgg_settings_same(difference, a.text, a.text), "settings differ from themselves");
    fuzz_assert(vgg_settings_same(difference, a.text, b.text) == !found, "a difference of settings is not seen");
    snprintf(key, sizeof key, "key %d ", changed);
    fuzz_assert(!found || strncmp(difference, key, strlen(key)) == 0, "another difference than the first is told");
    vgg_settings_finish(&a);
    vgg_settings_finish(&b);
}

static void try_history(struct input *in)
{
    enum { MOST = 4 };
    struct vgg_epoch epochs[MOST];
    int count = 1 + (int)take(in, 1) % MOST, columns = 4;
    bool validation = take(in, 1) & 1, lines = take(in, 1) & 1;
    for (int i = 0; i < count; i++)
        take_epoch(in, &epochs[i], i + 1);
    const char *path = fuzz_path(lines ? "h.jsonl" : "h.csv");
    fuzz_told(vgg_history_write(path, epochs, count, validation));
    char *text = read_back(path), *at = text;
    for (int i = lines ? 0 : -1; i < count; i++) {
        char *end = strchr(at, '\n');
        fuzz_assert(end, "a line of a history is missing");
        *end = '\0';
        if (lines) {
            struct vgg_json *json = vgg_json_parse(at, strlen(at));
            fuzz_assert(vgg_json_count(json) == 11, "a line of a history is no object of 11 members");
            const struct vgg_json *loss = vgg_json_member(json, "loss");
            double value = vgg_json_number(loss), wanted = epochs[i].loss;
            fuzz_assert(vgg_json_number(vgg_json_member(json, "epoch")) == i + 1, "another epoch");
            fuzz_assert(isfinite(wanted) ? fabs(value - wanted) <= 1e-8 * fabs(wanted)
                                         : vgg_json_kind(loss) == VGG_JSON_NULL,
                        "another loss");
            vgg_json_destroy(json);
        } else {
            int found = 1;
            for (const char *c = at; *c; c++)
                found += *c == ',';
            fuzz_assert(found == columns + 2 * validation, "a row of a history with other columns");
        }
        at = end + 1;
    }
    fuzz_assert(!*at, "a history goes on behind its end");
    free(text);
}

static void try_field(struct input *in)
{
    char label[100];
    struct vgg_file *file;
    struct vgg_data *data;
    take_text(in, label, sizeof label - 1);
    size_t n = strlen(label);
    /* Spaces at the ends are no part of a label, and an empty one is none; what cannot be shown is escaped. */
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)label[i] >= 0x80 || (label[i] < ' ' && !strchr("\n\r", label[i])) || label[i] == 0x7f)
            label[i] = 'x';
    if (n == 0 || label[0] == ' ' || label[n - 1] == ' ') return;
    const char *path = fuzz_path("t.csv");
    fuzz_told(vgg_file_create(&file, path));
    fuzz_told(vgg_file_field(file, "a, \"b\".png"));
    fuzz_told(vgg_file_write(file, ",", 1));
    fuzz_told(vgg_file_field(file, label));
    fuzz_told(vgg_file_write(file, "\n", 1));
    fuzz_told(vgg_file_commit(file));
    fuzz_told(vgg_data_open(&data, path));
    fuzz_assert(vgg_data_count(data) == 1 && vgg_data_class_count(data) == 1, "a field ends its row");
    const char *name = vgg_data_class_name(data, 0);
    for (const char *at = label; *at; at++, name++) {
        bool escaped = *at == '\n' || *at == '\r';
        if (escaped) fuzz_assert(*name++ == '\\', "a line's end in a name is not escaped");
        fuzz_assert(*name == (*at == '\n' ? 'n' : *at == '\r' ? 'r' : *at), "a field does not read back");
    }
    fuzz_assert(!*name, "a field reads back longer");
    vgg_data_destroy(data);
}

static void try_npy(struct input *in)
{
    char header[VGG_NPY_HEADER], *at;
    int rank = 1 + (int)take(in, 1) % 4;
    uint64_t shape[4];
    for (int i = 0; i < rank; i++)
        shape[i] = take(in, i ? 1 : 8); /* more cannot be counted */
    vgg_npy_header(header, "<f4", rank, shape);
    fuzz_assert(header[VGG_NPY_HEADER - 1] == '\n' &&
                    memchr(header, '\n', VGG_NPY_HEADER) == header + VGG_NPY_HEADER - 1,
                "the header does not end in its only line's end");
    header[VGG_NPY_HEADER - 1] = '\0';
    at = strchr(header + 10, '(');
    for (int i = 0; i < rank; i++) {
        fuzz_assert(at, "a header without a shape");
        fuzz_assert(strtoull(at + 1, &at, 10) == shape[i] && *at == (i + 1 < rank || rank == 1 ? ',' : ')'),
                    "a shape does not read back");
    }
    fuzz_assert(strcmp(at + (rank == 1), "), }") > 0 && strstr(at, ")") == at + (rank == 1), "a shape goes on");
}

/* A checkpoint comes back bit for bit. */
static void try_state(struct input *in)
{
    enum { MOST = 3 };
    struct vgg_epoch epochs[MOST];
    float params[2] = { 1, 2 }, moments[1] = { 3 };
    struct vgg_train_state state = { .epoch = (int)take(in, 1) % (MOST + 1), .history = epochs }, got = { 0 };
    state.epoch_step = take(in, 2), state.step = take(in, 8), state.pass = take(in, 8), state.number = take(in, 8);
    state.loss = take_double(in), state.correct = take_double(in), state.images = take(in, 8);
    for (int i = 0; i < state.epoch; i++)
        take_epoch(in, &epochs[i], i + 1);
    char folder[512], value[100];
    snprintf(folder, sizeof folder, "%s", fuzz_path("checkpoint"));
    *strrchr(folder, '/') = '\0';
    struct vgg_settings settings = { 0 };
    take_text(in, value, sizeof value - 1);
    for (char *c = value; *c; c++)
        if ((unsigned char)*c >= 0x80) *c = 'x'; /* JSON holds UTF-8 */
    vgg_settings_add(&settings, "data", "%s", value);
    struct vgg_checkpoint_folder held = { .path = folder, .lock = -1 };
    const char *const meta[] = { "arch", value, NULL };
    const struct vgg_checkpoint_about about = { meta, "dense_1" };
    fuzz_told(vgg_checkpoint_write(&held, &state, &(struct vgg_train_arrays) { params, moments, NULL, 2, 1 },
                                   settings.text, &about));
    struct vgg_checkpoint checkpoint = { 0 };
    fuzz_told(vgg_checkpoint_open(&checkpoint, &got, folder, settings.text, MOST + 1));
    fuzz_assert(checkpoint.file, "a checkpoint is not taken for one");
    fuzz_assert(got.epoch == state.epoch && got.epoch_step == state.epoch_step && got.step == state.step &&
                    got.pass == state.pass && got.number == state.number && got.images == state.images &&
                    same_double(got.loss, state.loss) && same_double(got.correct, state.correct),
                "a checkpoint holds another state");
    for (int i = 0; i < state.epoch; i++) {
        const struct vgg_epoch *a = &epochs[i], *b = &got.history[i];
        fuzz_assert(a->epoch == b->epoch && a->images == b->images && same_double(a->loss, b->loss) &&
                        same_double(a->accuracy, b->accuracy) && same_double(a->val_loss, b->val_loss) &&
                        same_double(a->val_accuracy, b->val_accuracy) && same_double(a->seconds, b->seconds) &&
                        same_double(a->learning_rate, b->learning_rate) &&
                        same_double(a->seconds_load, b->seconds_load) &&
                        same_double(a->seconds_train, b->seconds_train) &&
                        same_double(a->seconds_validate, b->seconds_validate),
                    "a checkpoint holds another history");
    }
    remove(checkpoint.path);
    vgg_checkpoint_close(&checkpoint);
    free(got.history);
    vgg_settings_finish(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const kinds[])(struct input *) = { try_settings, try_history, try_field, try_npy, try_state };
    if (size == 0) return 0;
    fuzz_listen();
    kinds[bytes[0] % (sizeof kinds / sizeof *kinds)](&(struct input) { bytes + 1, bytes + size });
    return 0;
}
