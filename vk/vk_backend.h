/* vk_backend.h: this room's only export. */
#ifndef VK_BACKEND_H
#define VK_BACKEND_H

#include "core/op/backend.h"

/* Every Vulkan 1.2 device. devices() finds none, and says so nowhere, where there is no libvulkan. */
extern const struct vgg_backend_vtable vk_backend_vtable;

#endif
