/* json.h: what the writer and the reader of benchmarks agree on. */
#ifndef CORE_BENCH_JSON_H
#define CORE_BENCH_JSON_H

#include "core/format/json.h"
#include "core/vgg16_bench.h"

/* The version grows when a member changes its meaning or goes; new members may appear without that. */
#define VGG_BENCH_SCHEMA "vgg16-bench"
enum { VGG_BENCH_SCHEMA_VERSION = 1 };

/* "spread", "load", "steal": the bit of enum vgg_bench_noise; else 0. */
unsigned vgg_bench_noise_named(const char *name);
/* Adds seconds as an object of their quartiles. */
void vgg_bench_json_time(struct vgg_json *object, const char *name, const struct vgg_bench_time *time);

#endif
