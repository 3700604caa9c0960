/* vk_cache.h: the driver's pipeline cache in a file of its own, trusted only when everything about it fits. */
#ifndef VK_CACHE_H
#define VK_CACHE_H

#include "vk/vk_base.h"

/* Reads the cache of this device, driver and set of shaders from $XDG_CACHE_HOME/vgg16; *data by malloc, NULL when
 * there is none or when any field of its header differs. Never an error. */
void vk_cache_load(const struct vk *vk, void **data, size_t *size);
/* Written aside, synced, renamed. A folder that cannot be written is no error: the next start compiles again. */
void vk_cache_save(const struct vk *vk, const void *data, size_t size);

/* What was found about this driver's matrix cores (vk_matrix_check.c), kept likewise; 0: nothing yet. */
char vk_cache_verdict(const struct vk *vk);
void vk_cache_keep_verdict(const struct vk *vk, char verdict);

#endif
