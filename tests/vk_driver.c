#include "vk_driver.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/device.h"
#include "vk/vk_base.h"
#include "vk/vk_shader.h"

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

const char *vk_driver_validate(enum vk_driver_check check)
{
    static const char *const settings[] = { "synchronisation.txt", "bounds.txt", "races.txt" };
    static char log[512];
    char files[PATH_MAX], path[PATH_MAX + 32];
    if (!find_file("/usr/lib/chromium/libVkLayer_khronos_validation.so")) {
        cr_skip_test("the validation layer is not installed (Debian: chromium)");
    }
    cr_assert(realpath("vulkan", files), "no tests/vulkan: run in tests");
    snprintf(path, sizeof path, "%s/%s", files, settings[check]);
    snprintf(log, sizeof log, "%s/%s.log", folder(), settings[check]);
    setenv("VK_LAYER_LOG_FILENAME", log, 1);
    setenv("VK_LAYER_SETTINGS_PATH", path, 1);
    setenv("VK_LAYER_PATH", files, 1);
    setenv("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation", 1);
    return log;
}

void vk_driver_expect_silence(const char *log)
{
    char line[512];
    int messages = 0;
    FILE *file = fopen(log, "r");
    if (!file) return; /* the layer creates it with the first message */
    while (fgets(line, sizeof line, file)) {
        if (messages++ < 20) fprintf(stderr, "%s", line);
    }
    fclose(file);
    cr_expect_eq(messages, 0);
}

/* ---- which shaders were used ---- */

enum { SHADERS = 64 };
static bool used[SHADERS];
static PFN_vkCreateShaderModule create_module;

static VkResult note_module(VkDevice device, const VkShaderModuleCreateInfo *info, const VkAllocationCallbacks *memory,
                            VkShaderModule *out)
{
    for (int i = 0; i < SHADERS && vk_shader_list[i].name; i++)
        used[i] |= vk_shader_list[i].code == info->pCode;
    return create_module(device, info, memory, out);
}

int vk_driver_expect_every_shader(void)
{
    int count = 0;
    for (; vk_shader_list[count].name; count++) {
        cr_assert_lt(count, (int)SHADERS);
        cr_expect(used[count], "no case used shader %s", vk_shader_list[count].name);
    }
    return count;
}

/* ---- cases beside the CPU ---- */

void vk_driver_cases_open(struct vk_driver_cases *cases)
{
    const struct vgg_engine_options cpu = { .backend = "cpu" }, vk = { .backend = "vulkan" };
    cr_assert_eq(vgg_backend_open(&cases->cpu, &cpu), VGG_OK);
    cr_assert_eq(vgg_backend_open(&cases->vk, &vk), VGG_OK);
    cr_assert_eq(vgg_op_case_list_init(&cases->list), VGG_OK);
    struct vk_fn *fn = &((struct vk *)cases->vk)->lib.fn;
    create_module = fn->CreateShaderModule;
    fn->CreateShaderModule = note_module;
}

static void run_case(const struct vk_driver_cases *cases, const struct vgg_op_case *test)
{
    struct vgg_op_case_memory expected, got;
    struct vgg_op_case_error error;
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cases->cpu, test, &expected, NULL), VGG_OK);
    cr_assert_eq(vgg_op_case_run(cases->vk, test, &got, NULL), VGG_OK, "%s", test->text);
    cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s differs by %g, allowed %g", test->text,
              error.what, error.error, error.bound);
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
}

size_t vk_driver_cases_run(struct vk_driver_cases *cases, const char *part, size_t stride, size_t phase)
{
    size_t count = 0;
    for (size_t i = 0; i < cases->list.count; i++) {
        const struct vgg_op_case *test = &cases->list.item[i];
        if (test->large || i % stride != phase || !strstr(test->text, part)) continue;
        if (!cases->vk->vtable->supports(cases->vk, &test->op)) continue;
        run_case(cases, test);
        count++;
    }
    return count;
}

void vk_driver_cases_close(struct vk_driver_cases *cases)
{
    vgg_op_case_list_finish(&cases->list);
    vgg_backend_close(cases->vk);
    vgg_backend_close(cases->cpu);
}

size_t vk_driver_run_cases(const char *part, size_t stride, size_t phase)
{
    struct vk_driver_cases cases;
    vk_driver_cases_open(&cases);
    size_t count = vk_driver_cases_run(&cases, part, stride, phase);
    vk_driver_cases_close(&cases);
    return count;
}
