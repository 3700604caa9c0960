/* The pipeline cache's file: read back only when every field of its header fits; when it is written. */
#include <criterion/criterion.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- when it is written ---- */

static bool cache_is_there(bool remove_it)
{
    char pattern[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/vgg16/vulkan-*", getenv("XDG_CACHE_HOME"));
    bool there = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (there && remove_it) unlink(found.gl_pathv[0]);
    globfree(&found);
    return there;
}

static VkResult no_pool(VkDevice device, const VkDescriptorPoolCreateInfo *info, const VkAllocationCallbacks *memory,
                        VkDescriptorPool *out)
{
    (void)device, (void)info, (void)memory, (void)out;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

/* A process that is killed, or fails, has not compiled for nothing. */
Test(vk_cache, written_after_the_first_list_and_after_a_failure)
{
    struct vk_driver_cases cases;
    struct vgg_op_case_memory memory;
    const struct vgg_op_case first = vk_driver_dense_case(3, 8, 16), second = vk_driver_dense_case(3, 7, 5),
                             third = vk_driver_conv_case(&(struct vk_driver_shape) { 1, 5, 4, 3, 5 }, VGG_OP_CONV, 0,
                                                         false);
    vk_driver_lavapipe();
    cache_is_there(true);
    vk_driver_cases_open(&cases);
    struct vk *vk = (struct vk *)cases.vk;
    vk_driver_cases_run_one(&cases, &first);
    cr_expect(cache_is_there(true), "after the first list");
    vk_driver_cases_run_one(&cases, &second);
    cr_expect_not(cache_is_there(true), "a file for every list");
    vk->lib.fn.CreateDescriptorPool = no_pool;
    cr_assert_eq(vgg_op_case_memory_init(&memory, &third), VGG_OK);
    cr_expect_eq(vgg_op_case_run(cases.vk, &third, &memory, NULL), VGG_ERR_MEMORY);
    cr_expect(cache_is_there(true), "after a failure");
    vgg_op_case_memory_finish(&memory);
    vk_driver_cases_close(&cases);
}

static int told;

static void count_lines(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level;
    told += strstr(line, "compiles the shaders") != NULL;
}

static struct vk_fn quick;

static VkResult compile_slowly(VkDevice device, VkPipelineCache cache, uint32_t count,
                               const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *memory,
                               VkPipeline *out)
{
    usleep(800000);
    return quick.CreateComputePipelines(device, cache, count, info, memory, out);
}

Test(vk_cache, long_compiling_is_told_once)
{
    struct vk_driver_cases cases;
    const struct vgg_op_case quickly = vk_driver_dense_case(3, 8, 16);
    vk_driver_lavapipe();
    vgg_log_set(count_lines, NULL, VGG_LOG_INFO);
    vk_driver_cases_open(&cases);
    struct vk_fn *fn = &((struct vk *)cases.vk)->lib.fn;
    quick = *fn;
    fn->CreateComputePipelines = compile_slowly;
    vk_driver_cases_run_one(&cases, &quickly);
    cr_expect_eq(told, 0, "in less than two seconds");
    for (int i = 0; i < 4; i++) {
        const struct vgg_op_case odd = vk_driver_conv_case(&(struct vk_driver_shape) { 1, 5, 4, 3 + i % 2 * 5, 5 + i },
                                                           i / 2 ? VGG_OP_CONV_BWD_WEIGHT : VGG_OP_CONV, 0, false);
        vk_driver_cases_run_one(&cases, &odd);
    }
    cr_expect_eq(told, 1);
    vk_driver_cases_close(&cases);
}
