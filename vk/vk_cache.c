#include "vk/vk_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "vk/vk_shader.h"

/* What must be equal for a cache to be used; also what the driver itself may fail to check
 * (https://zeux.io/2019/07/17/serializing-pipeline-cache). */
struct header {
    char magic[8];
    uint32_t byte_order, pointer_size;
    uint32_t vendor, device, driver_version, api_version, driver_id, reserved;
    uint8_t cache_uuid[VK_UUID_SIZE];
    uint64_t shaders; /* digest of all modules */
    uint64_t size;    /* of the driver's data, which follows */
    uint64_t digest;  /* of the driver's data */
};

enum { CACHE_MAX = 256 << 20 };

/* FNV-1a, 64 bits. Source: Fowler, Noll, Vo. */
static uint64_t digest(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static void describe(struct header *header, const struct vk *vk, const void *data, size_t size)
{
    const VkPhysicalDeviceProperties *p = &vk->gpu.properties;
    memset(header, 0, sizeof *header);
    memcpy(header->magic, "VGG16VK1", 8);
    header->byte_order = 0x01020304;
    header->pointer_size = sizeof(void *);
    header->vendor = p->vendorID;
    header->device = p->deviceID;
    header->driver_version = p->driverVersion;
    header->api_version = p->apiVersion;
    header->driver_id = (uint32_t)vk->gpu.driver_id;
    memcpy(header->cache_uuid, p->pipelineCacheUUID, VK_UUID_SIZE);
    header->shaders = 0xcbf29ce484222325u;
    for (const struct vk_shader *s = vk_shader_list; s->name; s++) {
        header->shaders = digest(header->shaders, s->code, s->size);
    }
    header->size = size;
    header->digest = digest(0xcbf29ce484222325u, data, size);
}

/* The file of this device, `what` ends its name, its folder created; false without a place for it. */
static bool cache_path(char *path, size_t size, const struct vk *vk, const char *what)
{
    char folder[3072];
    if (!vgg_os_cache_folder(folder, sizeof folder - sizeof "/vgg16") || !vgg_os_make_folder(NULL, folder))
        return false;
    memcpy(folder + strlen(folder), "/vgg16", sizeof "/vgg16");
    if (!vgg_os_make_folder(NULL, folder)) return false;
    const VkPhysicalDeviceProperties *p = &vk->gpu.properties;
    int length = snprintf(path, size, "%s/vulkan-%08x-%08x-%d%s.bin", folder, p->vendorID, p->deviceID,
                          (int)vk->gpu.driver_id, what);
    return length > 0 && (size_t)length < size;
}

static void load(const struct vk *vk, const char *what, void **data, size_t *size)
{
    char path[4096];
    struct header header, expected;
    *data = NULL;
    *size = 0;
    if (!cache_path(path, sizeof path, vk, what)) return;
    FILE *file = vgg_os_fopen(path, "rb");
    if (!file) return;
    void *content = NULL;
    bool good = fread(&header, sizeof header, 1, file) == 1 && header.size > 0 && header.size <= CACHE_MAX;
    if (good) content = malloc((size_t)header.size);
    good = good && content && fread(content, (size_t)header.size, 1, file) == 1 && fgetc(file) == EOF;
    fclose(file);
    if (good) {
        describe(&expected, vk, content, (size_t)header.size);
        good = !memcmp(&header, &expected, sizeof header);
    }
    if (!good) {
        vgg_log(VGG_LOG_DEBUG, "%s: does not fit this device, driver or program; begun anew", path);
        free(content);
        return;
    }
    *data = content;
    *size = (size_t)header.size;
}

static void save(const struct vk *vk, const char *what, const void *data, size_t size)
{
    char path[4096];
    struct header header;
    struct vgg_file *file = NULL;
    enum vgg_status status;
    if (size > CACHE_MAX || !cache_path(path, sizeof path, vk, what)) return;
    describe(&header, vk, data, size);
    enum vgg_log_level before = vgg_log_failures(VGG_LOG_DEBUG); /* without the file all works as well */
    CHECK(vgg_file_create(&file, path));
    CHECK(vgg_file_write(file, &header, sizeof header));
    CHECK(vgg_file_write(file, data, size));
    status = vgg_file_commit(file);
    file = NULL;
fail:
    vgg_file_abort(file);
    vgg_log_failures(before);
    if (status != VGG_OK)
        vgg_log(VGG_LOG_DEBUG, "%s: cannot be written; its work is done again at the next start", path);
}

void vk_cache_load(const struct vk *vk, void **data, size_t *size)
{
    load(vk, "", data, size);
}

void vk_cache_save(const struct vk *vk, const void *data, size_t size)
{
    save(vk, "", data, size);
}

char vk_cache_verdict(const struct vk *vk)
{
    void *data;
    size_t size;
    load(vk, "-matrix", &data, &size);
    char verdict = 0;
    if (size == 1) memcpy(&verdict, data, 1);
    free(data);
    return verdict;
}

void vk_cache_keep_verdict(const struct vk *vk, char verdict)
{
    save(vk, "-matrix", &verdict, 1);
}
