/* The k-th Vulkan call fails, for every k: an error code each time, nothing leaks, nothing hangs; a lost device stays
 * lost; a refused pipeline gives way to a smaller one. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

#include "core/engine/device.h"
#include "vk/vk_device.h"
#include "vk_driver.h"

static struct vk_fn real;
static atomic_int countdown; /* the call that makes it 0 fails; threads make pipelines */
static VkResult failure;
static const char *_Atomic failed; /* which call that was */

static bool fails(const char *name)
{
    if (atomic_fetch_sub(&countdown, 1) != 1) return false;
    failed = name;
    return true;
}

static VkResult allocate_memory(VkDevice d, const VkMemoryAllocateInfo *i, const VkAllocationCallbacks *a,
                                VkDeviceMemory *out)
{
    return fails(__func__) ? failure : real.AllocateMemory(d, i, a, out);
}

static VkResult map_memory(VkDevice d, VkDeviceMemory m, VkDeviceSize at, VkDeviceSize size, VkMemoryMapFlags f,
                           void **out)
{
    return fails(__func__) ? failure : real.MapMemory(d, m, at, size, f, out);
}

static VkResult create_buffer(VkDevice d, const VkBufferCreateInfo *i, const VkAllocationCallbacks *a, VkBuffer *out)
{
    return fails(__func__) ? failure : real.CreateBuffer(d, i, a, out);
}

static VkResult bind_buffer(VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize at)
{
    return fails(__func__) ? failure : real.BindBufferMemory(d, b, m, at);
}

static VkResult create_module(VkDevice d, const VkShaderModuleCreateInfo *i, const VkAllocationCallbacks *a,
                              VkShaderModule *out)
{
    return fails(__func__) ? failure : real.CreateShaderModule(d, i, a, out);
}

static VkResult create_pipelines(VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i,
                                 const VkAllocationCallbacks *a, VkPipeline *out)
{
    return fails(__func__) ? failure : real.CreateComputePipelines(d, c, n, i, a, out);
}

static VkResult create_descriptor_pool(VkDevice d, const VkDescriptorPoolCreateInfo *i, const VkAllocationCallbacks *a,
                                       VkDescriptorPool *out)
{
    return fails(__func__) ? failure : real.CreateDescriptorPool(d, i, a, out);
}

static VkResult allocate_sets(VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out)
{
    return fails(__func__) ? failure : real.AllocateDescriptorSets(d, i, out);
}

static VkResult allocate_commands(VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out)
{
    return fails(__func__) ? failure : real.AllocateCommandBuffers(d, i, out);
}

static VkResult begin_commands(VkCommandBuffer c, const VkCommandBufferBeginInfo *i)
{
    return fails(__func__) ? failure : real.BeginCommandBuffer(c, i);
}

static VkResult end_commands(VkCommandBuffer c)
{
    return fails(__func__) ? failure : real.EndCommandBuffer(c);
}

static VkResult create_queries(VkDevice d, const VkQueryPoolCreateInfo *i, const VkAllocationCallbacks *a,
                               VkQueryPool *out)
{
    return fails(__func__) ? failure : real.CreateQueryPool(d, i, a, out);
}

static VkResult submit(VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence f)
{
    return fails(__func__) ? failure : real.QueueSubmit(q, n, i, f);
}

static VkResult wait_semaphores(VkDevice d, const VkSemaphoreWaitInfo *i, uint64_t timeout)
{
    return fails(__func__) ? failure : real.WaitSemaphores(d, i, timeout);
}

static VkResult create_view(VkDevice d, const VkBufferViewCreateInfo *i, const VkAllocationCallbacks *a,
                            VkBufferView *out)
{
    return fails(__func__) ? failure : real.CreateBufferView(d, i, a, out);
}

static VkResult create_set_layout(VkDevice d, const VkDescriptorSetLayoutCreateInfo *i, const VkAllocationCallbacks *a,
                                  VkDescriptorSetLayout *out)
{
    return fails(__func__) ? failure : real.CreateDescriptorSetLayout(d, i, a, out);
}

static VkResult create_layout(VkDevice d, const VkPipelineLayoutCreateInfo *i, const VkAllocationCallbacks *a,
                              VkPipelineLayout *out)
{
    return fails(__func__) ? failure : real.CreatePipelineLayout(d, i, a, out);
}

static VkResult create_cache(VkDevice d, const VkPipelineCacheCreateInfo *i, const VkAllocationCallbacks *a,
                             VkPipelineCache *out)
{
    return fails(__func__) ? failure : real.CreatePipelineCache(d, i, a, out);
}

static VkResult get_cache(VkDevice d, VkPipelineCache c, size_t *size, void *data)
{
    return fails(__func__) ? failure : real.GetPipelineCacheData(d, c, size, data);
}

static VkResult create_command_pool(VkDevice d, const VkCommandPoolCreateInfo *i, const VkAllocationCallbacks *a,
                                    VkCommandPool *out)
{
    return fails(__func__) ? failure : real.CreateCommandPool(d, i, a, out);
}

static VkResult create_semaphore(VkDevice d, const VkSemaphoreCreateInfo *i, const VkAllocationCallbacks *a,
                                 VkSemaphore *out)
{
    return fails(__func__) ? failure : real.CreateSemaphore(d, i, a, out);
}

static VkResult get_counter(VkDevice d, VkSemaphore s, uint64_t *value)
{
    return fails(__func__) ? failure : real.GetSemaphoreCounterValue(d, s, value);
}

static VkResult get_queries(VkDevice d, VkQueryPool p, uint32_t first, uint32_t n, size_t size, void *data,
                            VkDeviceSize stride, VkQueryResultFlags f)
{
    return fails(__func__) ? failure : real.GetQueryPoolResults(d, p, first, n, size, data, stride, f);
}

static VkResult create_device(VkPhysicalDevice p, const VkDeviceCreateInfo *i, const VkAllocationCallbacks *a,
                              VkDevice *out)
{
    return fails(__func__) ? failure : real.CreateDevice(p, i, a, out);
}

static VkResult list_devices(VkInstance i, uint32_t *n, VkPhysicalDevice *out)
{
    return fails(__func__) ? failure : real.EnumeratePhysicalDevices(i, n, out);
}

static VkResult list_extensions(VkPhysicalDevice p, const char *layer, uint32_t *n, VkExtensionProperties *out)
{
    return fails(__func__) ? failure : real.EnumerateDeviceExtensionProperties(p, layer, n, out);
}

/* The linker sends the backend's calls of vk_lib_open and vk_lib_device here. */
void __real_vk_lib_open(struct vk_lib *lib);
bool __real_vk_lib_device(struct vk_fn *fn, VkDevice device);
void __wrap_vk_lib_open(struct vk_lib *lib);
bool __wrap_vk_lib_device(struct vk_fn *fn, VkDevice device);

void __wrap_vk_lib_open(struct vk_lib *lib)
{
    __real_vk_lib_open(lib);
    if (!lib->instance) return;
    real.CreateDevice = lib->fn.CreateDevice;
    real.EnumeratePhysicalDevices = lib->fn.EnumeratePhysicalDevices;
    real.EnumerateDeviceExtensionProperties = lib->fn.EnumerateDeviceExtensionProperties;
    lib->fn.CreateDevice = create_device;
    lib->fn.EnumeratePhysicalDevices = list_devices;
    lib->fn.EnumerateDeviceExtensionProperties = list_extensions;
}

bool __wrap_vk_lib_device(struct vk_fn *fn, VkDevice device)
{
    if (!__real_vk_lib_device(fn, device)) return false;
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
    fn->CreateBufferView = create_view;
    fn->CreateDescriptorSetLayout = create_set_layout;
    fn->CreatePipelineLayout = create_layout;
    fn->CreatePipelineCache = create_cache;
    fn->GetPipelineCacheData = get_cache;
    fn->CreateCommandPool = create_command_pool;
    fn->CreateSemaphore = create_semaphore;
    fn->GetSemaphoreCounterValue = get_counter;
    fn->GetQueryPoolResults = get_queries;
    return true;
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

/* What is created and run while call k fails; success means the right values. */
static enum vgg_status run_case(const struct vgg_op_case *test, const struct vgg_op_case_memory *expected,
                                VkResult error, int k, bool *lost)
{
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_backend *backend;
    struct vgg_op_case_memory memory;
    double seconds;
    *lost = false;
    failure = error;
    countdown = k;
    cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
    enum vgg_status status = vgg_backend_open(&backend, &options);
    if (status == VGG_OK) {
        struct vk *vk = (struct vk *)backend;
        status = vgg_op_case_run(backend, test, &memory, k % 2 ? &seconds : NULL);
        *lost = vk->lost;
        struct vgg_buf *buf = NULL;
        int left = countdown;
        countdown = 0;
        if (vk->lost) cr_expect_eq(vgg_buf_create(backend, &buf, 16), VGG_ERR_DEVICE_LOST);
        countdown = left;
    } else {
        cr_expect_null(backend);
    }
    vgg_backend_close(backend);
    struct vgg_op_case_error off;
    if (status == VGG_OK) cr_expect(vgg_op_case_check(test, expected, &memory, &off), "call %d, %s", k, failed);
    vgg_op_case_memory_finish(&memory);
    return status;
}

/* Calls whose failure changes nothing that a user would see: what is asked of memory's budget, the cache on disk, how
 * far the work is; waiting when all has been fetched; and refused shaders, that give way to others. */
static bool may_be_forgiven(const char *name)
{
    static const char *const names[] = { "list_extensions", "create_cache",  "get_cache",       "get_counter",
                                         "wait_semaphores", "create_module", "create_pipelines" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(name, names[i])) return true;
    return false;
}

static void fail_every_call(enum vgg_op_kind kind, VkResult error)
{
    struct vgg_op_case_list list;
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    const struct vgg_op_case *test = find_case(&list, kind);
    const struct vgg_engine_options plain = { .backend = "cpu" };
    struct vgg_op_case_memory expected;
    struct vgg_backend *cpu;
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_backend_open(&cpu, &plain), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cpu, test, &expected, NULL), VGG_OK);
    vgg_backend_close(cpu);
    int k = 1;
    for (; k < 500; k++) {
        bool lost;
        enum vgg_status status = run_case(test, &expected, error, k, &lost);
        if (countdown > 0) {
            cr_expect_eq(status, VGG_OK);
            break;
        }
        if (status == VGG_OK)
            cr_expect(may_be_forgiven(failed), "call %d, %s: error %d is lost", k, failed, (int)error);
        if (error != VK_ERROR_DEVICE_LOST) cr_expect_not(lost);
        if (lost && status != VGG_OK) cr_expect_eq(status, VGG_ERR_DEVICE_LOST, "call %d: %d", k, status);
    }
    cr_expect_gt(k, 30);
    cr_expect_lt(k, 500);
    countdown = 0;
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_list_finish(&list);
}

static void quiet(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

/* Every error that a call of these may give, and one that none may. */
Test(vk_fail, every_call_with_every_error, .timeout = 300)
{
    static const VkResult errors[] = { VK_ERROR_OUT_OF_HOST_MEMORY,
                                       VK_ERROR_OUT_OF_DEVICE_MEMORY,
                                       VK_ERROR_INITIALIZATION_FAILED,
                                       VK_ERROR_DEVICE_LOST,
                                       VK_ERROR_MEMORY_MAP_FAILED,
                                       VK_ERROR_LAYER_NOT_PRESENT,
                                       VK_ERROR_EXTENSION_NOT_PRESENT,
                                       VK_ERROR_FEATURE_NOT_PRESENT,
                                       VK_ERROR_INCOMPATIBLE_DRIVER,
                                       VK_ERROR_TOO_MANY_OBJECTS,
                                       VK_ERROR_FORMAT_NOT_SUPPORTED,
                                       VK_ERROR_FRAGMENTED_POOL,
                                       VK_ERROR_OUT_OF_POOL_MEMORY,
                                       VK_ERROR_INVALID_EXTERNAL_HANDLE,
                                       VK_ERROR_FRAGMENTATION,
                                       VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS,
                                       VK_ERROR_UNKNOWN,
                                       (VkResult)-12345 };
    vk_driver_lavapipe();
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        fail_every_call(i % 2 ? VGG_OP_CONV_BWD_WEIGHT : VGG_OP_CONV, errors[i]);
}

/* What is left of objects when calls fail, as the validation layer counts them when the device goes. */
Test(vk_fail, nothing_is_left_behind, .timeout = 300)
{
    vk_driver_lavapipe();
    const char *log = vk_driver_validate(VK_DRIVER_SYNCHRONISATION);
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    fail_every_call(VGG_OP_CONV_BWD_WEIGHT, VK_ERROR_OUT_OF_DEVICE_MEMORY);
    vk_driver_expect_silence(log);
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
    struct vk_fn *fn = &((struct vk *)backend)->lib.fn;
    *fn = real;
    fn->CreateComputePipelines = create_pipelines;
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
