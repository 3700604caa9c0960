/* The pipeline cache's file: read back only when every field of its header fits. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vk/vk_cache.h"
#include "vk_driver.h"

/* The only file of the cache's folder. */
static void cache_file(char *path, size_t size)
{
    char pattern[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/vgg16/vulkan-*", getenv("XDG_CACHE_HOME"));
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0);
    cr_assert_eq(found.gl_pathc, 1u);
    snprintf(path, size, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static bool loads(const struct vk *vk)
{
    void *data;
    size_t size;
    vk_cache_load(vk, &data, &size);
    free(data);
    return size != 0;
}

Test(vk_cache, only_what_fits_is_read_back)
{
    char path[512];
    static unsigned char blob[5000], content[8192];
    void *data;
    size_t size;
    vk_driver_mock();
    struct vk vk = { .gpu.properties = { .vendorID = 1, .deviceID = 2, .driverVersion = 3 } };
    cr_expect_not(loads(&vk), "nothing is there yet");
    memset(blob, 7, sizeof blob);
    vk_cache_save(&vk, blob, sizeof blob);
    vk_cache_load(&vk, &data, &size);
    cr_assert_eq(size, sizeof blob);
    cr_expect_eq(memcmp(data, blob, size), 0);
    free(data);

    struct vk newer = vk;
    newer.gpu.properties.driverVersion++;
    cr_expect_not(loads(&newer), "another driver version");

    cache_file(path, sizeof path);
    FILE *file = fopen(path, "rb");
    size_t length = fread(content, 1, sizeof content, file);
    fclose(file);
    cr_assert_gt(length, sizeof blob);
    for (size_t at = 0; at < length; at += 61) { /* one byte changed */
        content[at] ^= 1;
        file = fopen(path, "wb");
        fwrite(content, 1, length, file);
        fclose(file);
        cr_expect_not(loads(&vk), "byte %zu", at);
        content[at] ^= 1;
    }
    for (size_t cut = 0; cut < length; cut += 509) { /* truncated */
        file = fopen(path, "wb");
        fwrite(content, 1, cut, file);
        fclose(file);
        cr_expect_not(loads(&vk), "cut at %zu", cut);
    }
    vk_cache_save(&vk, blob, sizeof blob);
    cr_expect(loads(&vk), "written anew");
}
