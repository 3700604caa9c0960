/* vk_driver.h: the Vulkan drivers that run without a GPU, each chosen by the loader's environment variables. Each of
 * these skips the running test, by the driver's name, where the driver is not installed. Call before opening anything.
 */
#ifndef TESTS_VK_DRIVER_H
#define TESTS_VK_DRIVER_H

#include "core/selftest/op_case.h"
#include "vk/vk_class.h"

/* Runs everything; Debian: mesa-vulkan-drivers, or the driver file that VGG16_TEST_LAVAPIPE names. */
void vk_driver_lavapipe(void);
/* A second opinion, slow; Debian: chromium. */
void vk_driver_swiftshader(void);
/* The least that the specification allows, executes nothing; Debian: chromium. */
void vk_driver_mock(void);
/* A compiler for a real GPU without one: "navi31", "navi21", "vega10"; only creates pipelines. VGG16_TEST_RADV names
 * the file of another RADV than the installed one. */
void vk_driver_radv(const char *family);

/* What the validation layer looks for: core checks and hazards between commands; accesses outside of buffers, by code
 * added to the shaders; that and races in shared memory. The settings are files in tests/vulkan. */
enum vk_driver_check { VK_DRIVER_SYNCHRONISATION, VK_DRIVER_BOUNDS, VK_DRIVER_RACES };
/* The layer over the chosen driver; its messages go to a file whose path is returned (static). */
const char *vk_driver_validate(enum vk_driver_check check);
/* Fails the test for messages in that file, and prints the first. */
void vk_driver_expect_silence(const char *log);

/* The chosen driver's first device and plain C, side by side. */
struct vk_driver_cases {
    struct vgg_backend *cpu, *vk;
    struct vgg_op_case_list list;
};
void vk_driver_cases_open(struct vk_driver_cases *cases);
/* In precision fp16: what runs is compared with plain C on operands rounded to fp16. */
void vk_driver_cases_open_half(struct vk_driver_cases *cases);
/* Runs the small cases whose text contains `part` and whose number is `phase` modulo `stride` and compares them with
 * the CPU; fails the test for each that differs. Returns how many ran. */
size_t vk_driver_cases_run(struct vk_driver_cases *cases, const char *part, size_t stride, size_t phase);
/* One case, whatever its size. */
void vk_driver_cases_run_one(const struct vk_driver_cases *cases, const struct vgg_op_case *test);
/* Every case, VGG16's layers among them. */
size_t vk_driver_cases_run_all(struct vk_driver_cases *cases);
void vk_driver_cases_close(struct vk_driver_cases *cases);
/* The three of them. */
size_t vk_driver_run_cases(const char *part, size_t stride, size_t phase);

/* Convolutions, their gradients and dense layers of any shape. */
struct vk_driver_shape {
    int n, h, w, in, out;
};
struct vgg_op_case vk_driver_conv_case(const struct vk_driver_shape *s, enum vgg_op_kind kind, unsigned flags,
                                       bool arg);
struct vgg_op_case vk_driver_dense_case(int n, int in, int out);

/* Fails the test for each shader of the program that no case has used so far. Returns how many shaders there are. */
int vk_driver_expect_every_shader(void);
/* The same for the shaders that the table gives a class, and for each of their constants that has not been both true
 * and false so far, but for `except`: NULL, or exceptions with a NULL shader last. Returns how many shaders there are.
 */
struct vk_driver_exception {
    const char *shader;
    int constant;
};
int vk_driver_expect_ways(const struct vk_class *class, const struct vk_driver_exception *except);
/* The same for the shaders of matrix cores. */
int vk_driver_expect_matrices(const struct vk_class *class);

#endif
