/* fuzz_main.c: a target without libFuzzer. fuzz_NAME [-runs=N] PATH...: runs each file, and those of each folder in the
 * order of their names, through the target, then N changed ones, the same from run to run. What is wrong ends the
 * process. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { MOST_INPUT = 1 << 20 };

static struct input {
    uint8_t *data;
    size_t size;
} * inputs;
static size_t count, room;
static uint32_t seed = 1;

#if defined(__GNUC__)
__attribute__((weak)) /* a target without a mutator of its own */
#endif
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned number)
{
    (void)number;
    return LLVMFuzzerMutate(data, size, most);
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    enum { FLIP, SET, INSERT, ERASE, COPY, SPLICE, KINDS };
    for (size_t times = 1 + fuzz_below(&seed, 4); times > 0; times--) {
        size_t at = fuzz_below(&seed, size + 1), n = 1 + fuzz_below(&seed, 8);
        size_t kind = fuzz_below(&seed, KINDS);
        if (n > most - size) n = most - size;
        if (kind == INSERT || size == 0) {
            memmove(data + at + n, data + at, size - at);
            for (size_t i = 0; i < n; i++)
                data[at + i] = (uint8_t)fuzz_random(&seed);
            size += n;
            continue;
        }
        at = at < size ? at : size - 1;
        n = 1 + fuzz_below(&seed, size - at < 8 ? size - at : 8);
        if (kind == FLIP) data[at] ^= (uint8_t)(1u << fuzz_below(&seed, 8));
        if (kind == SET) memset(data + at, (const int[]) { 0, 1, 0x7f, 0x80, 0xff }[fuzz_below(&seed, 5)], n);
        if (kind == COPY) memmove(data + at, data + fuzz_below(&seed, size - n + 1), n);
        if (kind == ERASE && n < size) {
            memmove(data + at, data + at + n, size - at - n);
            size -= n;
        }
        if (kind == SPLICE) {
            const struct input *other = &inputs[fuzz_below(&seed, count)];
            if (other->size < n) continue;
            memcpy(data + at, other->data + fuzz_below(&seed, other->size - n + 1), n);
        }
    }
    return size;
}

static void add_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    fuzz_assert(file, path);
    if (count == room) {
        room = room ? 2 * room : 64;
        inputs = realloc(inputs, room * sizeof *inputs);
        fuzz_assert(inputs, "out of memory");
    }
    uint8_t *data = malloc(MOST_INPUT);
    fuzz_assert(data, "out of memory");
    size_t size = fread(data, 1, MOST_INPUT, file);
    fclose(file);
    /* Of its very size, so that a sanitizer sees what reads beyond. */
    uint8_t *fitting = realloc(data, size ? size : 1);
    inputs[count++] = (struct input) { fitting ? fitting : data, size };
}

static void add(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0 && errno == ENOENT) printf("[SKIP] %s is not there: make_seeds.py needs h5py, numpy and Pillow\n", path);
    if (n < 0 && errno == ENOTDIR) add_file(path);
    for (int i = 0; i < n; i++) {
        char *inside = malloc(strlen(path) + strlen(entries[i]->d_name) + 2);
        fuzz_assert(inside, "out of memory");
        sprintf(inside, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') add_file(inside);
        free(inside);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
}

int main(int argc, char **argv)
{
    unsigned long runs = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "-runs=", 6) == 0) {
            runs = strtoul(argv[i] + 6, NULL, 10);
        } else {
            add(argv[i]);
        }
    }
    if (argc < 2) {
        fprintf(stderr, "%s: no input; give files or folders of them\n", argv[0]);
        return 2;
    }
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(inputs[i].data, inputs[i].size);
    uint8_t *data = malloc(MOST_INPUT);
    fuzz_assert(data, "out of memory");
    for (unsigned long run = 0; run < runs; run++) {
        const struct input *from = &inputs[fuzz_below(&seed, count)];
        memcpy(data, from->data, from->size);
        size_t size = LLVMFuzzerCustomMutator(data, from->size, MOST_INPUT, fuzz_random(&seed));
        uint8_t *fitting = malloc(size ? size : 1);
        fuzz_assert(fitting, "out of memory");
        memcpy(fitting, data, size);
        LLVMFuzzerTestOneInput(fitting, size);
        free(fitting);
    }
    printf("%zu files and %lu changed ones\n", count, runs);
    free(data);
    for (size_t i = 0; i < count; i++)
        free(inputs[i].data);
    free(inputs);
    return 0;
}
