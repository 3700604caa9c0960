/* The validation layer says nothing: core and synchronisation checks, and bounds checks inside of the shaders. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "vk_driver.h"

static void expect_silence(const char *log)
{
    char line[512];
    int messages = 0;
    FILE *file = fopen(log, "r");
    if (!file) return; /* the layer creates it with the first message */
    while (fgets(line, sizeof line, file)) {
        if (messages++ < 10) fprintf(stderr, "%s", line);
    }
    fclose(file);
    cr_expect_eq(messages, 0);
}

Test(vk_validation, core_and_synchronisation, .timeout = 300)
{
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(false);
    cr_expect_gt(vk_driver_run_cases("", 1, 0), 200u);
    expect_silence(log);
}

/* Instrumented, large unrolled tiles take lavapipe's compiler minutes: convolutions by texel buffers (channels in
 * eights) and one odd shape, and dense layers of one row. */
Test(vk_validation, bounds_in_shaders, .timeout = 300)
{
    static const char *const parts[] = { "POOL2",
                                         "AVGPOOL",
                                         "GMAXPOOL",
                                         "DROPOUT",
                                         "SOFTMAX",
                                         "SIGMOID",
                                         "SGD",
                                         "RMSPROP",
                                         "ADAM",
                                         "ZERO",
                                         "CONV x 1x1x1x1",
                                         "CONV_BWD_WEIGHT x 1x1x1x1",
                                         "CONV+relu x 1x4x4x8",
                                         "CONV_BWD_DATA x 1x4x4x8",
                                         "CONV_BWD_WEIGHT x 1x4x4x8" };
    size_t count = 0;
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(true);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        count += vk_driver_run_cases(parts[i], 1, 0);
    cr_expect_gt(count, 100u);
    expect_silence(log);
}
