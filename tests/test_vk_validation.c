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

Test(vk_validation, core_and_synchronisation)
{
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(false);
    cr_expect_gt(vk_driver_run_cases("", 2, 0), 100u);
    expect_silence(log);
}

Test(vk_validation, bounds_in_shaders)
{
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(true);
    cr_expect_gt(vk_driver_run_cases("", 11, 3), 20u);
    expect_silence(log);
}
