/* fuzz_mutate.c: the mutators that know safetensors and HDF5. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "tests/fuzz/fuzz.h"

/* ---- safetensors ---- */

/* Replaces one of the header's numbers by one that may mean something there. */
static size_t change_number(char *text, size_t size, size_t most, size_t data_size, uint32_t *seed)
{
    size_t from = fuzz_below(seed, size + 1), begin = from, end;
    while (begin < size && (text[begin] < '0' || text[begin] > '9'))
        begin++;
    if (begin == size) return size;
    for (end = begin; end < size && text[end] >= '0' && text[end] <= '9';)
        end++;
    char word[32];
    uint64_t old = strtoull(text + begin, NULL, 10);
    const uint64_t values[] = { 0,       1,         old + 1,       old - (old > 0), old * 2,
                                old / 2, data_size, data_size / 4, UINT32_MAX,      UINT64_C(1) << 53,
                                old + 4, 3 };
    int n = snprintf(word, sizeof word, "%llu",
                     (unsigned long long)values[fuzz_below(seed, sizeof values / sizeof *values)]);
    if (size - (end - begin) + (size_t)n > most) return size;
    memmove(text + begin + n, text + end, size - end);
    memcpy(text + begin, word, (size_t)n);
    return size - (end - begin) + (size_t)n;
}

/* The header's length stays right; its text, one of its numbers or the data changes. */
size_t fuzz_mutate_safetensors(uint8_t *data, size_t size, size_t most, unsigned number)
{
    uint32_t seed = number;
    uint64_t length = size >= 8 ? vgg_bytes_little(data, 8) : 0;
    size_t kind = fuzz_below(&seed, 8);
    if (size < 8 || length > size - 8 || kind == 0 || most < size) return LLVMFuzzerMutate(data, size, most);
    size_t behind = size - 8 - (size_t)length;
    if (kind == 1)
        return 8 + (size_t)length + LLVMFuzzerMutate(data + size - behind, behind, most - 8 - (size_t)length);
    uint8_t *tail = malloc(behind + 1), *head = malloc(most + 1);
    fuzz_assert(tail && head, "out of memory");
    memcpy(tail, data + size - behind, behind);
    memcpy(head, data + 8, (size_t)length);
    size_t room = most - 8 - behind;
    head[length] = '\0'; /* for strtoull */
    size_t made = kind < 5 ? change_number((char *)head, (size_t)length, room, behind, &seed)
                           : LLVMFuzzerMutate(head, (size_t)length, room);
    fuzz_put(data, made, 8);
    memcpy(data + 8, head, made);
    memcpy(data + 8 + made, tail, behind);
    free(tail);
    free(head);
    return 8 + made + behind;
}

/* ---- HDF5 ---- */

enum { MOST_PLACES = 256 };

/* Where structures begin: those with a signature, and object headers of version 1. */
static size_t find_places(size_t place[MOST_PLACES], const uint8_t *data, size_t size)
{
    static const char signatures[][5] = { "TREE", "SNOD", "HEAP", "GCOL", "OHDR", "OCHK" };
    size_t count = 0;
    for (size_t at = 0; at + 16 <= size && count < MOST_PLACES; at++) {
        bool found = at % 8 == 0 && data[at] == 1 && data[at + 1] == 0 && data[at + 3] == 0 && data[at + 4] == 1;
        for (size_t i = 0; i < sizeof signatures / sizeof *signatures && !found; i++)
            found = memcmp(data + at, signatures[i], 4) == 0;
        if (found) place[count++] = at;
    }
    return count;
}

/* Leads one address that some structure holds to another structure. */
static void redirect(uint8_t *data, size_t size, const size_t *place, size_t count, uint32_t *seed)
{
    for (int tries = 0; tries < 64; tries++) {
        size_t at = fuzz_below(seed, size - 8), target = place[fuzz_below(seed, count)];
        for (size_t k = 0; k < 64 && at + 8 <= size; k++, at++) {
            uint64_t value = vgg_bytes_little(data + at, 8);
            bool address = false;
            for (size_t i = 0; i < count && !address; i++)
                address = value == place[i] && value;
            if (!address) continue;
            fuzz_put(data + at, target, 8);
            return;
        }
    }
}

/* Copies a structure to the end of the file and leads the last address of it there. */
static size_t move_away(uint8_t *data, size_t size, size_t most, const size_t *place, size_t count, uint32_t *seed)
{
    size_t from = place[fuzz_below(seed, count)], n = 8 + fuzz_below(seed, 512), to = (size + 7) & ~(size_t)7;
    if (n > size - from) n = size - from;
    if (to + n > most) return size;
    memset(data + size, 0, to - size);
    memcpy(data + to, data + from, n);
    for (size_t at = 0; at + 8 <= size; at++) {
        if (vgg_bytes_little(data + at, 8) != from || from == 0) continue;
        fuzz_put(data + at, to, 8);
        break;
    }
    return to + n;
}

/* Signatures, and addresses but the one that changes, stay what they are; the reader looks at no checksum of headers,
 * so that none must be made anew. */
size_t fuzz_mutate_hdf(uint8_t *data, size_t size, size_t most, unsigned number)
{
    enum { REDIRECT = 2, SMALL = 4, WIDE = 8, AWAY = 10, KINDS = 12 };
    static const uint64_t numbers[] = {
        0,         1, 2, 3, 4, 8, 16, 255, 256, 4096, 65535, 1 << 20, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX - 7,
        UINT64_MAX
    };
    uint32_t seed = number;
    size_t place[MOST_PLACES], count = find_places(place, data, size), kind = fuzz_below(&seed, KINDS);
    if (count == 0 || size < 64 || kind < REDIRECT) return LLVMFuzzerMutate(data, size, most);
    for (size_t times = 1 + fuzz_below(&seed, 3); times > 0; times--) {
        if (kind < SMALL) {
            redirect(data, size, place, count, &seed);
        } else if (kind < AWAY) { /* a number of one to eight bytes near the beginning of a structure */
            int bytes = kind < WIDE ? 1 << fuzz_below(&seed, 2) : 8;
            size_t at = place[fuzz_below(&seed, count)] + fuzz_below(&seed, 128);
            uint64_t value = fuzz_below(&seed, 4) ? numbers[fuzz_below(&seed, sizeof numbers / sizeof *numbers)]
                                                  : fuzz_below(&seed, size + 1);
            if (at + 8 <= size) fuzz_put(data + at, value, bytes);
        } else {
            size = move_away(data, size, most, place, count, &seed);
        }
    }
    return size;
}
