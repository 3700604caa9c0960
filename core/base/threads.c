#include "core/base/threads.h"

#include <omp.h>

#include "core/base/log.h"
#include "core/base/os_thread.h"

enum { OTHERS = 4 };

int vgg_threads_start(int wanted)
{
    static _Thread_local int started = 1;
    static _Thread_local bool lacking;
    if (wanted == 0) wanted = started > 1 || lacking ? started : omp_get_max_threads();
    if (wanted <= started) return wanted;
    int possible = started - 1 + vgg_os_threads_possible(wanted - started + 1), threads = wanted, there = 0;
    lacking = possible < wanted;
    if (lacking) {
        threads = possible > OTHERS + started ? possible - OTHERS : started;
        vgg_log(VGG_LOG_WARNING, "of %d threads %d can be started here; the CPU computes with %d", wanted, possible,
                threads);
    }
#pragma omp parallel num_threads(threads)
    {
#pragma omp atomic
        there += 1;
    }
    return started = there;
}
