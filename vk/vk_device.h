/* vk_device.h: opening and closing a device, with everything that hangs on it. */
#ifndef VK_DEVICE_H
#define VK_DEVICE_H

#include "vk/vk_base.h"

enum vgg_status vk_device_open(struct vk **out, int index, bool half);
void vk_device_close(struct vk *vk); /* waits for work under way */

#endif
