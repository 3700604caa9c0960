/* device_name.h: how devices are named, in one place: by --device, --on, VGG16_DEVICE and struct vgg_engine_options. */
#ifndef CORE_ENGINE_DEVICE_NAME_H
#define CORE_ENGINE_DEVICE_NAME_H

#include "core/vgg16.h"

/* A name taken apart: "cpu", "cpu:LEVEL", "cpu:LEVEL:CONV", "vulkan", "vulkan:WHICH" or WHICH, which is a number, part
 * of a device's name, or a UUID. */
struct vgg_device_name {
    const char *text;       /* the whole */
    const char *which;      /* inside text; NULL: none */
    char backend[16];       /* "cpu", "vulkan"; "": any */
    char isa[16], conv[16]; /* LEVEL and CONV, else "" */
};

/* backend: what is asked for beside the name (NULL or "auto": any), which the name must not contradict. `text` must
 * stay. VGG_ERR_ARGUMENT for a contradiction and for a part that is empty. */
enum vgg_status vgg_device_name_parse(struct vgg_device_name *name, const char *text, const char *backend);

/* The one device of the list that `name`, which has a `which`, names. A number counts the devices of name->backend,
 * those of the whole list where that is ""; a whole name comes before part of one. VGG_ERR_MISSING, with what there is,
 * for none; VGG_ERR_ARGUMENT, with the candidates, for part of several names. */
enum vgg_status vgg_device_name_find(const struct vgg_device_info **out, const struct vgg_device_name *name,
                                     const struct vgg_device_info *devices, size_t count);

/* The device's number among those of its backend. */
int vgg_device_own_index(const struct vgg_device_info *devices, const struct vgg_device_info *device);

#endif
