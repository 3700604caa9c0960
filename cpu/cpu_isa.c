#include "core/base/os.h"
#include "cpu/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

const char *cpu_isa_name(enum cpu_isa isa)
{
    static const char *const name[CPU_ISA_COUNT] = {
        [CPU_ISA_SCALAR] = "scalar", [CPU_ISA_AVX2] = "avx2", [CPU_ISA_AVX512] = "avx512", [CPU_ISA_NEON] = "neon"
    };
    return name[isa];
}

/* The compiler's own detection asks CPUID for the instructions and XGETBV for the registers that the operating system
 * saves, the upper halves and the mask registers too. In a build whose AVX-512 kernels are emulated on AVX2, for tests,
 * they run wherever AVX2 does. On AArch64 the vector unit is part of the base architecture. */
bool cpu_isa_found(enum cpu_isa isa)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if defined(VGG16_EMULATE_AVX512)
    bool avx512 = avx2;
#else
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f");
#endif
    switch (isa) {
    case CPU_ISA_SCALAR: return true;
    case CPU_ISA_AVX2: return avx2;
    case CPU_ISA_AVX512: return avx512;
    case CPU_ISA_NEON:
    case CPU_ISA_COUNT: break;
    }
    return false;
#elif defined(__aarch64__)
    return isa == CPU_ISA_SCALAR || isa == CPU_ISA_NEON;
#else
    return isa == CPU_ISA_SCALAR;
#endif
}

bool cpu_isa_bf16(enum cpu_isa isa)
{
    if (isa != CPU_ISA_AVX512 || !cpu_isa_found(isa)) return false;
#if defined(VGG16_EMULATE_AVX512)
    return true;
#elif defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

/* Source: Intel, Architectures Software Developer's Manual, volume 1, chapter 18: AMX-BF16, AMX-TILE and AMX-INT8 are
 * bits 22, 24 and 25 of EDX of leaf 7; Linux saves a process's tiles once it has asked for that. */
bool cpu_isa_matrix(enum cpu_isa isa)
{
#if defined(VGG16_EMULATE_AVX512)
    return cpu_isa_bf16(isa);
#elif defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    const unsigned needed = 1u << 22 | 1u << 24 | 1u << 25;
    if (!cpu_isa_bf16(isa) || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
    return (edx & needed) == needed && vgg_os_allow_tiles();
#else
    (void)isa;
    return false;
#endif
}

/* Not every compiler's detection knows AVX_VNNI. */
bool cpu_isa_int8(enum cpu_isa isa)
{
#if defined(__x86_64__)
    unsigned a = 0, b, c, d;
    if (!cpu_isa_found(isa)) return false;
    if (isa == CPU_ISA_AVX2) return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1 << 4);
#if !defined(VGG16_EMULATE_AVX512)
    if (isa == CPU_ISA_AVX512) return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw");
#endif
#elif defined(__aarch64__)
    return isa == CPU_ISA_NEON && vgg_os_has(VGG_OS_ARM_DOTPROD);
#endif
    (void)isa;
    return false;
}

enum cpu_isa cpu_isa_best(void)
{
    int isa = CPU_ISA_COUNT - 1;
    while (!cpu_isa_found((enum cpu_isa)isa))
        isa--;
    return (enum cpu_isa)isa;
}
