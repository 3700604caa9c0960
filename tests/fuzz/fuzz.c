#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---- */

static char folder[256];

static void remove_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[sizeof folder + sizeof entry->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        remove(path);
    }
    if (dir) closedir(dir);
    rmdir(folder);
}

const char *fuzz_path(const char *name)
{
    static char paths[8][sizeof folder + 64];
    static unsigned next;
    if (!*folder) {
        const char *base = getenv("TMPDIR");
        if (!base || !*base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* each file is synced */
        snprintf(folder, sizeof folder, "%s/vgg16-fuzz-XXXXXX", base);
        fuzz_assert(mkdtemp(folder), "no folder for temporary files: is TMPDIR one?");
        atexit(remove_folder);
    }
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    remove(path);
    return path;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(data, 1, size, file) == size;
    good = file && fclose(file) == 0 && good;
    fuzz_assert(good, "a temporary file cannot be written");
    return path;
}

/* ---- what the library says ---- */

static int errors, broken;
static char last[1024];

static void hear(void *user, enum vgg_log_level level, const char *line)
{
    (void)user;
    for (const char *at = line; *at; at++)
        broken += (unsigned char)*at < ' ' || *at == 0x7f;
    if (level != VGG_LOG_ERROR) return;
    errors++;
    snprintf(last, sizeof last, "%s", line);
}

void fuzz_listen(void)
{
    vgg_log_set(hear, NULL, VGG_LOG_DEBUG);
    errors = broken = 0;
    *last = '\0';
}

void fuzz_told(enum vgg_status status)
{
    bool failed = status != VGG_OK;
    if (errors == failed && !broken) return;
    fprintf(stderr, "status %s after %d lines of error and %d control characters in lines; the last: %s\n",
            vgg_status_text(status), errors, broken, last);
    abort();
}

void fuzz_assert(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "%s\n", what);
    abort();
}

void fuzz_line(const char *text, const char *what)
{
    for (; *text; text++)
        fuzz_assert((unsigned char)*text >= ' ', what);
}

/* ---- numbers ---- */

uint8_t *fuzz_put(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

uint32_t fuzz_random(uint32_t *seed)
{
    uint32_t x = *seed += 0x9E3779B9u;
    x = (x ^ x >> 16) * 0x21F0AAADu;
    x = (x ^ x >> 15) * 0x735A2D97u;
    return x ^ x >> 15;
}

size_t fuzz_below(uint32_t *seed, size_t n)
{
    return (size_t)((uint64_t)fuzz_random(seed) * n >> 32);
}
