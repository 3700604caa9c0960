#include "vk/vk_base.h"

#include "core/base/clock.h"
#include "core/base/log.h"

/* Waits are cut into slices so that a signal handler's wish is seen, and given up after this long without an answer. */
enum { SLICE_MS = 100, PATIENCE_S = 600 };

enum vgg_status vk_device_status(struct vk *vk, VkResult result, const char *what)
{
    switch (result) {
    case VK_SUCCESS:
    case VK_INCOMPLETE: return VGG_OK;
    case VK_ERROR_DEVICE_LOST:
        if (vk->lost) return VGG_ERR_DEVICE_LOST;
        vk->lost = true;
        if (vk->device) vk->lib.fn.DeviceWaitIdle(vk->device); /* whatever still runs is over before its objects go */
        return vgg_fail(VGG_ERR_DEVICE_LOST,
                        "%s: the device was lost in %s; start again, with a smaller --batch or with --backend cpu",
                        vk->gpu.properties.deviceName, what);
    case VK_ERROR_OUT_OF_HOST_MEMORY: return vgg_fail(VGG_ERR_MEMORY, "%s: out of host memory", what);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
        return vgg_fail(VGG_ERR_MEMORY, "%s: %s is out of memory; use a smaller --batch", what,
                        vk->gpu.properties.deviceName);
    default:
        return vgg_fail(VGG_ERR_DEVICE, "%s: %s reports error %d; try another --device or --backend cpu", what,
                        vk->gpu.properties.deviceName, (int)result);
    }
}

enum vgg_status vk_device_wait(struct vk *vk, uint64_t ticket)
{
    if (vk->lost) return VGG_ERR_DEVICE_LOST;
    VkSemaphoreWaitInfo info = { .sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &vk->timeline,
                                 .pValues = &ticket };
    double begin = vgg_clock_seconds();
    for (;;) {
        VkResult result = vk->lib.fn.WaitSemaphores(vk->device, &info, SLICE_MS * 1000000ull);
        if (result != VK_TIMEOUT) return vk_device_status(vk, result, "vkWaitSemaphores");
        if (vgg_clock_seconds() - begin > PATIENCE_S) {
            vk->lost = true;
            return vgg_fail(VGG_ERR_DEVICE_LOST, "%s: no answer for %d s; use --backend cpu",
                            vk->gpu.properties.deviceName, (int)PATIENCE_S);
        }
    }
}

void vk_device_settle(struct vk *vk, uint64_t ticket)
{
    if (!ticket || vk->lost) return; /* a lost device has nothing under way */
    if (vk_device_wait(vk, ticket) != VGG_OK && !vk->lost) vk->lib.fn.DeviceWaitIdle(vk->device);
}
