/* cpu_backend.h: the one thing that the registry in core/op/backend.c needs to know of this room. */
#ifndef CPU_BACKEND_H
#define CPU_BACKEND_H

#include "core/op/backend.h"

/* Runs every list on this machine's processors; submit returns when the work is done. */
extern const struct vgg_backend_vtable cpu_backend_vtable;

#endif
