/* The pipelines of a list: created together, by no more threads than there are processors, each once; what the driver
 * refuses or loses meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/os_thread.h"
#include "shaders/common/params.h"
#include "vk/vk_device.h"
#include "vk_driver.h"

TestSuite(vk_pipe, .timeout = 120);

enum { SEEN = 64 };

static struct vk_fn real;
static struct vgg_os_mutex lock = VGG_OS_MUTEX_INIT;
static struct {
    int at_once, most, calls, live; /* live: pipelines and modules that are not destroyed */
    uint32_t spec[SEEN][VK_SPEC_COUNT];
    const uint32_t *code[SEEN];
} seen;
static _Thread_local const uint32_t *code; /* of the module that this thread made last */
static VkResult failure;                   /* of call number fails_at, 0: none */
static int fails_at;

/* Slow enough for calls to meet. */
static VkResult create_pipeline(VkDevice device, VkPipelineCache cache, uint32_t count,
                                const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *memory,
                                VkPipeline *out)
{
    const VkSpecializationInfo *spec = info->stage.pSpecializationInfo;
    vgg_os_mutex_lock(&lock);
    int call = ++seen.calls;
    cr_assert_leq(call, (int)SEEN);
    memcpy(seen.spec[call - 1], spec->pData, spec->dataSize);
    seen.code[call - 1] = code;
    if (++seen.at_once > seen.most) seen.most = seen.at_once;
    vgg_os_mutex_unlock(&lock);
    usleep(30000);
    VkResult result = call == fails_at ? failure : real.CreateComputePipelines(device, cache, count, info, memory, out);
    vgg_os_mutex_lock(&lock);
    seen.at_once--;
    seen.live += result == VK_SUCCESS;
    vgg_os_mutex_unlock(&lock);
    return result;
}

static void destroy_pipeline(VkDevice device, VkPipeline pipeline, const VkAllocationCallbacks *memory)
{
    seen.live--;
    real.DestroyPipeline(device, pipeline, memory);
}

static VkResult create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                              const VkAllocationCallbacks *memory, VkShaderModule *out)
{
    vgg_os_mutex_lock(&lock);
    seen.live++;
    vgg_os_mutex_unlock(&lock);
    code = info->pCode;
    return real.CreateShaderModule(device, info, memory, out);
}

static void destroy_module(VkDevice device, VkShaderModule module, const VkAllocationCallbacks *memory)
{
    vgg_os_mutex_lock(&lock);
    seen.live--;
    vgg_os_mutex_unlock(&lock);
    real.DestroyShaderModule(device, module, memory);
}

static char last_error[512];

static void keep_error(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level;
    snprintf(last_error, sizeof last_error, "%s", line);
}

/* A gradient of kernels, which takes several shaders, on a device whose call number `at` fails with `result`. */
static enum vgg_status run(VkResult result, int at)
{
    struct vk_driver_cases cases;
    struct vgg_op_case_memory expected, got;
    struct vgg_op_case_error error;
    const struct vgg_op_case test =
        vk_driver_conv_case(&(struct vk_driver_shape) { 2, 20, 20, 64, 72 }, VGG_OP_CONV_BWD_WEIGHT, 0, false);
    vk_driver_lavapipe();
    vgg_log_set(keep_error, NULL, VGG_LOG_ERROR);
    vk_driver_cases_open(&cases);
    struct vk_fn *fn = &((struct vk *)cases.vk)->lib.fn;
    real = *fn;
    fn->CreateComputePipelines = create_pipeline;
    fn->DestroyPipeline = destroy_pipeline;
    fn->CreateShaderModule = create_module;
    fn->DestroyShaderModule = destroy_module;
    memset(&seen, 0, sizeof seen);
    failure = result, fails_at = at;
    last_error[0] = '\0';
    cr_assert_eq(vgg_op_case_memory_init(&expected, &test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, &test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cases.cpu, &test, &expected, NULL), VGG_OK);
    enum vgg_status status = vgg_op_case_run(cases.vk, &test, &got, NULL);
    if (status == VGG_OK)
        cr_expect(vgg_op_case_check(&test, &expected, &got, &error), "%s %g", error.what, error.error);
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
    vk_driver_cases_close(&cases);
    cr_expect_eq(seen.live, 0, "%d are left behind", seen.live);
    return status;
}

Test(vk_pipe, created_together_and_once)
{
    cr_assert_eq(run(VK_SUCCESS, 0), VGG_OK);
    int processors = vgg_limits_processors();
    cr_assert_geq(seen.calls, 4);
    cr_expect_leq(seen.most, processors);
    cr_expect(seen.most > 1 || processors == 1, "one after the other");
    for (int i = 0; i < seen.calls; i++)
        for (int k = 0; k < i; k++)
            cr_expect(seen.code[i] != seen.code[k] || memcmp(seen.spec[i], seen.spec[k], sizeof *seen.spec) != 0,
                      "calls %d and %d ask for the same", k + 1, i + 1);
}

/* Whichever it is: another serves, or the shader is named. */
Test(vk_pipe, refused_ones)
{
    cr_assert_eq(run(VK_SUCCESS, 0), VGG_OK);
    int calls = seen.calls, refused = 0;
    for (int at = 1; at <= calls; at++) {
        enum vgg_status status = run(VK_ERROR_OUT_OF_HOST_MEMORY, at);
        refused += status != VGG_OK;
        if (status == VGG_OK) continue;
        cr_expect_eq(status, VGG_ERR_UNSUPPORTED);
        cr_expect(strstr(last_error, "refuses shader") || strstr(last_error, "CONV_BWD_WEIGHT"), "%s", last_error);
    }
    cr_expect_lt(refused, calls);
}

Test(vk_pipe, a_device_lost_among_them)
{
    cr_assert_eq(run(VK_SUCCESS, 0), VGG_OK);
    int calls = seen.calls;
    for (int at = 1; at <= calls; at++) {
        cr_expect_eq(run(VK_ERROR_DEVICE_LOST, at), VGG_ERR_DEVICE_LOST);
        cr_expect(strstr(last_error, "vkCreateComputePipelines"), "%s", last_error);
        cr_expect_leq(seen.calls, at + vgg_limits_processors(), "after a loss nothing more is asked for");
    }
}
