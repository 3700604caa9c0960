/* vk_matrix_check.h: whether the matrix cores of a driver compute what they should. */
#ifndef VK_MATRIX_CHECK_H
#define VK_MATRIX_CHECK_H

#include "vk/vk_base.h"

/* For an opened device with vk->matrix: compares every shader of matrix cores, in every tile, with fp32 arithmetic on
 * the same rounded operands, once for a driver: the verdict is kept beside its pipelines. Sets vk->matrix_bits where
 * the driver's conversion to fp16 rounds otherwise; where that does not help either, unsets vk->matrix and warns. Fails
 * when the device does. */
enum vgg_status vk_matrix_check(struct vk *vk);

#endif
