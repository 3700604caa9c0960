/* fuzz.h: what the fuzz targets share. A target is a file fuzz_NAME.c: it runs one input through one reader, as
 * libFuzzer calls it, and aborts where the reader breaks its contract. Built by clang with -fsanitize=fuzzer
 * (scripts/fuzz.sh) it searches; else fuzz_main.c replays files. NAME.dict beside it has words that its format is made
 * of, corpus/NAME the inputs that once found something. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "core/vgg16.h"

/* libFuzzer's names. The mutators change `size` bytes in place and return how many there are then, `most` or fewer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

/* Writes an input to a file of that name in a folder of this process, which goes when it ends. The path, which stays
 * valid until the process ends or 8 others have been asked for. */
const char *fuzz_file(const char *name, const void *data, size_t size);
/* The path of a file that is not there, or no longer. */
const char *fuzz_path(const char *name);

/* Counts what the library says from here on. */
void fuzz_listen(void);
/* Ends the process, with what happened, unless a failure has said exactly one line, a success none, and every line was
 * one line. */
void fuzz_told(enum vgg_status status);
/* Ends the process, with these words, unless `good`. */
void fuzz_assert(bool good, const char *what);
/* The same, unless `text` can be shown in one line: holds no control character. */
void fuzz_line(const char *text, const char *what);

/* Puts `value` as `bytes` bytes, the lowest first; returns where they end. */
uint8_t *fuzz_put(uint8_t *at, uint64_t value, int bytes);

/* Number k of a stream of 32 bits that `seed` begins: a mixer for mutators. */
uint32_t fuzz_random(uint32_t *seed);
/* Below `n`, which is above 0. */
size_t fuzz_below(uint32_t *seed, size_t n);

/* Mutators that know a format: most of what they make is still a file of it. */
size_t fuzz_mutate_safetensors(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t fuzz_mutate_hdf(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t fuzz_mutate_zip(uint8_t *data, size_t size, size_t most, unsigned seed);

#endif
