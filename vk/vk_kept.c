#include "vk/vk_kept.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_emit.h"

struct vk_kept {
    struct vk_kept *next;
    struct vk_call call; /* with its push constants as they came */
    size_t push_size;
    struct vk_buf *buf; /* what it makes */
    struct vk_rec *rec; /* makes it; NULL: not yet recorded */
    bool valid;         /* it is, or soon will be, what the kernels as they are give */
};

/* Memory that others may want later without a buffer to give up: staging, and a block of parameters of recordings. */
enum { MARGIN = 96 << 20 };

static bool overlap(const struct vk_bind *bind, const struct vk_buf *buf, size_t offset, size_t size)
{
    return bind->buf == buf && bind->offset < offset + size && offset < bind->offset + bind->size;
}

static bool writes(const struct vk_rec *rec, const struct vk_bind *bind)
{
    for (size_t i = 0; i < rec->write_count; i++) {
        const struct vk_bind *write = &rec->writes[i];
        if (overlap(bind, write->buf, write->offset, write->size)) return true;
    }
    return false;
}

static struct vk_kept *find(const struct vk *vk, const struct vk_call *call, const void *push, size_t push_size)
{
    struct vk_kept *kept = vk->kept;
    for (; kept; kept = kept->next) {
        const struct vk_bind *a = &kept->call.bind[0], *b = &call->bind[0];
        bool same = a->buf == b->buf && a->offset == b->offset && a->size == b->size;
        same = same && kept->call.pipeline == call->pipeline && kept->push_size == push_size;
        if (same && !memcmp(kept->call.push.bytes, push, push_size)) break;
    }
    return kept;
}

/* *out NULL: there is no room. */
static enum vgg_status create(struct vk *vk, struct vk_kept **out, const struct vk_call *call, const void *push,
                              size_t push_size)
{
    struct vk_buf *from = call->bind[0].buf;
    size_t size = call->bind[1].size;
    *out = NULL;
    if (size > from->base.spare - from->base.kept || size > vk->limits.range) return VGG_OK;
    if (vk_mem_total(vk) + size + MARGIN > vk->gpu.budget) return VGG_OK;
    struct vk_kept *kept = vgg_mem_calloc(1, sizeof *kept);
    if (!kept) return vgg_fail_memory("a kept kernel", sizeof *kept);
    enum vgg_log_level level = vgg_log_failures(VGG_LOG_DEBUG);
    enum vgg_status status = vk_mem_create(vk, &kept->buf, size, VK_MEM_DEVICE);
    vgg_log_failures(level);
    if (status != VGG_OK) {
        free(kept);
        from->base.spare = from->base.kept; /* the device has less than it says */
        return status == VGG_ERR_MEMORY ? VGG_OK : status;
    }
    kept->call = *call;
    kept->push_size = push_size;
    memcpy(kept->call.push.bytes, push, push_size);
    kept->next = vk->kept;
    vk->kept = kept;
    from->base.kept += size;
    *out = kept;
    return VGG_OK;
}

/* Notes that the recording reads it. */
static enum vgg_status use(struct vk_rec *rec, struct vk_kept *kept)
{
    for (size_t i = 0; i < rec->kept_count; i++)
        if (rec->kept[i] == kept) return VGG_OK;
    size_t size = (rec->kept_count + 1) * sizeof(struct vk_kept *);
    struct vk_kept **list = realloc(rec->kept, size);
    if (!list) return vgg_fail_memory("a recording", size);
    rec->kept = list;
    rec->kept[rec->kept_count++] = kept;
    return VGG_OK;
}

enum vgg_status vk_kept_add(struct vk *vk, struct vk_rec *rec, const struct vk_call *call, const void *push,
                            size_t push_size, struct vk_bind *out)
{
    enum vgg_status status = VGG_OK;
    struct vk_kept *kept = NULL;
    *out = call->bind[1];
    out->write = false;
    bool wanted = rec->repeated && call->pipeline != VK_PIPE_LATER && !writes(rec, &call->bind[0]);
    if (wanted) kept = find(vk, call, push, push_size);
    if (wanted && !kept) CHECK(create(vk, &kept, call, push, push_size));
    if (!kept) return vk_rec_add(vk, rec, call, push, push_size);
    CHECK(use(rec, kept));
    out->buf = kept->buf;
    out->offset = 0;
fail:
    return status;
}

static enum vgg_status record(struct vk *vk, struct vk_kept *kept)
{
    enum vgg_status status;
    struct vk_call call = kept->call;
    struct vk_rec *rec = vgg_mem_calloc(1, sizeof *rec);
    if (!rec) return vgg_fail_memory("a recording", sizeof *rec);
    call.bind[1] = (struct vk_bind) { kept->buf, 0, call.bind[1].size, true };
    rec->arena[0] = call.bind[0].buf; /* whose tickets a run sets */
    rec->arena[1] = kept->buf;
    rec->ops = 1;
    CHECK(vk_rec_add(vk, rec, &call, kept->call.push.bytes, kept->push_size));
    CHECK(vk_emit(vk, rec));
    free(rec->calls);
    rec->calls = NULL;
    kept->rec = rec;
    return VGG_OK;
fail:
    vk_rec_free(vk, rec);
    return status;
}

enum vgg_status vk_kept_prepare(struct vk *vk, const struct vk_rec *rec)
{
    enum vgg_status status = VGG_OK;
    const struct vgg_step none = { 0 };
    for (size_t i = 0; i < rec->kept_count; i++) {
        struct vk_kept *kept = rec->kept[i];
        uint64_t ticket;
        if (kept->valid) continue;
        if (!kept->rec) CHECK(record(vk, kept));
        if (kept->rec->ticket) CHECK(vk_device_wait(vk, kept->rec->ticket));
        CHECK(vk_rec_submit(vk, kept->rec, &none, &ticket));
        kept->valid = true;
    }
fail:
    return status;
}

void vk_kept_ran(struct vk *vk, const struct vk_rec *rec)
{
    for (size_t i = 0; i < rec->kept_count; i++)
        rec->kept[i]->buf->ticket = rec->ticket;
    for (size_t i = 0; i < rec->write_count; i++)
        vk_kept_touch(vk, rec->writes[i].buf, rec->writes[i].offset, rec->writes[i].size);
}

void vk_kept_touch(struct vk *vk, const struct vk_buf *buf, size_t offset, size_t size)
{
    for (struct vk_kept *kept = vk->kept; kept; kept = kept->next)
        if (overlap(&kept->call.bind[0], buf, offset, size)) kept->valid = false;
}

void vk_kept_drop(struct vk *vk, const struct vk_buf *buf)
{
    for (struct vk_kept **link = &vk->kept; *link;) {
        struct vk_kept *kept = *link;
        if (buf && kept->call.bind[0].buf != buf) {
            link = &kept->next;
            continue;
        }
        *link = kept->next;
        kept->call.bind[0].buf->base.kept -= kept->call.bind[1].size;
        if (kept->rec) vk_rec_free(vk, kept->rec);
        vk_mem_destroy(vk, kept->buf);
        free(kept);
    }
}

void vk_kept_yield(struct vk *vk)
{
    for (struct vk_rec *rec = vk->recs, *next; rec; rec = next) {
        next = rec->next;
        if (rec->kept_count) vk_rec_destroy(vk, rec);
    }
    for (struct vk_kept *kept = vk->kept; kept; kept = kept->next)
        kept->call.bind[0].buf->base.spare = 0;
    vk_kept_drop(vk, NULL);
}
