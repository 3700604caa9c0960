#include "vk/vk_backend.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_device.h"
#include "vk/vk_kept.h"
#include "vk/vk_lower.h"
#include "vk/vk_matrix_check.h"
#include "vk/vk_rec.h"
#include "vk/vk_transfer.h"

/* Keyed recordings beyond this many are dropped, oldest first. */
enum { RECORDINGS = 32 };

static struct vk *as_vk(struct vgg_backend *backend)
{
    return (struct vk *)backend;
}

static enum vgg_status backend_devices(struct vgg_device_info **out, size_t *count)
{
    struct vk_lib lib;
    struct vk_gpu *list = NULL;
    *out = NULL;
    *count = 0;
    vk_lib_open(&lib);
    enum vgg_status status = vk_gpu_list(&lib, &list, count);
    if (status == VGG_OK && *count) {
        *out = vgg_mem_calloc(*count, sizeof **out);
        if (!*out) status = vgg_fail_memory("the list of devices", *count * sizeof **out);
        for (size_t i = 0; *out && i < *count; i++)
            vk_gpu_info(&(*out)[i], &list[i]);
    }
    if (status != VGG_OK) *count = 0;
    free(list);
    vk_lib_close(&lib);
    return status;
}

static enum vgg_status backend_open(struct vgg_backend **out, const struct vgg_backend_options *options)
{
    struct vk *vk;
    *out = NULL;
    enum vgg_status status = vk_device_open(&vk, options->device, options->precision == VGG_PRECISION_FP16);
    if (status != VGG_OK) return status;
    vk->base.vtable = &vk_backend_vtable;
    if (options->conv == VGG_CONV_DIRECT) vk->direct = true;
    if (vk->matrix) status = vk_matrix_check(vk);
    if (status != VGG_OK) {
        vk_device_close(vk);
        return status;
    }
    if (vk->half && vk->matrix) {
        vgg_log(VGG_LOG_INFO, "%s: fp16 on matrix cores", vk->gpu.properties.deviceName);
    } else if (vk->half) {
        vgg_log(VGG_LOG_INFO,
                "%s: fp16 without matrix cores: operands are rounded, arithmetic is fp32, slower than fp32",
                vk->gpu.properties.deviceName);
    }
    *out = &vk->base;
    return VGG_OK;
}

static void backend_close(struct vgg_backend *backend)
{
    vk_device_close(as_vk(backend));
}

/* What is kept of kernels gives way. */
static enum vgg_status create(struct vk *vk, struct vk_buf **out, size_t size)
{
    if (vk->kept) {
        enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
        enum vgg_status status = vk_mem_create(vk, out, size, VK_MEM_DEVICE);
        vgg_log_failures(level);
        if (status != VGG_ERR_MEMORY) return status;
        vk_kept_yield(vk);
    }
    return vk_mem_create(vk, out, size, VK_MEM_DEVICE);
}

static enum vgg_status buf_create(struct vgg_backend *backend, struct vgg_buf **out, size_t size)
{
    struct vk *vk = as_vk(backend);
    struct vk_buf *buf = NULL;
    enum vgg_status status = VGG_ERR_DEVICE_LOST;
    *out = NULL;
    if (vk->lost) return status;
    CHECK(create(vk, &buf, size));
    CHECK(vk_mem_zero(vk, buf));
    *out = &buf->base;
    return VGG_OK;
fail:
    vk_mem_destroy(vk, buf);
    return status;
}

static void buf_destroy(struct vgg_buf *buf)
{
    struct vk *vk = as_vk(buf->backend);
    vk_rec_drop(vk, (struct vk_buf *)buf);
    vk_kept_drop(vk, (struct vk_buf *)buf);
    vk_mem_destroy(vk, (struct vk_buf *)buf);
}

static enum vgg_status buf_upload(struct vgg_buf *buf, size_t offset, const void *data, size_t size)
{
    struct vk *vk = as_vk(buf->backend);
    vk_kept_touch(vk, (struct vk_buf *)buf, offset, size);
    return vk_mem_upload(vk, (struct vk_buf *)buf, offset, data, size);
}

static enum vgg_status buf_download(struct vgg_buf *buf, size_t offset, void *data, size_t size)
{
    return vk_mem_download(as_vk(buf->backend), (struct vk_buf *)buf, offset, data, size);
}

static bool backend_supports(struct vgg_backend *backend, const struct vgg_op *op)
{
    return vk_ops_supports(as_vk(backend), op);
}

static void drop_oldest(struct vk *vk)
{
    int count = 0;
    struct vk_rec *oldest = NULL;
    for (struct vk_rec *rec = vk->recs; rec; rec = rec->next) {
        count++;
        oldest = rec;
    }
    if (count > RECORDINGS) vk_rec_destroy(vk, oldest);
}

static enum vgg_status backend_submit(struct vgg_backend *backend, const struct vgg_list *list,
                                      const struct vgg_step *step, double *seconds, uint64_t *ticket)
{
    enum vgg_status status;
    struct vk *vk = as_vk(backend);
    struct vk_rec *rec = NULL;
    *ticket = 0;
    if (vk->lost) return VGG_ERR_DEVICE_LOST;
    vk_rec_drop(vk, NULL);
    if (list->count == 0) return VGG_OK;
    if (list->key && !seconds) rec = vk_rec_find(vk, list->key);
    if (rec) {
        bool stale;
        CHECK(vk_rec_settle(vk, rec, &stale));
        if (stale) vk_rec_destroy(vk, rec), rec = NULL;
    }
    if (!rec) {
        drop_oldest(vk);
        CHECK(vk_rec_create(vk, &rec, list, seconds != NULL));
    }
    CHECK(vk_kept_prepare(vk, rec));
    status = vk_rec_submit(vk, rec, step, ticket);
    vk_kept_ran(vk, rec);
    CHECK(status);
    if (seconds) {
        CHECK(vk_device_wait(vk, *ticket));
        CHECK(vk_rec_times(vk, rec, seconds));
    }
fail:
    return status;
}

static enum vgg_status backend_wait(struct vgg_backend *backend, uint64_t ticket)
{
    return vk_device_wait(as_vk(backend), ticket);
}

const struct vgg_backend_vtable vk_backend_vtable = {
    .name = "vulkan",
    .devices = backend_devices,
    .open = backend_open,
    .close = backend_close,
    .buf_create = buf_create,
    .buf_destroy = buf_destroy,
    .upload = buf_upload,
    .download = buf_download,
    .supports = backend_supports,
    .submit = backend_submit,
    .wait = backend_wait,
};
