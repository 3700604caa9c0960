/* vk_driver.h: the Vulkan drivers that run without a GPU, each chosen by the loader's environment variables. Each of
 * these skips the running test, by the driver's name, where the driver is not installed. Call before opening anything.
 */
#ifndef TESTS_VK_DRIVER_H
#define TESTS_VK_DRIVER_H

#include "core/op_case.h"

/* Runs everything; Debian: mesa-vulkan-drivers. */
void vk_driver_lavapipe(void);
/* A second opinion, slow; Debian: chromium. */
void vk_driver_swiftshader(void);
/* The least that the specification allows, executes nothing; Debian: chromium. */
void vk_driver_mock(void);
/* A compiler for a real GPU without one: "gfx1100", "navi21", "vega10"; only creates pipelines. */
void vk_driver_radv(const char *family);

/* The validation layer over the chosen driver; its messages go to a file whose path is returned (static). */
const char *vk_driver_validate(bool gpu_assisted);

/* Runs the small cases whose text contains `part` and whose number is `phase` modulo `stride` on the chosen driver and
 * compares them with the CPU; fails the test for each that differs. Returns how many ran. */
size_t vk_driver_run_cases(const char *part, size_t stride, size_t phase);

#endif
