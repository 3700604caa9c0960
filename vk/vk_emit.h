/* vk_emit.h: recordings become command buffers. */
#ifndef VK_EMIT_H
#define VK_EMIT_H

#include "vk/vk_rec.h"

/* After lowering: cuts the dispatches into pieces and records these as command buffers. */
enum vgg_status vk_emit(struct vk *vk, struct vk_rec *rec);

#endif
