#include "vk_driver.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first file that matches, or NULL. Static storage. */
static const char *find_file(const char *pattern)
{
    static char path[512];
    glob_t found;
    bool any = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (any) snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
    globfree(&found);
    return any ? path : NULL;
}

static char *folder(void)
{
    static char path[] = "/tmp/vgg16-vk-XXXXXX";
    static bool made;
    if (!made) cr_assert(mkdtemp(path));
    made = true;
    return path;
}

static void write_file(char *path, size_t size, const char *name, const char *text)
{
    snprintf(path, size, "%s/%s", folder(), name);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

/* Caches and run-time files go to a folder of their own. */
static void use(const char *icd)
{
    setenv("VK_ICD_FILENAMES", icd, 1);
    setenv("XDG_RUNTIME_DIR", folder(), 1);
    setenv("XDG_CACHE_HOME", folder(), 1);
    setenv("MESA_SHADER_CACHE_DIR", "/tmp/vgg16-mesa-cache", 0); /* compiling takes most of a test's time */
    unsetenv("VK_INSTANCE_LAYERS");
}

void vk_driver_lavapipe(void)
{
    const char *icd = find_file("/usr/share/vulkan/icd.d/lvp_icd*.json");
    if (!icd) cr_skip_test("lavapipe is not installed (Debian: mesa-vulkan-drivers)");
    use(icd);
}

void vk_driver_swiftshader(void)
{
    const char *icd = find_file("/usr/lib/chromium/vk_swiftshader_icd.json");
    if (!icd) cr_skip_test("SwiftShader is not installed (Debian: chromium)");
    use(icd);
}

void vk_driver_mock(void)
{
    char path[512];
    if (!find_file("/usr/lib/chromium/libVkICD_mock_icd.so")) {
        cr_skip_test("the mock driver is not installed (Debian: chromium)");
    }
    write_file(path, sizeof path, "mock_icd.json",
               "{\"file_format_version\": \"1.0.1\", \"ICD\": {\"library_path\": "
               "\"/usr/lib/chromium/libVkICD_mock_icd.so\", \"api_version\": \"1.3.0\"}}\n");
    use(path);
}

void vk_driver_radv(const char *family)
{
    const char *icd = find_file("/usr/share/vulkan/icd.d/radeon_icd*.json");
    if (!icd) cr_skip_test("RADV is not installed (Debian: mesa-vulkan-drivers)");
    use(icd);
    setenv("RADV_FORCE_FAMILY", family, 1);
}

const char *vk_driver_validate(bool gpu_assisted)
{
    static char log[512];
    char path[512], settings[1024];
    if (!find_file("/usr/lib/chromium/libVkLayer_khronos_validation.so")) {
        cr_skip_test("the validation layer is not installed (Debian: chromium)");
    }
    snprintf(log, sizeof log, "%s/validation.log", folder());
    write_file(path, sizeof path, "VkLayer_khronos_validation.json",
               "{\"file_format_version\": \"1.2.0\", \"layer\": {\"name\": \"VK_LAYER_KHRONOS_validation\", \"type\": "
               "\"GLOBAL\", \"library_path\": \"/usr/lib/chromium/libVkLayer_khronos_validation.so\", \"api_version\": "
               "\"1.4.300\", \"implementation_version\": \"1\", \"description\": \"validation\", "
               "\"instance_extensions\": [{\"name\": \"VK_EXT_debug_utils\", \"spec_version\": \"2\"}, "
               "{\"name\": \"VK_EXT_layer_settings\", \"spec_version\": \"2\"}]}}\n");
    snprintf(settings, sizeof settings,
             "%s"
             "khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG\n"
             "khronos_validation.log_filename = %s\n",
             gpu_assisted ? "khronos_validation.validate_core = false\nkhronos_validation.gpuav_enable = true\n"
                            "khronos_validation.report_flags = error\n" /* it warns of what it adjusts */
                          : "khronos_validation.validate_sync = true\nkhronos_validation.report_flags = error,warn\n"
                            /* without it, what shaders read and write is left out */
                            "khronos_validation.syncval_shader_accesses_heuristic = true\n",
             log);
    write_file(path, sizeof path, "vk_layer_settings.txt", settings);
    setenv("VK_LAYER_SETTINGS_PATH", path, 1);
    setenv("VK_LAYER_PATH", folder(), 1);
    setenv("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation", 1);
    return log;
}

size_t vk_driver_run_cases(const char *part, size_t stride, size_t phase)
{
    const struct vgg_engine_options cpu_options = { .backend = "cpu" }, vk_options = { .backend = "vulkan" };
    struct vgg_backend *cpu, *vk;
    struct vgg_op_case_list list;
    size_t count = 0;
    cr_assert_eq(vgg_backend_open(&cpu, &cpu_options), VGG_OK);
    cr_assert_eq(vgg_backend_open(&vk, &vk_options), VGG_OK);
    cr_assert_eq(vgg_op_case_list_init(&list), VGG_OK);
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        if (test->large || i % stride != phase || !strstr(test->text, part)) continue;
        if (!vk->vtable->supports(vk, &test->op)) continue;
        struct vgg_op_case_memory expected, got;
        struct vgg_op_case_error error;
        cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
        cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
        cr_assert_eq(vgg_op_case_run(cpu, test, &expected, NULL), VGG_OK);
        cr_assert_eq(vgg_op_case_run(vk, test, &got, NULL), VGG_OK, "%s", test->text);
        cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s differs by %g, allowed %g", test->text,
                  error.what, error.error, error.bound);
        vgg_op_case_memory_finish(&expected);
        vgg_op_case_memory_finish(&got);
        count++;
    }
    vgg_op_case_list_finish(&list);
    vgg_backend_close(vk);
    vgg_backend_close(cpu);
    return count;
}
