/* vk_driver.h: the Vulkan drivers that run without a GPU, each chosen by the loader's environment variables. Each of
 * these skips the running test, by the driver's name, where the driver is not installed. Call before opening anything.
 */
#ifndef TESTS_VK_DRIVER_H
#define TESTS_VK_DRIVER_H

#include "core/selftest/op_case.h"

/* Runs everything; Debian: mesa-vulkan-drivers. */
void vk_driver_lavapipe(void);
/* A second opinion, slow; Debian: chromium. */
void vk_driver_swiftshader(void);
/* The least that the specification allows, executes nothing; Debian: chromium. */
void vk_driver_mock(void);
/* A compiler for a real GPU without one: "gfx1100", "navi21", "vega10"; only creates pipelines. */
void vk_driver_radv(const char *family);

/* What the validation layer looks for: core checks and hazards between commands; accesses outside of buffers, by code
 * added to the shaders; that and races in shared memory. The settings are files in tests/vulkan. */
enum vk_driver_check { VK_DRIVER_SYNCHRONISATION, VK_DRIVER_BOUNDS, VK_DRIVER_RACES };
/* The layer over the chosen driver; its messages go to a file whose path is returned (static). */
const char *vk_driver_validate(enum vk_driver_check check);
/* Fails the test for messages in that file, and prints the first. */
void vk_driver_expect_silence(const char *log);

/* The chosen driver's first device and the CPU, side by side. */
struct vk_driver_cases {
    struct vgg_backend *cpu, *vk;
    struct vgg_op_case_list list;
};
void vk_driver_cases_open(struct vk_driver_cases *cases);
/* Runs the small cases whose text contains `part` and whose number is `phase` modulo `stride` and compares them with
 * the CPU; fails the test for each that differs. Returns how many ran. */
size_t vk_driver_cases_run(struct vk_driver_cases *cases, const char *part, size_t stride, size_t phase);
void vk_driver_cases_close(struct vk_driver_cases *cases);
/* The three of them. */
size_t vk_driver_run_cases(const char *part, size_t stride, size_t phase);

/* Fails the test for each shader of the program that no case has used so far. Returns how many shaders there are. */
int vk_driver_expect_every_shader(void);

#endif
