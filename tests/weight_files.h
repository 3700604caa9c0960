/* weight_files.h: what the tests of weight files share: the files that make_weights.py writes, and their values. */
#ifndef TESTS_WEIGHT_FILES_H
#define TESTS_WEIGHT_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/weights/weights.h"

/* A python3 that has the modules ("h5py, numpy"), or NULL. */
const char *weight_files_python(const char *modules);
/* Path of a file in the folder that make_weights.py fills, which is made on the first call; skips the running test by
 * name when there is no python3 with h5py. By malloc. */
char *weight_files_path(const char *name);
/* Path of a new file of that name in a folder that is removed when the process ends. By malloc. */
char *weight_files_scratch(const char *name);

/* The value that make_weights.py gives: `layer` is the position of a convolution, 100 to 102 for the ImageNet top, 110
 * and 111 for dense_1 and dense_2. */
float weight_files_value(int layer, bool bias, size_t index);
/* Position of a layer of an architecture as `weight_files_value` takes it, or -1. */
int weight_files_layer(const char *arch, const char *name);
/* Elements of a kernel. */
size_t weight_files_count(int rank, const int shape[4]);
/* Reads every layer of an open file and compares each value. Fails the running test at the first that differs. */
void weight_files_compare(const struct vgg_weights *weights, const char *arch, const char *what);

/* Collects what the library logs: the lines of errors and warnings since the last weight_files_listen. */
void weight_files_listen(void);
/* The only error line; fails the running test when there was none or more than one. */
const char *weight_files_error(void);
/* All lines, for tests of warnings. */
const char *weight_files_lines(void);

/* Ends a test of .pth or .keras files as skipped, where this build or machine has no minizip. */
void weight_files_need_zip(void);

#endif
