#include "vk/vk_matrix.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "vk/vk_tile.h"

const char *const vk_matrix_extensions[VK_MATRIX_EXTENSIONS] = { "VK_KHR_cooperative_matrix",
                                                                 VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME };

/* ---- what a device has ---- */

/* As VkCooperativeMatrixPropertiesKHR. */
struct properties {
    VkStructureType type;
    void *next;
    uint32_t m, n, k;
    int32_t a, b, c, result; /* types of components */
    VkBool32 saturating;
    int32_t scope;
};
typedef VkResult(VKAPI_PTR *get_properties_fn)(VkPhysicalDevice, uint32_t *, struct properties *);

enum { FEATURES_TYPE = 1000506000, PROPERTIES_TYPE = 1000506001 };
enum { FLOAT16 = 0, FLOAT32 = 1, SUBGROUP_SCOPE = 3 };
enum { INTEL = 0x8086 };

static void *chain(struct vk_matrix_features *f, void *next)
{
    *f = (struct vk_matrix_features) {
        .matrix = { .sType = (VkStructureType)FEATURES_TYPE, .pNext = &f->float16 },
        .float16 = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, .pNext = &f->model },
        .model = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, .pNext = &f->size },
        .size = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, .pNext = next }
    };
    return f;
}

void *vk_matrix_need(struct vk_matrix_features *features, void *next)
{
    chain(features, next);
    features->matrix.cooperativeMatrix = VK_TRUE;
    features->float16.shaderFloat16 = VK_TRUE;
    features->model.vulkanMemoryModel = VK_TRUE;
    features->size.subgroupSizeControl = features->size.computeFullSubgroups = VK_TRUE;
    return features;
}

static bool has_extensions(const struct vk_lib *lib, const struct vk_gpu *gpu)
{
    uint32_t count = 0;
    int found = 0;
    if (lib->fn.EnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, NULL) != VK_SUCCESS) return false;
    VkExtensionProperties *list = vgg_mem_calloc(count, sizeof *list);
    if (!list) return false;
    lib->fn.EnumerateDeviceExtensionProperties(gpu->physical, NULL, &count, list);
    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < VK_MATRIX_EXTENSIONS; k++)
            found += strcmp(list[i].extensionName, vk_matrix_extensions[k]) == 0;
    free(list);
    return found == VK_MATRIX_EXTENSIONS;
}

/* Fragments whose sides the tiles below are made of: the first that the driver names, which is its own size. */
static void read_fragment(const struct vk_lib *lib, struct vk_gpu *gpu)
{
    PFN_vkVoidFunction function =
        lib->fn.GetInstanceProcAddr(lib->instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    get_properties_fn get = (get_properties_fn)function;
    uint32_t count = 0;
    if (!get || get(gpu->physical, &count, NULL) != VK_SUCCESS || count == 0) return;
    struct properties *list = vgg_mem_calloc(count, sizeof *list);
    if (!list) return;
    for (uint32_t i = 0; i < count; i++)
        list[i].type = (VkStructureType)PROPERTIES_TYPE;
    VkResult result = get(gpu->physical, &count, list);
    for (uint32_t i = 0; result == VK_SUCCESS && i < count && !gpu->matrix.m; i++) {
        const struct properties *p = &list[i];
        bool types = p->a == FLOAT16 && p->b == FLOAT16 && p->c == FLOAT32 && p->result == FLOAT32;
        bool sides = (p->m == 8 || p->m == 16) && (p->n == 8 || p->n == 16) && (p->k == 8 || p->k == 16);
        if (!types || !sides || p->scope != SUBGROUP_SCOPE) continue;
        gpu->matrix.m = (int)p->m, gpu->matrix.n = (int)p->n, gpu->matrix.k = (int)p->k;
    }
    free(list);
}

void vk_matrix_read(const struct vk_lib *lib, struct vk_gpu *gpu)
{
    struct vk_matrix_features has;
    VkPhysicalDeviceSubgroupSizeControlProperties sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES
    };
    VkPhysicalDeviceProperties2 properties = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                               .pNext = &sizes };
    VkPhysicalDeviceFeatures2 features = { .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                           .pNext = chain(&has, NULL) };
    memset(&gpu->matrix, 0, sizeof gpu->matrix);
    if (!has_extensions(lib, gpu)) return;
    lib->fn.GetPhysicalDeviceFeatures2(gpu->physical, &features);
    lib->fn.GetPhysicalDeviceProperties2(gpu->physical, &properties);
    bool all = has.matrix.cooperativeMatrix && has.float16.shaderFloat16 && has.model.vulkanMemoryModel &&
               has.size.subgroupSizeControl && has.size.computeFullSubgroups &&
               (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) && sizes.minSubgroupSize;
    if (!all) return;
    /* 32 is NVIDIA's only one and the faster one of RDNA 3's; Intel's matrix units are as wide as its smallest. */
    bool wide = sizes.minSubgroupSize <= 32 && sizes.maxSubgroupSize >= 32;
    gpu->matrix.subgroup = gpu->properties.vendorID == INTEL || !wide ? sizes.minSubgroupSize : 32;
    read_fragment(lib, gpu);
}

/* ---- tiles ---- */

/* Subgroups down and across, and the fragments that each of them has down and across. */
struct matrix_tile {
    int down, across, m, n;
};

enum { STEP = 32 }; /* of a sum, of which channels are multiples in vk_class.c */

/* With fragments of 16 x 16: 128 x 128, 64 x 64, 16 x 128. */
enum { LARGE, MIDDLE, THIN };
static const struct matrix_tile tiles[VK_MATRIX_TILES] = { { 2, 4, 4, 2 }, { 2, 2, 2, 2 }, { 1, 4, 1, 2 } };

static int tile_of(const struct vk *vk, int index)
{
    if (index == VK_TILE_THIN) return THIN;
    bool large = index == VK_TILE_LARGEST && !vk->gpu.class->host; /* which is compiled for minutes on a CPU */
    return large ? LARGE : MIDDLE;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Bytes of shared memory, as matrix.glsl has them at most: tiles of halves, or strips of sums. */
static size_t shared_size(const struct vk_matrix_shape *f, const struct vk_block *b, const struct matrix_tile *t)
{
    size_t a = larger(b->bm * (b->bk + 8), b->bk * (b->bm + 8)), c = larger(b->bn * (b->bk + 8), b->bk * (b->bn + 8));
    return larger(2 * (a + c), 4 * (size_t)(t->down * f->m) * (b->bn + 4));
}

void vk_matrix_spec(const struct vk *vk, struct vk_variant *variant, int tile)
{
    const struct vk_matrix_shape *f = &vk->gpu.matrix;
    const struct matrix_tile *t = &tiles[tile];
    uint32_t *spec = variant->spec;
    spec[VK_SPEC_THREADS] = (uint32_t)(t->down * t->across) * f->subgroup;
    spec[VK_SPEC_BM] = (uint32_t)(t->down * t->m * f->m);
    spec[VK_SPEC_BN] = (uint32_t)(t->across * t->n * f->n);
    spec[VK_SPEC_BK] = STEP;
    spec[VK_SPEC_TM] = (uint32_t)(t->m * f->m);
    spec[VK_SPEC_TN] = (uint32_t)(t->n * f->n);
    spec[VK_SPEC_SUBGROUP] = f->subgroup;
    spec[VK_SPEC_FRAGMENT_A] = spec[VK_SPEC_FRAGMENT_C] = (uint32_t)f->m;
    spec[VK_SPEC_FRAGMENT_B] = (uint32_t)f->k;
    spec[VK_SPEC_FRAGMENT_N] = (uint32_t)f->n;
    spec[VK_SPEC_HALF] = vk->matrix_bits;
}

static enum vgg_status get(struct vk *vk, struct vk_variant *variant, int tile, struct vk_block *block)
{
    vk_matrix_spec(vk, variant, tile);
    block->bm = variant->spec[VK_SPEC_BM];
    block->bn = variant->spec[VK_SPEC_BN];
    block->bk = variant->spec[VK_SPEC_BK];
    bool fits = variant->spec[VK_SPEC_THREADS] <= vk->limits.invocations &&
                shared_size(&vk->gpu.matrix, block, &tiles[tile]) <= vk->limits.shared;
    return fits ? vk_pipe_get(vk, variant, &block->pipeline) : VGG_ERR_UNSUPPORTED;
}

enum vgg_status vk_matrix_block(struct vk *vk, struct vk_variant *variant, const struct vk_way *way, int index,
                                struct vk_block *block)
{
    struct vk_variant own = *variant;
    enum vgg_status status = VGG_ERR_UNSUPPORTED;
    own.shader = way->shader;
    for (int i = tile_of(vk, index); i < VK_MATRIX_TILES && status == VGG_ERR_UNSUPPORTED; i++) {
        *block = (struct vk_block) { .way = way };
        status = get(vk, &own, i, block);
    }
    if (status == VGG_ERR_UNSUPPORTED && vk->matrix) {
        vgg_log(VGG_LOG_WARNING, "%s: the driver refuses shader %s; fp16 is computed without matrix cores",
                vk->gpu.properties.deviceName, way->shader);
        vk->matrix = false;
    }
    return status;
}
