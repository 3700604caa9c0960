#include "cpu/cpu_kernels.h"

#include "cpu/cpu_gemm.h"
#include "cpu/cpu_winograd.h"

static const struct cpu_kernels plain = {
    .conv = cpu_conv_c,
    .conv_bwd_data = cpu_conv_bwd_data_c,
    .conv_bwd_weight = cpu_conv_bwd_weight_c,
    .dense = cpu_dense_c,
    .conv_bf16 = cpu_conv_bf16_c,
    .dense_bf16 = cpu_dense_bf16_c,
    .dense_bwd_data = cpu_dense_bwd_data_c,
    .dense_bwd_weight = cpu_dense_bwd_weight_c,
    .pool2_row = cpu_pool2_row_c,
    .pool2_bwd_row = cpu_pool2_bwd_row_c,
    .avgpool = cpu_avgpool_c,
    .gmaxpool = cpu_gmaxpool_c,
    .avgpool_bwd = cpu_avgpool_bwd_c,
    .gmaxpool_bwd = cpu_gmaxpool_bwd_c,
    .dropout = cpu_dropout_c,
    .softmax = cpu_softmax_c,
    .sigmoid = cpu_sigmoid_c,
    .softmax_xent = cpu_softmax_xent_c,
    .sigmoid_xent = cpu_sigmoid_xent_c,
    .sgd = cpu_sgd_update_c,
    .rmsprop = cpu_rmsprop_update_c,
    .adam = cpu_adam_update_c,
    .adamw = cpu_adamw_update_c,
    .fma = cpu_fma_c,
};

#if defined(__x86_64__) || defined(__aarch64__)
static void override_tiled(struct cpu_kernels *k, const struct cpu_gemm *gemm,
                           const struct cpu_winograd_kernels *winograd)
{
    k->gemm = gemm;
    k->winograd = winograd;
    k->conv = cpu_conv_tiled;
    k->conv_bwd_data = cpu_conv_bwd_data_tiled;
    k->conv_bwd_weight = cpu_conv_bwd_weight_tiled;
    k->dense = cpu_dense_tiled;
    k->dense_bwd_data = cpu_dense_bwd_data_tiled;
    k->dense_bwd_weight = cpu_dense_bwd_weight_tiled;
}
#endif

#if defined(__x86_64__)
static void override_avx2(struct cpu_kernels *k)
{
    k->pool2_row = cpu_pool2_row_avx2;
    k->pool2_bwd_row = cpu_pool2_bwd_row_avx2;
    k->avgpool = cpu_avgpool_avx2;
    k->gmaxpool = cpu_gmaxpool_avx2;
    k->avgpool_bwd = cpu_avgpool_bwd_avx2;
    k->gmaxpool_bwd = cpu_gmaxpool_bwd_avx2;
    k->dropout = cpu_dropout_avx2;
    k->softmax = cpu_softmax_avx2;
    k->sigmoid = cpu_sigmoid_avx2;
    k->softmax_xent = cpu_softmax_xent_avx2;
    k->sigmoid_xent = cpu_sigmoid_xent_avx2;
    k->sgd = cpu_sgd_update_avx2;
    k->rmsprop = cpu_rmsprop_update_avx2;
    k->adam = cpu_adam_update_avx2;
    k->adamw = cpu_adamw_update_avx2;
    override_tiled(k, &cpu_gemm_avx2, cpu_winograd_avx2);
    k->fma = cpu_fma_avx2;
}

static void override_avx512(struct cpu_kernels *k)
{
    k->pool2_row = cpu_pool2_row_avx512;
    k->pool2_bwd_row = cpu_pool2_bwd_row_avx512;
    k->avgpool = cpu_avgpool_avx512;
    k->gmaxpool = cpu_gmaxpool_avx512;
    k->avgpool_bwd = cpu_avgpool_bwd_avx512;
    k->gmaxpool_bwd = cpu_gmaxpool_bwd_avx512;
    k->dropout = cpu_dropout_avx512;
    k->softmax = cpu_softmax_avx512;
    k->sigmoid = cpu_sigmoid_avx512;
    k->softmax_xent = cpu_softmax_xent_avx512;
    k->sigmoid_xent = cpu_sigmoid_xent_avx512;
    k->sgd = cpu_sgd_update_avx512;
    k->rmsprop = cpu_rmsprop_update_avx512;
    k->adam = cpu_adam_update_avx512;
    k->adamw = cpu_adamw_update_avx512;
    override_tiled(k, &cpu_gemm_avx512, cpu_winograd_avx512);
    k->fma = cpu_fma_avx512;
}
#elif defined(__aarch64__)
static void override_neon(struct cpu_kernels *k)
{
    k->pool2_row = cpu_pool2_row_neon;
    k->pool2_bwd_row = cpu_pool2_bwd_row_neon;
    k->avgpool = cpu_avgpool_neon;
    k->gmaxpool = cpu_gmaxpool_neon;
    k->avgpool_bwd = cpu_avgpool_bwd_neon;
    k->gmaxpool_bwd = cpu_gmaxpool_bwd_neon;
    k->dropout = cpu_dropout_neon;
    k->softmax = cpu_softmax_neon;
    k->sigmoid = cpu_sigmoid_neon;
    k->softmax_xent = cpu_softmax_xent_neon;
    k->sigmoid_xent = cpu_sigmoid_xent_neon;
    k->sgd = cpu_sgd_update_neon;
    k->rmsprop = cpu_rmsprop_update_neon;
    k->adam = cpu_adam_update_neon;
    k->adamw = cpu_adamw_update_neon;
    override_tiled(k, &cpu_gemm_neon, cpu_winograd_neon);
    k->fma = cpu_fma_neon;
}
#endif

void cpu_kernels_fill(struct cpu_kernels *kernels, enum cpu_isa isa)
{
    *kernels = plain;
#if defined(__x86_64__)
    if (isa == CPU_ISA_AVX2) override_avx2(kernels);
    if (isa == CPU_ISA_AVX512) override_avx512(kernels);
    if (cpu_isa_bf16(isa)) {
        kernels->gemm_bf16 = &cpu_gemm_avx512bf16;
        kernels->conv_bf16 = cpu_conv_tiled_bf16;
        kernels->dense_bf16 = cpu_dense_tiled_bf16;
    }
#elif defined(__aarch64__)
    if (isa == CPU_ISA_NEON) override_neon(kernels);
#else
    (void)isa;
#endif
}
