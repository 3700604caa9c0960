/* device.h: the backends of this build, their devices, and the dispatcher that chooses one. */
#ifndef CORE_ENGINE_DEVICE_H
#define CORE_ENGINE_DEVICE_H

#include "core/op/backend.h"

/* Every backend of this build; NULL ends the list. */
const struct vgg_backend_vtable *const *vgg_backend_registry(void);

/* All devices of all backends, numbered, the dispatcher's choice marked with its reason. backend "cpu": the CPU alone
 * (what needs no driver stands first, so that the numbers are the same), and no driver is loaded; anything else: all.
 */
enum vgg_status vgg_backend_devices(struct vgg_device_info **out, size_t *count, const char *backend);

/* The device that backend, device and isa of `options` ask for, or the best one, and the highest level of the CPU that
 * they allow ("auto": any), without opening it; see vgg_device_find. */
enum vgg_status vgg_backend_find(struct vgg_device_info *out, char isa[static 16],
                                 const struct vgg_engine_options *options);

/* Does a backend compute in a precision, by their names? NULL: fp32. True for words that are no precision. */
bool vgg_backend_computes(const char *backend, const char *precision);
/* The dispatcher: opens what `options` asks for, or the best device; logs the choice and why. */
enum vgg_status vgg_backend_open(struct vgg_backend **out, const struct vgg_engine_options *options);

#endif
