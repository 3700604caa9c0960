/* Damaged weight files: whichever byte is changed and wherever the file ends, opening and reading gives a status; no
 * crash, no hang, no large allocation. The sanitizers' build makes this a test of every access. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "weight_files.h"

enum { LARGEST = 1 << 20, MOST = 1 << 23 }; /* bytes of a file; elements that its compressed data may stand for */

static const char *const files[] = { "small.h5",        "small_variable.h5", "small_gzip.h5", "small_latest.h5",
                                     "small_keras3.h5", "small.safetensors", "small.pth",     "small_old.pth" };

static size_t failures;

static void on_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)line;
    failures += level == VGG_LOG_ERROR;
}

/* Opens and reads all that can be read. Each failure must have been told in exactly one line. */
static enum vgg_status use(const char *path)
{
    struct vgg_weights *weights;
    failures = 0;
    enum vgg_status status = vgg_weights_open(&weights, path);
    cr_assert(failures == (status != VGG_OK), "%zu lines for: %s", failures, vgg_status_text(status));
    for (size_t i = 0; status == VGG_OK && i < vgg_weights_count(weights); i++) {
        int rank, shape[4];
        const char *layer = vgg_weights_layer(weights, i);
        if (!vgg_weights_shape(weights, layer, &rank, shape)) continue;
        size_t count = weight_files_count(rank, shape), out = (size_t)shape[rank - 1];
        cr_assert(count <= MOST, "%zu elements in a file of some KiB", count);
        float *values = malloc((count + out + 1) * sizeof *values);
        cr_assert(values != NULL);
        (void)vgg_weights_read(weights, layer, values, rank, shape, values + count, 2, 2);
        free(values);
    }
    if (status == VGG_OK) vgg_weights_close(weights);
    return status;
}

static unsigned char *slurp(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    unsigned char *bytes = malloc(LARGEST);
    cr_assert(stream && bytes);
    *size = fread(bytes, 1, LARGEST, stream);
    fclose(stream);
    return bytes;
}

/* Runs fn on each file: its bytes, and a copy that may be changed. */
static void each_file(void (*fn)(const char *path, int fd, const unsigned char *bytes, size_t size))
{
    vgg_log_set(on_line, NULL, VGG_LOG_ERROR);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t size;
        char *path = weight_files_path(files[i]), copy[64];
        if (access(path, R_OK) != 0) {
            cr_log_warn("%s is not there: no PyTorch here", files[i]);
            free(path);
            continue;
        }
        unsigned char *bytes = slurp(path, &size);
        int fd = memfd_create("damaged", 0); /* a file in memory: hundreds of thousands of changes cost no disk */
        snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd);
        cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
        cr_assert(use(copy) == VGG_OK, "%s", files[i]);
        fn(copy, fd, bytes, size);
        cr_assert(use(copy) == VGG_OK, "%s is as it was", files[i]);
        close(fd);
        free(bytes), free(path);
    }
}

static void change_bytes(const char *path, int fd, const unsigned char *bytes, size_t size)
{
    size_t refused = 0;
    for (size_t at = 0; at < size; at++) {
        const unsigned char changed[] = { 0, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80, (unsigned char)(bytes[at] + 1) };
        for (size_t k = 0; k < sizeof changed; k++) {
            if (changed[k] == bytes[at]) continue;
            cr_assert(pwrite(fd, &changed[k], 1, (off_t)at) == 1);
            refused += use(path) != VGG_OK;
        }
        cr_assert(pwrite(fd, &bytes[at], 1, (off_t)at) == 1);
    }
    cr_assert(refused > 100, "only %zu of the changes were seen", refused);
}

static void cut_off(const char *path, int fd, const unsigned char *bytes, size_t size)
{
    for (size_t end = 0; end < size; end++) {
        cr_assert(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, end, 0) == (ssize_t)end);
        enum vgg_status status = use(path);
        if (end < 16) cr_assert(status != VGG_OK);
    }
    cr_assert(pwrite(fd, bytes, size, 0) == (ssize_t)size);
}

/* Eight bytes at a time: addresses and sizes become huge, or point back into the file. */
static void change_words(const char *path, int fd, const unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at + 8 <= size; at += 4) {
        const uint64_t words[] = { UINT64_MAX, UINT64_MAX - 8, (uint64_t)1 << 63, (uint64_t)1 << 40, size - 4, at, 96 };
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            cr_assert(pwrite(fd, &words[k], 8, (off_t)at) == 8);
            (void)use(path);
        }
        cr_assert(pwrite(fd, bytes + at, 8, (off_t)at) == 8);
    }
}

Test(weights_broken, changed_bytes, .timeout = 120)
{
    weight_files_need_zip();
    each_file(change_bytes);
}

Test(weights_broken, truncated, .timeout = 120)
{
    weight_files_need_zip();
    each_file(cut_off);
}

Test(weights_broken, changed_words, .timeout = 120)
{
    weight_files_need_zip();
    each_file(change_words);
}
