/* engine_ranks.h: the engines of several ranks: what each takes of its machine, and that they compute alike. */
#ifndef CORE_ENGINE_ENGINE_RANKS_H
#define CORE_ENGINE_ENGINE_RANKS_H

#include "core/engine/engine.h"

/* Fills in what `options`, which has ranks, leaves open: of several GPUs of the kind that comes first the one with this
 * rank's number on its machine (name: room for what options->device then is), and its part of the processors. */
enum vgg_status vgg_engine_choose(struct vgg_engine_options *options, char name[16]);
/* After each has been opened, or not: refuses ranks whose results could differ, by version, decoders of images or
 * `words`, the device's. */
enum vgg_status vgg_engine_agree(struct vgg_engine *engine, enum vgg_status status, const char *words);

#endif
