/* The pipeline cache's file: read back only when every field of its header fits. */
#include <criterion/criterion.h>
#include <glob.h>
#include <pthread.h>
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

/* One of two writers: its own content, of its own size. */
struct writer {
    struct vk *vk;
    unsigned char value;
    size_t size;
};

static void *save_often(void *user)
{
    const struct writer *writer = user;
    unsigned char *blob = malloc(writer->size);
    memset(blob, writer->value, writer->size);
    for (int i = 0; i < 40; i++)
        vk_cache_save(writer->vk, blob, writer->size);
    free(blob);
    return NULL;
}

Test(vk_cache, two_threads_that_save_at_once_do_not_meet, .timeout = 60)
{
    vk_driver_mock();
    char path[512];
    void *data;
    size_t size;
    struct vk vk = { .gpu.properties = { .vendorID = 1, .deviceID = 2, .driverVersion = 3 } };
    struct writer writers[2] = { { &vk, 7, 3000000 }, { &vk, 9, 1000 } };
    pthread_t threads[2];
    vk_cache_save(&vk, "first", 5);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, save_often, &writers[i]), 0);
    for (int i = 0; i < 200; i++) {
        vk_cache_load(&vk, &data, &size);
        cr_assert(data, "load %d finds a damaged file", i);
        free(data);
    }
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    vk_cache_load(&vk, &data, &size);
    cr_assert(data);
    cr_expect_eq(size, writers[*(unsigned char *)data == 9].size);
    free(data);
    cache_file(path, sizeof path); /* and no other file is left */
}
