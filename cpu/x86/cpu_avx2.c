/* cpu_avx2.c: the level AVX2 and FMA. */
#include "cpu/x86/cpu_vec_avx2.h"

#include "cpu/cpu_dropout_vec.h"
#include "cpu/cpu_fma_vec.h"
#include "cpu/cpu_loss_vec.h"
#include "cpu/cpu_pool_vec.h"
#include "cpu/cpu_update_vec.h"
#include "cpu/cpu_winograd_vec.h"

const struct cpu_kernels cpu_kernels_avx2 = {
    .conv = cpu_conv_tiled,
    .conv_bwd_data = cpu_conv_bwd_data_tiled,
    .conv_bwd_weight = cpu_conv_bwd_weight_tiled,
    .dense = cpu_dense_tiled,
    .dense_bwd_data = cpu_dense_bwd_data_tiled,
    .dense_bwd_weight = cpu_dense_bwd_weight_tiled,
    .gemm = &cpu_gemm_avx2,
    .winograd = winograd,
    .pool2_row = pool2_row,
    .pool2_bwd_row = pool2_bwd_row,
    .avgpool = avgpool,
    .gmaxpool = gmaxpool,
    .avgpool_bwd = avgpool_bwd,
    .gmaxpool_bwd = gmaxpool_bwd,
    .dropout = dropout,
    .softmax = softmax,
    .sigmoid = sigmoid,
    .softmax_xent = softmax_xent,
    .sigmoid_xent = sigmoid_xent,
    .sgd = sgd_update,
    .rmsprop = rmsprop_update,
    .adam = adam_update,
    .adamw = adamw_update,
    .fma = multiply_adds,
};
