/* torch.h: the tensors of a file that torch.save wrote: a dictionary of them, or a dictionary that holds one, as
 * {"state_dict": ...} and {"model": ...} do. Both forms are read: the zip archive of PyTorch 1.6 and later, whose
 * tensors stay in the mapping of the file, and the older one of pickles with the values behind them.
 * Source: torch/serialization.py of PyTorch 1.13, _save and _legacy_save. */
#ifndef CORE_FORMAT_TORCH_H
#define CORE_FORMAT_TORCH_H

#include "core/format/tensor.h"
#include "core/format/zip.h"

struct vgg_torch;

/* Does an archive hold what torch.save writes? */
bool vgg_torch_is(const struct vgg_zip *zip);
/* Of an opened archive, which belongs to the result afterwards; on failure it is closed. */
enum vgg_status vgg_torch_open(struct vgg_torch **out, struct vgg_zip *zip, const char *path);
/* Of the older form. */
enum vgg_status vgg_torch_open_old(struct vgg_torch **out, const char *path);
void vgg_torch_close(struct vgg_torch *torch); /* accepts NULL */

size_t vgg_torch_count(const struct vgg_torch *torch);
/* In the order of the dictionary; several may share values, and some may be strided. */
const struct vgg_tensor *vgg_torch_at(const struct vgg_torch *torch, size_t index);
/* Compares what a tensor's values stand in with the CRC-32 that the archive states. The older form has none. */
enum vgg_status vgg_torch_check(const struct vgg_torch *torch, const struct vgg_tensor *tensor);
/* Text pairs that vgg_torch_write put beside the tensors. */
size_t vgg_torch_meta_count(const struct vgg_torch *torch);
struct vgg_st_meta vgg_torch_meta(const struct vgg_torch *torch, size_t index);

/* Writes an OrderedDict of tensors (F32 or F16, not strided) that torch.load reads, also with weights_only=True. The
 * metadata stands in a part of the archive, vgg16.json, that PyTorch does not look at. Needs minizip. */
enum vgg_status vgg_torch_write(const char *path, const struct vgg_st_tensor *tensors, size_t count,
                                const struct vgg_st_meta *meta, size_t meta_count);

#endif
