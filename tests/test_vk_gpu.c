/* What GPUs run, on the software driver: its device is taken for a discrete or an integrated GPU. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "vk_driver.h"

static void open_as(const char *class)
{
    vk_driver_lavapipe();
    setenv("VGG16_VK_CLASS", class, 1);
}

TestSuite(vk_gpu, .timeout = 300);

Test(vk_gpu, discrete_operations)
{
    open_as("discrete");
    cr_expect_gt(vk_driver_run_cases("CONV", 1, 0), 60u);
    cr_expect_gt(vk_driver_run_cases("DENSE", 3, 0), 5u);
}

Test(vk_gpu, integrated_operations)
{
    open_as("integrated");
    cr_expect_gt(vk_driver_run_cases("CONV", 1, 0), 60u);
    cr_expect_gt(vk_driver_run_cases("DENSE", 3, 1), 5u);
}

Test(vk_gpu, forced_splits)
{
    static const char *const parts[] = { "2", "3", "7" };
    open_as("discrete");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        setenv("VGG16_VK_SPLIT", parts[i], 1);
        cr_expect_gt(vk_driver_run_cases("CONV", 3, i), 15u);
    }
}
