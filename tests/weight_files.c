#include "weight_files.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <libgen.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/weights/names.h"

enum { PATH = 4096 };

static char scratch[PATH];
static char lines[1 << 16];
static int errors;

const char *weight_files_python(const char *modules)
{
    static const char *const places[] = { "python3", "/usr/bin/python3" };
    char command[512];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(command, sizeof command, "%s -c 'import %s' >/dev/null 2>&1", places[i], modules);
        if (system(command) == 0) return places[i];
    }
    return NULL;
}

/* The folder of the running program. */
static void program_folder(char folder[PATH])
{
    char path[PATH];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    cr_assert(n > 0);
    path[n] = '\0';
    snprintf(folder, PATH, "%s", dirname(path));
}

/* When make_weights.py, or what it makes some of the files by, changed last. */
static time_t scripts_changed(void)
{
    struct stat weights, pickles;
    cr_assert(stat("make_weights.py", &weights) == 0 && stat("make_pickles.py", &pickles) == 0,
              "run from the folder tests");
    return weights.st_mtime > pickles.st_mtime ? weights.st_mtime : pickles.st_mtime;
}

/* Fills the folder once, whichever test of whichever program comes first; again when the scripts have changed. */
static void make_files(const char *folder)
{
    char path[PATH + 64], command[4 * PATH];
    struct stat made;
    snprintf(path, sizeof path, "%s.lock", folder);
    int fd = open(path, O_CREAT | O_RDWR, 0666);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
    snprintf(path, sizeof path, "%s/done", folder);
    if (stat(path, &made) != 0 || made.st_mtime <= scripts_changed()) {
        const char *python = weight_files_python("h5py, numpy");
        if (!python) {
            close(fd);
            cr_skip_test("no python3 with h5py and numpy here (Debian: python3-h5py)");
        }
        snprintf(command, sizeof command, "rm -rf '%s' && %s make_weights.py '%s' && touch '%s'", folder, python,
                 folder, path);
        cr_assert(system(command) == 0, "%s", command);
    }
    close(fd);
}

char *weight_files_path(const char *name)
{
    char folder[PATH], path[2 * PATH];
    program_folder(path);
    snprintf(folder, sizeof folder, "%.4000s/weight_files", path);
    make_files(folder);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return strdup(path);
}

static void remove_scratch(void)
{
    char command[PATH + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    if (system(command) != 0) perror(command);
}

char *weight_files_scratch(const char *name)
{
    char path[2 * PATH];
    if (!*scratch) {
        program_folder(path);
        snprintf(scratch, sizeof scratch, "%.4000s/weights-XXXXXX", path);
        cr_assert(mkdtemp(scratch) != NULL);
        atexit(remove_scratch);
    }
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return strdup(path);
}

float weight_files_value(int layer, bool bias, size_t index)
{
    uint64_t mixed = (uint64_t)layer * 7919 + (uint64_t)bias * 104729 + index * 31;
    return ((float)(mixed % 2003) - 1001) / 1024;
}

int weight_files_layer(const char *arch, const char *name)
{
    static const struct {
        const char *name;
        int layer;
    } dense[] = { { "fc1", 100 }, { "fc2", 101 }, { "predictions", 102 }, { "dense_1", 110 }, { "dense_2", 111 } };
    char conv[VGG_WEIGHTS_NAME];
    int number;
    for (size_t i = 0; i < sizeof dense / sizeof *dense; i++) {
        if (strcmp(name, dense[i].name) == 0) return dense[i].layer;
    }
    for (int k = 0; vgg_weights_names_conv(arch, k, conv, &number); k++) {
        if (strcmp(conv, name) == 0) return k;
    }
    return -1;
}

size_t weight_files_count(int rank, const int shape[4])
{
    size_t count = 1;
    for (int k = 0; k < rank; k++)
        count *= (size_t)shape[k];
    return count;
}

void weight_files_compare(const struct vgg_weights *weights, const char *arch, const char *what)
{
    for (size_t i = 0; i < vgg_weights_count(weights); i++) {
        const char *name = vgg_weights_layer(weights, i);
        int rank, shape[4], layer = weight_files_layer(arch, name);
        cr_assert(layer >= 0, "%s: unexpected layer %s", what, name);
        cr_assert(vgg_weights_shape(weights, name, &rank, shape), "%s: %s has no shape", what, name);
        size_t out = (size_t)shape[rank - 1], count = weight_files_count(rank, shape);
        float *kernel = malloc((count + out) * sizeof *kernel), *bias = kernel + count;
        cr_assert(kernel != NULL);
        int side = strcmp(name, "fc1") == 0 ? 7 : strcmp(name, "dense_1") == 0 ? 4 : 1;
        cr_assert(vgg_weights_read(weights, name, kernel, rank, shape, bias, side, side) == VGG_OK, "%s: %s", what,
                  name);
        for (size_t k = 0; k < count; k++) {
            if (kernel[k] == weight_files_value(layer, false, k)) continue;
            cr_assert(false, "%s: %s kernel[%zu] is %g, not %g", what, name, k, kernel[k],
                      weight_files_value(layer, false, k));
        }
        for (size_t k = 0; k < out; k++) {
            cr_assert(bias[k] == weight_files_value(layer, true, k), "%s: %s bias[%zu]", what, name, k);
        }
        free(kernel);
    }
}

static void on_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    size_t n = strlen(lines);
    errors += level == VGG_LOG_ERROR;
    cr_assert(strchr(line, '\n') == NULL, "more than one line: %s", line);
    snprintf(lines + n, sizeof lines - n, "%s\n", line);
}

void weight_files_listen(void)
{
    lines[0] = '\0';
    errors = 0;
    vgg_log_set(on_line, NULL, VGG_LOG_WARNING);
}

const char *weight_files_error(void)
{
    cr_assert(errors == 1, "%d errors: %s", errors, lines);
    return lines;
}

const char *weight_files_lines(void)
{
    return lines;
}

void weight_files_need_zip(void)
{
    if (strncmp(vgg_zip_library(), "none", 4) == 0) cr_skip_test("no minizip here (Debian: libminizip-dev)");
}
