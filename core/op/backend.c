#include "core/op/backend.h"

#include "core/base/log.h"
#include "core/base/mem.h"

void vgg_backend_close(struct vgg_backend *backend)
{
    if (backend) backend->vtable->close(backend);
}

uint64_t vgg_backend_key(struct vgg_backend *backend)
{
    return ++backend->key;
}

/* ---- checked forms ---- */

enum vgg_status vgg_buf_create(struct vgg_backend *backend, struct vgg_buf **out, size_t size)
{
    *out = NULL;
    if (size == 0) return vgg_fail(VGG_ERR_ARGUMENT, "a buffer of 0 bytes");
    return backend->vtable->buf_create(backend, out, size);
}

void vgg_buf_destroy(struct vgg_buf *buf)
{
    if (buf) buf->backend->vtable->buf_destroy(buf);
}

void vgg_buf_settle(struct vgg_buf *buf)
{
    if (buf->backend->vtable->settle) buf->backend->vtable->settle(buf);
}

void vgg_buf_spare(struct vgg_buf *buf, size_t size)
{
    buf->spare = size;
}

static enum vgg_status check_range(const struct vgg_buf *buf, size_t offset, size_t size)
{
    if (size <= buf->size && offset <= buf->size - size) return VGG_OK;
    return vgg_fail(VGG_ERR_ARGUMENT, "bytes %zu to %zu lie outside a buffer of %zu", offset, vgg_mem_add(offset, size),
                    buf->size);
}

enum vgg_status vgg_buf_upload(struct vgg_buf *buf, size_t offset, const void *data, size_t size)
{
    enum vgg_status status = check_range(buf, offset, size);
    return status != VGG_OK || size == 0 ? status : buf->backend->vtable->upload(buf, offset, data, size);
}

enum vgg_status vgg_buf_download(struct vgg_buf *buf, size_t offset, void *data, size_t size)
{
    enum vgg_status status = check_range(buf, offset, size);
    return status != VGG_OK || size == 0 ? status : buf->backend->vtable->download(buf, offset, data, size);
}

static enum vgg_status check_list(struct vgg_backend *backend, const struct vgg_list *list)
{
    size_t size[VGG_ARENA_COUNT];
    for (int i = 0; i < VGG_ARENA_COUNT; i++) {
        size[i] = list->arena[i] ? list->arena[i]->size : 0;
        if (list->arena[i] && list->arena[i]->backend != backend) {
            return vgg_fail(VGG_ERR_ARGUMENT, "a list uses a buffer of another backend");
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        const char *why;
        char text[256];
        vgg_op_print(text, sizeof text, &list->op[i]);
        if (!vgg_op_check(&list->op[i], size, &why))
            return vgg_fail(VGG_ERR_ARGUMENT, "operation %zu, %s: %s", i, text, why);
        if (!backend->vtable->supports(backend, &list->op[i])) {
            return vgg_fail(VGG_ERR_UNSUPPORTED, "backend %s cannot run %s", backend->vtable->name, text);
        }
    }
    return VGG_OK;
}

enum vgg_status vgg_backend_submit(struct vgg_backend *backend, const struct vgg_list *list,
                                   const struct vgg_step *step, double *seconds, uint64_t *ticket)
{
    enum vgg_status status = check_list(backend, list);
    *ticket = 0;
    return status == VGG_OK ? backend->vtable->submit(backend, list, step, seconds, ticket) : status;
}

enum vgg_status vgg_backend_wait(struct vgg_backend *backend, uint64_t ticket)
{
    return ticket ? backend->vtable->wait(backend, ticket) : VGG_OK;
}

enum vgg_status vgg_backend_run(struct vgg_backend *backend, const struct vgg_list *list, const struct vgg_step *step)
{
    uint64_t ticket;
    enum vgg_status status = vgg_backend_submit(backend, list, step, NULL, &ticket);
    return status == VGG_OK ? vgg_backend_wait(backend, ticket) : status;
}
