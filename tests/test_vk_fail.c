/* The k-th Vulkan call fails, for every k: an error code each time, nothing leaks, nothing hangs; a lost device stays
 * lost; a refused pipeline gives way to a smaller one. */
#include <criterion/criterion.h>
#include <string.h>

#include "vk/vk_device.h"
#include "vk_driver.h"

static struct vk_fn real;
static int countdown; /* the call that makes it 0 fails */
static VkResult failure;

static bool fails(void)
{
    return --countdown == 0;
}

static VkResult allocate_memory(VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a,
                                VkDeviceMemory *out)
{
    return fails() ? failure : real.AllocateMemory(d, i, a, out);
}

static VkResult map_memory(VkDevice d, VkDeviceMemory m, VkDeviceSize at, VkDeviceSize size, VkMemoryMapFlags f,
                           void **out)
{
    return fails() ? failure : real.MapMemory(d, m, at, size, f, out);
}

static VkResult create_buffer(VkDevice d, const VkBufferCreateInfo *i, const VkAllocationCallbacks *a, VkBuffer *out)
{
    return fails() ? failure : real.CreateBuffer(d, i, a, out);
}

static VkResult bind_buffer(VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize at)
{
    return fails() ? failure : real.BindBufferMemory(d, b, m, at);
}

static VkResult create_module(VkDevice d, const VkShaderModuleCreateInfo *i, const VkAllocationCallbacks *a,
                              VkShaderModule *out)
{
    return fails() ? failure : real.CreateShaderModule(d, i, a, out);
}

static VkResult create_pipelines(VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i,
                                 const VkAllocationCallbacks *a, VkPipeline *out)
{
    return fails() ? failure : real.CreateComputePipelines(d, c, n, i, a, out);
}

static VkResult create_descriptor_pool(VkDevice d, const VkDescriptorPoolCreateInfo *i, const VkAllocationCallbacks *a,
                                       VkDescriptorPool *out)
{
    return fails() ? failure : real.CreateDescriptorPool(d, i, a, out);
}

static VkResult allocate_sets(VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out)
{
    return fails() ? failure : real.AllocateDescriptorSets(d, i, out);
}

static VkResult allocate_commands(VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out)
{
    return fails() ? failure : real.AllocateCommandBuffers(d, i, out);
}

static VkResult begin_commands(VkCommandBuffer c, const VkCommandBufferBeginInfo *i)
{
    return fails() ? failure : real.BeginCommandBuffer(c, i);
}

static VkResult end_commands(VkCommandBuffer c)
{
    return fails() ? failure : real.EndCommandBuffer(c);
}

static VkResult create_queries(VkDevice d, const VkQueryPoolCreateInfo *i, const VkAllocationCallbacks *a,
                               VkQueryPool *out)
{
    return fails() ? failure : real.CreateQueryPool(d, i, a, out);
}

static VkResult submit(VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence f)
{
    return fails() ? failure : real.QueueSubmit(q, n, i, f);
}

static VkResult wait_semaphores(VkDevice d, const VkSemaphoreWaitInfo *i, uint64_t timeout)
{
    return fails() ? failure : real.WaitSemaphores(d, i, timeout);
}

static void intercept(struct vk *vk)
{
    struct vk_fn *fn = &vk->lib.fn;
    real = *fn;
    fn->AllocateMemory = allocate_memory;
    fn->MapMemory = map_memory;
    fn->CreateBuffer = create_buffer;
    fn->BindBufferMemory = bind_buffer;
    fn->CreateShaderModule = create_module;
    fn->CreateComputePipelines = create_pipelines;
    fn->CreateDescriptorPool = create_descriptor_pool;
    fn->AllocateDescriptorSets = allocate_sets;
    fn->AllocateCommandBuffers = allocate_commands;
    fn->BeginCommandBuffer = begin_commands;
    fn->EndCommandBuffer = end_commands;
    fn->CreateQueryPool = create_queries;
    fn->QueueSubmit = submit;
    fn->WaitSemaphores = wait_semaphores;
}

/* A case that needs scratch and several shaders. */
static const struct vgg_op_case *find_case(const struct vgg_op_case_list *list, enum vgg_op_kind kind)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].op.kind == kind && list->item[i].op.x.h == 13) return &list->item[i];
    }
    cr_assert_fail("no such case");
    return NULL;
}

static void fail_every_call(enum vgg_op_kind kind, VkResult error)
{
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    const struct vgg_op_case *test = find_case(&list, kind);
    int k = 1;
    for (bool reached = true; reached && k < 500; k++) {
        struct vgg_backend *backend;
        struct vgg_op_case_memory memory;
        cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
        struct vk *vk = (struct vk *)backend;
        intercept(vk);
        failure = error;
        countdown = k;
        cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
        enum vgg_status status = vgg_op_case_run(backend, test, &memory, NULL);
        reached = countdown <= 0;
        if (!reached) cr_expect_eq(status, VGG_OK);
        if (reached && error == VK_ERROR_DEVICE_LOST) {
            cr_expect(vk->lost, "call %d", k);
            countdown = 0;
            struct vgg_buf *buf = NULL;
            if (status != VGG_OK) cr_expect_eq(vgg_buf_create(backend, &buf, 16), VGG_ERR_DEVICE_LOST);
        }
        countdown = 0;
        vgg_op_case_memory_finish(&memory);
        vgg_backend_close(backend);
    }
    cr_expect_gt(k, 20);
    vgg_op_case_list_finish(&list);
}

static void quiet(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

Test(vk_fail, out_of_memory)
{
    vk_driver_lavapipe();
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    fail_every_call(VGG_OP_CONV_BWD_WEIGHT, VK_ERROR_OUT_OF_DEVICE_MEMORY);
}

Test(vk_fail, device_lost)
{
    vk_driver_lavapipe();
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    fail_every_call(VGG_OP_CONV_BWD_WEIGHT, VK_ERROR_DEVICE_LOST);
}

/* The first pipeline of a convolution is refused: the next smaller variant gives the same result. */
Test(vk_fail, refused_pipeline)
{
    const struct vgg_engine_options options = { .backend = "vulkan" }, plain = { .backend = "cpu" };
    struct vgg_op_case_list list;
    struct vgg_op_case_memory expected, got;
    struct vgg_op_case_error error;
    struct vgg_backend *backend, *cpu;
    vk_driver_lavapipe();
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    const struct vgg_op_case *test = find_case(&list, VGG_OP_CONV);
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    cr_assert_eq(vgg_backend_open(&cpu, &plain), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cpu, test, &expected, NULL), VGG_OK);
    struct vk *vk = (struct vk *)backend;
    real = vk->lib.fn;
    vk->lib.fn.CreateComputePipelines = create_pipelines;
    failure = VK_ERROR_INITIALIZATION_FAILED;
    countdown = 1;
    cr_expect_eq(vgg_op_case_run(backend, test, &got, NULL), VGG_OK);
    cr_expect_leq(countdown, -1, "a second variant was asked for");
    cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s %g", error.what, error.error);
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
    vgg_backend_close(backend);
    vgg_backend_close(cpu);
    vgg_op_case_list_finish(&list);
}
