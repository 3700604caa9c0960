/* Every shader through the compiler of real GPUs (RADV without a GPU): no spilled register, at most 128 vector
 * registers and 32 KiB of shared memory; in the inner loops of the matrix products at least 55 % of the instructions,
 * loads included, multiply and add, whatever the tile. And more of them in VGG16's layers, at the tiles that the
 * program chooses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/vk_matrix.h"
#include "vk/vk_pipe.h"
#include "vk/vk_shader.h"
#include "vk/vk_tile.h"
#include "vk/vk_wino.h"
#include "vk_driver.h"

/* A device that reports on its pipelines; the fields of struct vk that vk_pipe_init needs. */
static struct vk device;
static PFN_vkGetPipelineExecutableStatisticsKHR get_statistics;
static PFN_vkGetPipelineExecutableInternalRepresentationsKHR get_code;

static void open_device(const char *family)
{
    struct vk_gpu *list;
    size_t count;
    vk_driver_radv(family);
    vk_lib_open(&device.lib);
    if (!device.lib.instance || vk_gpu_list(&device.lib, &list, &count) != VGG_OK || count == 0) {
        cr_skip_test("RADV offers no device without a GPU here");
    }
    device.gpu = list[0];
    free(list);
    const char *extension[1 + VK_MATRIX_EXTENSIONS] = { VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME };
    struct vk_matrix_features matrix;
    bool matrices = device.gpu.matrix.m != 0;
    for (int i = 0; i < VK_MATRIX_EXTENSIONS; i++)
        extension[1 + i] = vk_matrix_extensions[i];
    float priority = 1;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE
    };
    VkDeviceQueueCreateInfo queue = { .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                      .queueFamilyIndex = device.gpu.family,
                                      .queueCount = 1,
                                      .pQueuePriorities = &priority };
    VkDeviceCreateInfo info = { .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .pNext = matrices ? vk_matrix_need(&matrix, &feature) : &feature,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos = &queue,
                                .enabledExtensionCount = matrices ? 1 + VK_MATRIX_EXTENSIONS : 1,
                                .ppEnabledExtensionNames = extension };
    cr_assert_eq(device.lib.fn.CreateDevice(device.gpu.physical, &info, NULL, &device.device), VK_SUCCESS);
    cr_assert(vk_lib_device(&device.lib.fn, device.device));
    cr_assert_eq(vk_pipe_init(&device), VGG_OK);
    get_statistics = (PFN_vkGetPipelineExecutableStatisticsKHR)device.lib.fn.GetDeviceProcAddr(
        device.device, "vkGetPipelineExecutableStatisticsKHR");
    get_code = (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)device.lib.fn.GetDeviceProcAddr(
        device.device, "vkGetPipelineExecutableInternalRepresentationsKHR");
}

static void close_device(void)
{
    vk_pipe_finish(&device);
    device.lib.fn.DestroyDevice(device.device, NULL);
    vk_lib_close(&device.lib);
}

static VkPipeline create(const struct vk_variant *variant, bool defaults)
{
    const struct vk_shader *shader = vk_pipe_shader(variant);
    VkSpecializationMapEntry entry[VK_SPEC_COUNT];
    for (uint32_t i = 0; i < VK_SPEC_COUNT; i++)
        entry[i] = (VkSpecializationMapEntry) { i, 4 * i, 4 };
    VkSpecializationInfo spec = { VK_SPEC_COUNT, entry, sizeof variant->spec, variant->spec };
    VkShaderModuleCreateInfo code = { .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                      .codeSize = shader->size,
                                      .pCode = shader->code };
    VkShaderModule module;
    cr_assert_eq(device.lib.fn.CreateShaderModule(device.device, &code, NULL, &module), VK_SUCCESS);
    VkComputePipelineCreateInfo info = { .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                         .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                                                  VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
                                         .stage = { .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                    .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                    .module = module,
                                                    .pName = "main",
                                                    .pSpecializationInfo = defaults ? NULL : &spec },
                                         .layout = device.layout };
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = variant->spec[VK_SPEC_SUBGROUP]
    };
    if (size.requiredSubgroupSize) {
        info.stage.pNext = &size;
        info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    }
    VkPipeline pipeline;
    cr_assert_eq(device.lib.fn.CreateComputePipelines(device.device, NULL, 1, &info, NULL, &pipeline), VK_SUCCESS);
    device.lib.fn.DestroyShaderModule(device.device, module, NULL);
    return pipeline;
}

/* Instructions of a basic block, multiply-adds among them. Two that issue as one count as two. */
struct block {
    long all, fma;
};

enum { BLOCKS = 4096 };

static bool starts(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* Counts an instruction of RADV's assembly. */
static void count_line(struct block *block, const char *line)
{
    block->all += line[0] == 'v' || line[0] == 's' || line[0] == 'd' || line[0] == 'b' || line[0] == 'g';
    block->all += starts(line, "v_dual_");
    block->fma += starts(line, "v_fma") || starts(line, "v_mac_f32") || starts(line, "v_mad_f32");
    for (const char *at = line; (at = strstr(at, "v_dual_fma")); at++)
        block->fma++;
}

/* Share of multiply-adds among the instructions of the innermost loop around the basic block that holds most of them,
 * all blocks of which are taken once. */
static double share_of(char *text)
{
    static struct block blocks[BLOCKS];
    static long number[BLOCKS], from[BLOCKS], to[BLOCKS]; /* of each block; of each jump, back from block `from` */
    long count = 0, jumps = 0, best = 0, begin = 0, end = 0;
    memset(blocks, 0, sizeof blocks);
    number[0] = -1;
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        while (*line == ' ' || *line == '\t')
            line++;
        if (starts(line, "BB")) {
            cr_assert_lt(++count, BLOCKS);
            number[count] = strtol(line + 2, NULL, 10);
            continue;
        }
        const char *target = starts(line, "s_branch") || starts(line, "s_cbranch") ? strstr(line, "BB") : NULL;
        count_line(&blocks[count], line);
        if (!target) continue;
        cr_assert_lt(jumps, BLOCKS);
        from[jumps] = count;
        to[jumps++] = strtol(target + 2, NULL, 10);
    }
    for (long i = 0; i <= count; i++)
        if (blocks[i].fma > blocks[best].fma) best = i;
    for (long k = 0; k < jumps; k++) {
        long first = 0;
        while (first <= count && number[first] != to[k])
            first++;
        if (first > best || from[k] < best) continue;
        if (!end || from[k] - first < end - begin) begin = first, end = from[k];
    }
    struct block whole = { 0 };
    for (long i = begin; i <= end; i++)
        whole.all += blocks[i].all, whole.fma += blocks[i].fma;
    cr_expect(end, "no loop around the multiply-adds");
    return (double)whole.fma / (double)(whole.all ? whole.all : 1);
}

static double fma_share(VkPipeline pipeline)
{
    VkPipelineExecutableInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                         .pipeline = pipeline };
    VkPipelineExecutableInternalRepresentationKHR ir[8];
    uint32_t count = 8;
    memset(ir, 0, sizeof ir);
    for (int i = 0; i < 8; i++)
        ir[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    get_code(device.device, &info, &count, ir);
    for (uint32_t i = 0; i < count; i++) {
        ir[i].pData = calloc(1, ir[i].dataSize + 1);
        cr_assert(ir[i].pData);
    }
    get_code(device.device, &info, &count, ir);
    if (getenv("VGG16_TEST_ASSEMBLY")) fprintf(stderr, "%s\n", (char *)ir[count - 1].pData);
    double share = share_of(ir[count - 1].pData); /* the last is the assembly */
    for (uint32_t i = 0; i < count; i++)
        free(ir[i].pData);
    return share;
}

/* How often the machine code has an instruction. */
static int count_code(VkPipeline pipeline, const char *instruction)
{
    VkPipelineExecutableInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                         .pipeline = pipeline };
    VkPipelineExecutableInternalRepresentationKHR ir[8];
    uint32_t count = 8;
    int found = 0;
    memset(ir, 0, sizeof ir);
    for (int i = 0; i < 8; i++)
        ir[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
    get_code(device.device, &info, &count, ir);
    for (uint32_t i = 0; i < count; i++) {
        ir[i].pData = calloc(1, ir[i].dataSize + 1);
        cr_assert(ir[i].pData);
    }
    get_code(device.device, &info, &count, ir);
    for (const char *at = ir[count - 1].pData; (at = strstr(at, instruction)); at++)
        found++;
    for (uint32_t i = 0; i < count; i++)
        free(ir[i].pData);
    return found;
}

/* What a variant is: a module with the constants that it gives itself; or with those of a use; a product's inner loop
 * is looked at as well; or one on matrix cores, whose fragments take registers of their own. */
enum kind { PLAIN, USED, PRODUCT, MATRIX };

/* Of multiply-adds in the whole loop over a sum, at any tile; conv.comp and gemm.comp are far above. */
static const double LEAST_SHARE = 0.55;

static void check(const char *family, const struct vk_variant *variant, enum kind kind)
{
    bool product = kind == PRODUCT;
    VkPipeline pipeline = create(variant, kind == PLAIN);
    VkPipelineExecutableInfoKHR info = { .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                         .pipeline = pipeline };
    VkPipelineExecutableStatisticKHR value[64];
    uint32_t count = 64;
    memset(value, 0, sizeof value);
    for (int i = 0; i < 64; i++)
        value[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    get_statistics(device.device, &info, &count, value);
    unsigned long long registers = 0, spilled = 0, shared = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(value[i].name, "VGPRs")) registers = value[i].value.u64;
        if (!strncmp(value[i].name, "Spilled ", 8)) spilled += value[i].value.u64;
        if (!strcmp(value[i].name, "LDS size")) shared = value[i].value.u64;
    }
    double share = product ? fma_share(pipeline) : 1;
    if (!product && !strncmp(variant->shader, "wino_", 5)) {
        fprintf(stderr, "%s %s: %llu registers\n", family, variant->shader, registers);
    }
    if (product) {
        const struct vk_tile *t = &vk_tiles[variant->spec[VK_SPEC_TILE]];
        fprintf(stderr, "%s %s %dx%d %dx%d: %llu registers, %llu bytes shared, %.0f %% of the loop multiply-adds\n",
                family, variant->shader, t->bm, t->bn, t->tm, t->tn, registers, shared, 100 * share);
    }
    cr_expect_gt(registers, 0u);
    cr_expect_eq(spilled, 0u, "%s %s spills", family, variant->shader);
    /* Six subgroups a SIMD; RDNA 3 has 1536. By its own constants the thin tile takes elements one by one. */
    unsigned long long most = kind == MATRIX ? 240 : kind == PLAIN ? 144 : 128;
    if (kind == MATRIX) {
        const uint32_t *spec = variant->spec;
        uint32_t fragments =
            spec[VK_SPEC_TM] / spec[VK_SPEC_FRAGMENT_C] * (spec[VK_SPEC_TN] / spec[VK_SPEC_FRAGMENT_N]);
        int products = count_code(pipeline, "v_wmma_f32_16x16x16_f16");
        fprintf(stderr, "%s %s %ux%u: %llu registers, %llu bytes shared, %d products of fragments\n", family,
                variant->shader, spec[VK_SPEC_BM], spec[VK_SPEC_BN], registers, shared, products);
        cr_expect_geq(products, (int)(fragments * spec[VK_SPEC_BK] / spec[VK_SPEC_FRAGMENT_B]));
    }
    cr_expect_leq(registers, most, "%s %s: %llu registers", family, variant->shader, registers);
    cr_expect_leq(shared, 32768u);
    cr_expect_geq(share, LEAST_SHARE, "%s %s: %.2f", family, variant->shader, share);
    device.lib.fn.DestroyPipeline(device.device, pipeline, NULL);
}

/* Shaders for devices of CPU type: they count on subgroups of 8 that are whole workgroups, keep their tile in memory
 * and would spill here. No GPU is given one: see no_gpu_gets_the_shaders_for_cpus. */
static bool for_cpus_only(const char *shader)
{
    return strncmp(shader, "cpu/", 4) == 0;
}

/* Those of matrix cores: rdna3_matrices. */
static bool for_matrices_only(const char *shader)
{
    return strncmp(shader, "matrix/", 7) == 0;
}

/* The tiles that GPUs get for VGG16's layers; the thin one is for dense layers of few rows. */
static const int tiles[] = { 0, 1, 2, 3, 4, 5 };

/* ---- VGG16's layers, at the tiles that the program chooses ---- */

static double loop_share(const struct vk_variant *variant)
{
    VkPipeline pipeline = create(variant, false);
    double share = fma_share(pipeline);
    device.lib.fn.DestroyPipeline(device.device, pipeline, NULL);
    return share;
}

/* Least shares of multiply-adds there. */
static const double CONV_SHARE = 0.74, WGRAD_SHARE = 0.65, PRODUCT_SHARE = 0.75;

static void check_layer(const char *family, const struct vk_driver_shape *s, enum vgg_op_kind kind)
{
    const struct vgg_op_case test =
        vk_driver_conv_case(s, kind, kind == VGG_OP_CONV_BWD_WEIGHT ? 0 : VGG_OP_RELU, false);
    const struct vgg_op *op = &test.op;
    bool forward = kind == VGG_OP_CONV, kernel = kind == VGG_OP_CONV_BWD_WEIGHT;
    const struct vk_conv conv = { .op = op,
                                  .x = forward || kernel ? &op->x : &op->dy,
                                  .out = forward  ? &op->y
                                         : kernel ? &op->dy
                                                  : &op->dx,
                                  .co = forward  ? op->w.c
                                        : kernel ? op->dy.c
                                                 : op->dx.c,
                                  .transposed = !forward && !kernel,
                                  .relu = !kernel };
    size_t pixels = (size_t)s->n * (size_t)s->h * (size_t)s->w;
    bool wino = vk_wino_wanted(&device, &conv);
    struct vk_plan plan = wino     ? vk_wino_plan(&device, &conv)
                          : kernel ? vk_conv_wgrad_plan(&device, &conv, pixels)
                                   : vk_conv_plan(&device, &conv, s->n);
    struct vk_variant variant = { wino     ? "gemm"
                                  : kernel ? "wgrad"
                                           : "conv",
                                  { [VK_SPEC_TILE] = (uint32_t)plan.tile,
                                    [VK_SPEC_A_VEC] = 1,
                                    [VK_SPEC_B_VEC] = 1,
                                    [VK_SPEC_C_VEC] = 1,
                                    [VK_SPEC_BATCH] = wino,
                                    [VK_SPEC_EVEN] = wino && !kernel,
                                    [VK_SPEC_A_K] = wino && !kernel,
                                    [VK_SPEC_RELU] = !wino && !kernel,
                                    [VK_SPEC_TRANSPOSED] = conv.transposed && !wino,
                                    [VK_SPEC_SPLIT] = !wino && !kernel && plan.parts > 1 } };
    const struct vk_tile *t = &vk_tiles[variant.spec[VK_SPEC_TILE]];
    double share = loop_share(&variant), least = wino ? PRODUCT_SHARE : kernel ? WGRAD_SHARE : CONV_SHARE;
    fprintf(stderr, "%s %dx%dx%d %d->%d %s: %s %dx%d %dx%d, %zu parts: %.0f %% multiply-adds\n", family, s->n, s->h,
            s->w, s->in, s->out,
            forward  ? "forward"
            : kernel ? "kernel gradient"
                     : "input gradient",
            wino ? "Winograd" : "direct", t->bm, t->bn, t->tm, t->tn, plan.parts, 100 * share);
    cr_expect_geq(share, least, "%s %s: %.2f", family, test.text, share);
}

static void check_layers(const char *family)
{
    static const int sizes[] = { 224, 112, 112, 56, 56, 28, 28, 14 }, from[] = { 64, 64, 128, 128, 256, 256, 512, 512 },
                     to[] = { 64, 128, 128, 256, 256, 512, 512, 512 };
    open_device(family);
    device.limits = (struct vk_limits) { .range = 1u << 30,
                                         .scratch = device.gpu.class->scratch,
                                         .groups = 65535,
                                         .invocations = 1024,
                                         .shared = 32768,
                                         .tile = -1 };
    for (int n = 1; n <= 32; n += 31) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const struct vk_driver_shape shape = { n, sizes[i], sizes[i], from[i], to[i] };
            check_layer(family, &shape, VGG_OP_CONV);
            check_layer(family, &shape, VGG_OP_CONV_BWD_DATA);
            check_layer(family, &shape, VGG_OP_CONV_BWD_WEIGHT);
        }
    }
    close_device();
}

static void check_family(const char *family)
{
    static const struct vk_variant products[] = {
        { "conv", { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_RELU] = 1 } }, /* forward, ReLU */
        { "conv",
          { [VK_SPEC_A_VEC] = 1,
            [VK_SPEC_C_VEC] = 1,
            [VK_SPEC_RELU] = 1,
            [VK_SPEC_POOL] = 1,
            [VK_SPEC_ARG] = 1 } }, /* and pool with argmax */
        { "conv",
          { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1 } }, /* input
                                                                                                           gradient,
                                                                                                           mask */
        { "conv", { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_SPLIT] = 1 } }, /* forward in parts */
        { "conv",
          { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_SPLIT] = 1 } }, /* pool in parts */
        { "conv",
          { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_SPLIT] = 1 } }, /* input
                                                                                                            gradient in
                                                                                                            parts */
        { "wgrad", { [VK_SPEC_A_VEC] = 1, [VK_SPEC_C_VEC] = 1 } },
        { "gemm",
          { [VK_SPEC_A_VEC] = 1,
            [VK_SPEC_B_VEC] = 1,
            [VK_SPEC_C_VEC] = 1,
            [VK_SPEC_A_K] = 1,
            [VK_SPEC_BIAS] = 1,
            [VK_SPEC_RELU] = 1 } }, /* dense forward */
        { "gemm",
          { [VK_SPEC_A_VEC] = 1,
            [VK_SPEC_B_VEC] = 1,
            [VK_SPEC_C_VEC] = 1,
            [VK_SPEC_A_K] = 1,
            [VK_SPEC_B_K] = 1,
            [VK_SPEC_MASK] = 1 } }, /* input gradient */
        { "gemm",
          { [VK_SPEC_A_VEC] = 1, [VK_SPEC_B_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_ADD] = 1 } }, /* kernel gradient */
        { "gemm",
          { [VK_SPEC_A_VEC] = 1,
            [VK_SPEC_B_VEC] = 1,
            [VK_SPEC_C_VEC] = 1,
            [VK_SPEC_A_K] = 1,
            [VK_SPEC_BATCH] = 1 } }, /* Winograd's products */
        { "gemm",
          { [VK_SPEC_A_VEC] = 1, [VK_SPEC_B_VEC] = 1, [VK_SPEC_C_VEC] = 1, [VK_SPEC_BATCH] = 1 } }, /* of its kernel
                                                                                                       gradient */
    };
    static const struct vk_variant others[] = {
        { "conv_sum", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_RELU] = 1 } }, /* forward, ReLU */
        { "conv_sum",
          { [VK_SPEC_C_VEC] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_ARG] = 1 } }, /* and pool with argmax
                                                                                                 */
        { "conv_sum",
          { [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1 } }, /* input gradient, mask */
        { "conv_sum", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_HALVES] = 4 } },
        { "colsum", { [VK_SPEC_HALVES] = 1 } },
        { "pool_bwd", { [VK_SPEC_MASK] = 1, [VK_SPEC_FOUR] = 1, [VK_SPEC_HALVES] = 5 } },
        { "wino_weight", { [VK_SPEC_TRANSPOSED] = 1 } },
        { "wino_output", { [VK_SPEC_RELU] = 1, [VK_SPEC_CHANNELS] = 2 } },
        { "wino_output", { [VK_SPEC_RELU] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_CHANNELS] = 2 } },
        { "wino_output", { [VK_SPEC_RELU] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_ARG] = 1, [VK_SPEC_CHANNELS] = 4 } },
        { "wino_output", { [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_CHANNELS] = 2 } },
    };
    open_device(family);
    for (const struct vk_shader *shader = vk_shader_list; shader->name; shader++) {
        const struct vk_variant plain = { shader->name, { 0 } };
        if (for_cpus_only(shader->name) || for_matrices_only(shader->name)) continue;
        check(family, &plain, PLAIN);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check(family, &others[i], USED);
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        for (size_t t = 0; t < sizeof tiles / sizeof *tiles; t++) {
            struct vk_variant variant = products[i];
            variant.spec[VK_SPEC_TILE] = (uint32_t)tiles[t];
            check(family, &variant, PRODUCT);
        }
    }
    close_device();
}

static bool needs(const struct vk_shader *shader, uint32_t capability)
{
    for (size_t i = 5; i < shader->size / 4; i += shader->code[i] >> 16) /* after the header, instructions by length */
        if (shader->code[i] == (2u << 16 | 17u) && shader->code[i + 1] == capability) return true;
    return false;
}

/* Whatever the shape; and what GPUs get needs neither 64-bit integers nor subgroups nor texel buffers. */
static void check_choice(const char *family)
{
    enum { INT64 = 11, SAMPLED_BUFFER = 46, SUBGROUPS = 61, SHUFFLE = 65 };
    static const uint32_t capabilities[] = { INT64, SAMPLED_BUFFER, SUBGROUPS, SHUFFLE };
    open_device(family);
    cr_expect_not(device.gpu.class->host);
    cr_expect_not(device.gpu.class->lanes);
    cr_expect_neq((int)device.gpu.class->wino, VK_WINO_CPU);
    for (int task = 0; task < VK_TASK_COUNT; task++) {
        const struct vk_way *way = vk_class_next(device.gpu.class, (enum vk_task)task, 0, NULL);
        if (way && way->tiling == VK_TILING_MATRIX) way = vk_class_next(device.gpu.class, (enum vk_task)task, 0, way);
        cr_expect(way && !for_cpus_only(way->shader), "task %d", task);
        cr_expect_null(vk_class_next(device.gpu.class, (enum vk_task)task, 0, way), "task %d", task);
    }
    for (const struct vk_shader *shader = vk_shader_list; shader->name; shader++) {
        if (for_cpus_only(shader->name) || for_matrices_only(shader->name)) continue;
        for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
            cr_expect_not(needs(shader, capabilities[i]), "%s needs %u", shader->name, capabilities[i]);
    }
    close_device();
}

Test(vk_radv, no_gpu_gets_the_shaders_for_cpus)
{
    check_choice("navi31");
}

Test(vk_radv, layers_on_rdna3)
{
    check_layers("navi31");
}

Test(vk_radv, layers_on_rdna2)
{
    check_layers("navi21");
}

Test(vk_radv, rdna3)
{
    check_family("navi31");
}

/* Every shader of matrix cores in every tile, which only a RADV newer than Debian 12's compiles for. */
static void check_matrices(const char *family)
{
    static const struct vk_variant variants[] = {
        { "matrix/conv", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_ARG] = 1 } },
        { "matrix/conv", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1 } },
        { "matrix/conv", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_SPLIT] = 1 } },
        { "matrix/conv",
          { [VK_SPEC_C_VEC] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_POOL] = 1, [VK_SPEC_ARG] = 1, [VK_SPEC_HALVES] = 5 } },
        { "matrix/conv", { [VK_SPEC_C_VEC] = 1, [VK_SPEC_TRANSPOSED] = 1, [VK_SPEC_RELU] = 1, [VK_SPEC_HALVES] = 5 } },
        { "matrix/dense", { [VK_SPEC_A_K] = 1, [VK_SPEC_BIAS] = 1, [VK_SPEC_RELU] = 1 } },
        { "matrix/dense", { [VK_SPEC_A_K] = 1, [VK_SPEC_B_K] = 1, [VK_SPEC_MASK] = 1 } },
        { "matrix/dense", { [VK_SPEC_ADD] = 1 } },
        { "matrix/wgrad", { 0 } },
        { "matrix/wgrad", { [VK_SPEC_HALVES] = 3 } },
    };
    open_device(family);
    if (!device.gpu.matrix.m)
        cr_skip_test("this RADV knows no matrix cores (scripts/newer_mesa.sh FOLDER bookworm-backports)");
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        for (int tile = 0; tile < VK_MATRIX_TILES; tile++) {
            struct vk_variant variant = variants[i];
            vk_matrix_spec(&device, &variant, tile);
            check(family, &variant, MATRIX);
        }
    }
    close_device();
}

Test(vk_radv, rdna3_matrices)
{
    check_matrices("navi31");
}

Test(vk_radv, rdna2)
{
    check_family("navi21");
}

Test(vk_radv, gcn)
{
    check_family("vega10");
}
