/* vk_kept.h: what a dispatch makes of kernels alone, kept from run to run. */
#ifndef VK_KEPT_H
#define VK_KEPT_H

#include "vk/vk_rec.h"

/* For lowering: *out shows what `call` makes, which reads bind[0], writes bind[1] and uses nothing else. Where the list
 * is kept, does not write bind[0] itself and the buffer of that has the bytes to spare, it stands in memory of its own,
 * and runs make it anew only when bind[0] has changed; else the dispatch is added, and *out is bind[1]. Either way the
 * bits are the same. */
enum vgg_status vk_kept_add(struct vk *vk, struct vk_rec *rec, const struct vk_call *call, const void *push,
                            size_t push_size, struct vk_bind *out);

/* Before a run: submits what makes anew all that the recording reads and that is not as it should be. */
enum vgg_status vk_kept_prepare(struct vk *vk, const struct vk_rec *rec);
/* After a run, whatever came of it, and after an upload: what was made of the bytes that it wrote is to be made anew.
 */
void vk_kept_ran(struct vk *vk, const struct vk_rec *rec);
void vk_kept_touch(struct vk *vk, const struct vk_buf *buf, size_t offset, size_t size);

/* Frees what was made of a buffer that goes; no recording uses it any more. NULL: of all. */
void vk_kept_drop(struct vk *vk, const struct vk_buf *buf);
/* Gives all the memory back, with the recordings that use it, for good: their buffers have none to spare from here on.
 */
void vk_kept_yield(struct vk *vk);

#endif
