/* clock.h: time that only goes forward. */
#ifndef CORE_BASE_CLOCK_H
#define CORE_BASE_CLOCK_H

#include "core/base/os.h"

/* Seconds since some fixed moment. */
static inline double vgg_clock_seconds(void)
{
    return vgg_os_seconds();
}

#endif
