/* safetensors.h: named tensors in one file. Format: 8-byte little-endian header length, JSON header (dtype, shape,
 * data_offsets), then the data without gaps or overlaps. Source: github.com/huggingface/safetensors, README "Format".
 */
#ifndef CORE_FORMAT_SAFETENSORS_H
#define CORE_FORMAT_SAFETENSORS_H

#include "core/vgg16.h"

enum vgg_dtype {
    VGG_DTYPE_F32,
    VGG_DTYPE_F16,
    VGG_DTYPE_BF16,
    VGG_DTYPE_F64,
    VGG_DTYPE_I64,
    VGG_DTYPE_I32,
    VGG_DTYPE_U8,
    VGG_DTYPE_OTHER /* one that is not read here: only its word is known */
};
enum { VGG_MAX_RANK = 8 };

struct vgg_st_tensor {
    const char *name;
    enum vgg_dtype dtype;
    int rank;
    uint64_t shape[VGG_MAX_RANK];
    const void *data; /* little-endian; a reader's data lives in its mapping and may be unaligned */
    size_t size;      /* bytes */
};

struct vgg_st_meta {
    const char *key, *value;
};

struct vgg_st;
/* Maps and checks the whole header: every offset inside the file, sizes equal to shape times dtype (of dtypes that are
 * read here), no gap, no overlap. */
enum vgg_status vgg_st_open(struct vgg_st **out, const char *path);
void vgg_st_close(struct vgg_st *st);
size_t vgg_st_count(const struct vgg_st *st);
const struct vgg_st_tensor *vgg_st_at(const struct vgg_st *st, size_t index);
const struct vgg_st_tensor *vgg_st_find(const struct vgg_st *st, const char *name); /* NULL: none */
/* Where a tensor's data begins in the file. */
uint64_t vgg_st_offset(const struct vgg_st *st, const struct vgg_st_tensor *tensor);
const char *vgg_st_meta(const struct vgg_st *st, const char *key); /* NULL: none */
/* The dtype of the index-th tensor as the file calls it. */
const char *vgg_st_word(const struct vgg_st *st, size_t index);
/* The index-th pair of the metadata; false beyond the last. */
bool vgg_st_meta_at(const struct vgg_st *st, size_t index, struct vgg_st_meta *meta);
/* Writes all tensors and metadata aside, syncs, renames. */
enum vgg_status vgg_st_write(const char *path, const struct vgg_st_tensor *tensors, size_t count,
                             const struct vgg_st_meta *meta, size_t meta_count);

size_t vgg_dtype_size(enum vgg_dtype dtype); /* 0: OTHER */
/* count elements of any dtype as fp32 (F16, BF16 exactly; F64, I64, I32 rounded). src may be unaligned. */
void vgg_dtype_to_f32(float *dst, const void *src, enum vgg_dtype dtype, size_t count);
/* count values as F16, rounded to nearest, ties to even; infinities and NaNs stay. Returns how many could be stored:
 * less than count when src[result] is finite and beyond F16's range. */
size_t vgg_dtype_to_f16(uint16_t *dst, const float *src, size_t count);

#endif
