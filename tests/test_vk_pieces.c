/* A submission of many pieces of which a later one fails: those before it run, and nothing that they use goes before
 * they are done. */
#include <criterion/criterion.h>
#include <limits.h>

#include "core/base/log.h"
#include "core/engine/device.h"
#include "vk/vk_base.h"
#include "vk_driver.h"

static struct vk_fn real;
static VkResult failure;               /* what the failing piece gives */
static uint64_t submitted, known_done; /* values of the timeline */
static int pieces, failing;
static bool no_waiting; /* once something runs */

static VkResult submit_piece(VkQueue q, uint32_t n, const VkSubmitInfo *i, VkFence f)
{
    const VkTimelineSemaphoreSubmitInfo *timeline = i->pNext;
    if (++pieces == failing) return failure;
    VkResult result = real.QueueSubmit(q, n, i, f);
    if (result == VK_SUCCESS) submitted = timeline->pSignalSemaphoreValues[0];
    return result;
}

static VkResult wait_pieces(VkDevice d, const VkSemaphoreWaitInfo *i, uint64_t timeout)
{
    if (no_waiting && pieces) return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkResult result = real.WaitSemaphores(d, i, timeout);
    if (result == VK_SUCCESS && i->pValues[0] > known_done) known_done = i->pValues[0];
    return result;
}

static VkResult wait_idle(VkDevice d)
{
    known_done = submitted;
    return real.DeviceWaitIdle(d);
}

static void free_commands(VkDevice d, VkCommandPool p, uint32_t n, const VkCommandBuffer *list)
{
    cr_expect_geq(known_done, submitted, "piece %d fails: commands that may run are freed", failing);
    real.FreeCommandBuffers(d, p, n, list);
}

static void destroy_buffer(VkDevice d, VkBuffer buffer, const VkAllocationCallbacks *a)
{
    cr_expect_geq(known_done, submitted, "piece %d fails: a buffer goes that may be in use", failing);
    real.DestroyBuffer(d, buffer, a);
}

static void quiet(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

static const struct vgg_op_case *find_case(const struct vgg_op_case_list *list, enum vgg_op_kind kind)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->item[i].op.kind == kind && list->item[i].op.x.h == 13) return &list->item[i];
    }
    cr_assert_fail("no such case");
    return NULL;
}

/* A device that submits each dispatch as a piece, and is watched. */
static struct vgg_backend *open_in_pieces(void)
{
    const struct vgg_engine_options options = { .backend = "vulkan" };
    struct vgg_backend *backend;
    cr_assert_eq(vgg_backend_open(&backend, &options), VGG_OK);
    struct vk *vk = (struct vk *)backend;
    struct vk_fn *fn = &vk->lib.fn;
    real = *fn;
    fn->QueueSubmit = submit_piece;
    fn->WaitSemaphores = wait_pieces;
    fn->DeviceWaitIdle = wait_idle;
    fn->FreeCommandBuffers = free_commands;
    fn->DestroyBuffer = destroy_buffer;
    vk->rate = 1;
    submitted = known_done = 0;
    pieces = 0;
    return backend;
}

/* One operation in a piece for each dispatch, of which number `failing` is refused; then once more, if the device is
 * still there. Returns how many pieces there are. */
static int fail_piece(const struct vgg_op_case *test, const struct vgg_op_case_memory *expected, VkResult error)
{
    struct vgg_op_case_memory memory;
    struct vgg_op_case_error off;
    struct vgg_backend *backend = open_in_pieces();
    failure = error;
    cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
    enum vgg_status status = vgg_op_case_run(backend, test, &memory, NULL);
    bool failed_here = pieces >= failing, lost = failed_here && error == VK_ERROR_DEVICE_LOST;
    int count = pieces;
    cr_expect_eq(status,
                 lost          ? VGG_ERR_DEVICE_LOST
                 : failed_here ? VGG_ERR_MEMORY
                               : VGG_OK,
                 "piece %d: %d", failing, status);
    vgg_op_case_memory_finish(&memory);
    pieces = INT_MIN; /* none fails */
    cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
    status = vgg_op_case_run(backend, test, &memory, NULL);
    cr_expect_eq(status, lost ? VGG_ERR_DEVICE_LOST : VGG_OK, "after piece %d: %d", failing, status);
    if (!lost) cr_expect(vgg_op_case_check(test, expected, &memory, &off), "after piece %d", failing);
    vgg_op_case_memory_finish(&memory);
    vgg_backend_close(backend);
    return count;
}

Test(vk_pieces, a_later_one_fails)
{
    static const VkResult errors[] = { VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_DEVICE_LOST };
    const struct vgg_engine_options plain = { .backend = "cpu" };
    struct vgg_op_case_list list;
    struct vgg_op_case_memory expected;
    struct vgg_backend *cpu;
    vk_driver_lavapipe();
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    const struct vgg_op_case *test = find_case(&list, VGG_OP_CONV_BWD_WEIGHT);
    cr_assert_eq(vgg_backend_open(&cpu, &plain), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cpu, test, &expected, NULL), VGG_OK);
    vgg_backend_close(cpu);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        int count;
        failing = 1;
        do { /* until none fails */
            failing++;
            count = fail_piece(test, &expected, errors[i]);
        } while (count >= failing);
        cr_expect_gt(count, 2);
    }
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_list_finish(&list);
}

/* The driver cannot even wait: what runs is waited for all the same before anything goes. */
Test(vk_pieces, waiting_fails)
{
    struct vgg_op_case_list list;
    struct vgg_op_case_memory memory;
    vk_driver_lavapipe();
    vgg_log_set(quiet, NULL, VGG_LOG_ERROR);
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    const struct vgg_op_case *test = find_case(&list, VGG_OP_CONV);
    struct vgg_backend *backend = open_in_pieces();
    cr_assert_eq(vgg_op_case_memory_init(&memory, test), VGG_OK);
    failing = 0;
    no_waiting = true;
    cr_expect_eq(vgg_op_case_run(backend, test, &memory, NULL), VGG_ERR_MEMORY);
    cr_expect_gt(pieces, 0);
    cr_expect_eq(known_done, submitted);
    vgg_backend_close(backend);
    vgg_op_case_memory_finish(&memory);
    vgg_op_case_list_finish(&list);
}
