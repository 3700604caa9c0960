#include "cpu/cpu_kernels.h"

#include <string.h>

#include "core/base/os.h"

static const struct cpu_kernels plain = {
    .conv = cpu_conv_c,
    .conv_bwd_data = cpu_conv_bwd_data_c,
    .conv_bwd_weight = cpu_conv_bwd_weight_c,
    .dense = cpu_dense_c,
    .conv_bf16 = cpu_conv_bf16_c,
    .dense_bf16 = cpu_dense_bf16_c,
    .conv_int8 = cpu_conv_int8_c,
    .dense_int8 = cpu_dense_int8_c,
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

/* The table of each vector level that this build has. */
static const struct cpu_kernels *const table[CPU_ISA_COUNT] = {
#if defined(__x86_64__)
    [CPU_ISA_AVX2] = &cpu_kernels_avx2,
    [CPU_ISA_AVX512] = &cpu_kernels_avx512,
#elif defined(__aarch64__)
    [CPU_ISA_NEON] = &cpu_kernels_neon,
#endif
};

/* Every slot that the level fills. */
static void override(struct cpu_kernels *kernels, const struct cpu_kernels *level)
{
    static const void *const empty;
    for (size_t slot = 0; slot < sizeof *kernels; slot += sizeof empty) {
        const char *from = (const char *)level + slot;
        if (memcmp(from, &empty, sizeof empty) != 0) memcpy((char *)kernels + slot, from, sizeof empty);
    }
}

void cpu_kernels_fill(struct cpu_kernels *kernels, enum cpu_isa isa)
{
    *kernels = plain;
    for (int level = CPU_ISA_SCALAR + 1; level <= (int)isa; level++)
        if (table[level]) override(kernels, table[level]);
#if defined(__aarch64__)
    if (cpu_isa_int8(isa)) override(kernels, &cpu_kernels_neondot);
    if (cpu_isa_int8(isa) && vgg_os_has(VGG_OS_ARM_I8MM)) override(kernels, &cpu_kernels_neoni8mm);
#elif defined(__x86_64__)
    if (cpu_isa_bf16(isa)) override(kernels, &cpu_kernels_avx512bf16);
    if (cpu_isa_matrix(isa)) override(kernels, &cpu_kernels_amx);
    if (isa >= CPU_ISA_AVX2) override(kernels, &cpu_kernels_avx2int8);
    if (isa >= CPU_ISA_AVX2 && cpu_isa_int8(CPU_ISA_AVX2)) override(kernels, &cpu_kernels_avxvnni);
#if !defined(VGG16_EMULATE_AVX512)
    if (cpu_isa_int8(isa) && isa == CPU_ISA_AVX512) override(kernels, &cpu_kernels_avx512vnni);
    if (cpu_isa_int8(isa) && cpu_isa_matrix(isa)) override(kernels, &cpu_kernels_amxint8);
#endif
#endif
}
