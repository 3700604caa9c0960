#include "vk/vk_load.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"

struct entry {
    const char *name;
    size_t offset;
};

#define ENTRY(name)                              \
    {                                            \
        "vk" #name, offsetof(struct vk_fn, name) \
    }

static const struct entry global_list[] = {
    ENTRY(CreateInstance),
    ENTRY(EnumerateInstanceVersion),
    ENTRY(EnumerateInstanceExtensionProperties),
};

static const struct entry instance_list[] = {
    ENTRY(DestroyInstance),
    ENTRY(EnumeratePhysicalDevices),
    ENTRY(EnumerateDeviceExtensionProperties),
    ENTRY(GetPhysicalDeviceProperties2),
    ENTRY(GetPhysicalDeviceFeatures2),
    ENTRY(GetPhysicalDeviceMemoryProperties2),
    ENTRY(GetPhysicalDeviceQueueFamilyProperties),
    ENTRY(CreateDevice),
    ENTRY(GetDeviceProcAddr),
};

static const struct entry device_list[] = {
    ENTRY(DestroyDevice),
    ENTRY(DeviceWaitIdle),
    ENTRY(GetDeviceQueue),
    ENTRY(QueueSubmit),
    ENTRY(AllocateMemory),
    ENTRY(FreeMemory),
    ENTRY(MapMemory),
    ENTRY(CreateBuffer),
    ENTRY(DestroyBuffer),
    ENTRY(CreateBufferView),
    ENTRY(DestroyBufferView),
    ENTRY(GetBufferMemoryRequirements),
    ENTRY(BindBufferMemory),
    ENTRY(CreateShaderModule),
    ENTRY(DestroyShaderModule),
    ENTRY(CreateDescriptorSetLayout),
    ENTRY(DestroyDescriptorSetLayout),
    ENTRY(CreatePipelineLayout),
    ENTRY(DestroyPipelineLayout),
    ENTRY(CreatePipelineCache),
    ENTRY(DestroyPipelineCache),
    ENTRY(GetPipelineCacheData),
    ENTRY(CreateComputePipelines),
    ENTRY(DestroyPipeline),
    ENTRY(CreateDescriptorPool),
    ENTRY(DestroyDescriptorPool),
    ENTRY(AllocateDescriptorSets),
    ENTRY(UpdateDescriptorSets),
    ENTRY(CreateCommandPool),
    ENTRY(DestroyCommandPool),
    ENTRY(AllocateCommandBuffers),
    ENTRY(FreeCommandBuffers),
    ENTRY(BeginCommandBuffer),
    ENTRY(EndCommandBuffer),
    ENTRY(CmdBindPipeline),
    ENTRY(CmdBindDescriptorSets),
    ENTRY(CmdPushConstants),
    ENTRY(CmdDispatch),
    ENTRY(CmdPipelineBarrier),
    ENTRY(CmdFillBuffer),
    ENTRY(CmdCopyBuffer),
    ENTRY(CreateQueryPool),
    ENTRY(DestroyQueryPool),
    ENTRY(GetQueryPoolResults),
    ENTRY(CmdResetQueryPool),
    ENTRY(CmdWriteTimestamp),
    ENTRY(CreateSemaphore),
    ENTRY(DestroySemaphore),
    ENTRY(WaitSemaphores),
    ENTRY(GetSemaphoreCounterValue),
};

#undef ENTRY

static void put(struct vk_fn *fn, const struct entry *entry, PFN_vkVoidFunction function)
{
    memcpy((char *)fn + entry->offset, &function, sizeof function);
}

static bool resolve(struct vk_fn *fn, VkInstance instance, const struct entry *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        PFN_vkVoidFunction function = fn->GetInstanceProcAddr(instance, list[i].name);
        if (!function) return false;
        put(fn, &list[i], function);
    }
    return true;
}

bool vk_lib_device(struct vk_fn *fn, VkDevice device)
{
    for (size_t i = 0; i < sizeof device_list / sizeof *device_list; i++) {
        PFN_vkVoidFunction function = fn->GetDeviceProcAddr(device, device_list[i].name);
        if (!function) {
            vgg_log(VGG_LOG_WARNING, "vulkan: the driver lacks %s; update the driver", device_list[i].name);
            return false;
        }
        put(fn, &device_list[i], function);
    }
    return true;
}

static void *open_library(void)
{
    static const char *const names[] = { "libvulkan.so.1", "libvulkan.so", "libvulkan.1.dylib", "libMoltenVK.dylib",
                                         "vulkan-1.dll" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *handle = vgg_os_library_open(names[i]);
        if (handle) return handle;
    }
    return NULL;
}

static bool has_portability_enumeration(const struct vk_fn *fn)
{
    VkExtensionProperties list[256];
    uint32_t count = sizeof list / sizeof *list;
    VkResult result = fn->EnumerateInstanceExtensionProperties(NULL, &count, list);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(list[i].extensionName, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) return true;
    }
    return false;
}

static void destroy(struct vk_lib *lib)
{
    if (lib->instance && lib->fn.DestroyInstance) lib->fn.DestroyInstance(lib->instance, NULL);
    if (lib->handle) vgg_os_library_close(lib->handle);
    memset(lib, 0, sizeof *lib);
}

/* An instance of its own, or an empty *lib. */
static void create(struct vk_lib *lib)
{
    memset(lib, 0, sizeof *lib);
    lib->handle = open_library();
    if (!lib->handle) {
        vgg_log(VGG_LOG_DEBUG, "vulkan: no libvulkan on this machine");
        return;
    }
    void *symbol = vgg_os_library_symbol(lib->handle, "vkGetInstanceProcAddr");
    memcpy(&lib->fn.GetInstanceProcAddr, &symbol, sizeof symbol);
    uint32_t version = 0;
    if (!symbol || !resolve(&lib->fn, NULL, global_list, sizeof global_list / sizeof *global_list) ||
        lib->fn.EnumerateInstanceVersion(&version) != VK_SUCCESS || version < VK_API_VERSION_1_2) {
        vgg_log(VGG_LOG_DEBUG, "vulkan: the installed libvulkan is older than 1.2");
        destroy(lib);
        return;
    }
    const char *portability = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
    bool portable = has_portability_enumeration(&lib->fn);
    VkApplicationInfo application = { .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                      .pApplicationName = "vgg16",
                                      .pEngineName = "vgg16",
                                      .apiVersion = VK_API_VERSION_1_2 };
    VkInstanceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  .flags = portable ? VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR : 0,
                                  .pApplicationInfo = &application,
                                  .enabledExtensionCount = portable ? 1 : 0,
                                  .ppEnabledExtensionNames = &portability };
    VkResult result = lib->fn.CreateInstance(&info, NULL, &lib->instance);
    if (result != VK_SUCCESS) {
        vgg_log(VGG_LOG_DEBUG, "vulkan: no usable driver (vkCreateInstance: %d)", (int)result);
        lib->instance = NULL;
        destroy(lib);
        return;
    }
    if (!resolve(&lib->fn, lib->instance, instance_list, sizeof instance_list / sizeof *instance_list)) {
        vgg_log(VGG_LOG_DEBUG, "vulkan: the instance lacks functions of Vulkan 1.2");
        destroy(lib);
    }
}

/* The process's instance: making one takes some drivers seconds, and unloading them between two crashes others. */
static struct vk_lib kept;
static struct vgg_os_mutex kept_lock = VGG_OS_MUTEX_INIT;

static void destroy_kept(void)
{
    destroy(&kept);
}

void vk_lib_open(struct vk_lib *lib)
{
    vgg_os_mutex_lock(&kept_lock);
    if (!kept.instance) {
        create(&kept);
        /* Before the driver's own end, as it was loaded before. */
        if (kept.instance && atexit(destroy_kept) != 0)
            vgg_log(VGG_LOG_DEBUG, "vulkan: its instance is left to the end of the process");
    }
    *lib = kept;
    vgg_os_mutex_unlock(&kept_lock);
}

void vk_lib_close(struct vk_lib *lib)
{
    memset(lib, 0, sizeof *lib);
}
