#include "vk_driver.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/os_thread.h"
#include "core/engine/device.h"
#include "shaders/common/params.h"
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
    const char *icd = getenv("VGG16_TEST_LAVAPIPE");
    if (!icd) icd = find_file("/usr/share/vulkan/icd.d/lvp_icd*.json");
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

/* Does RADV know that name? It aborts on those it does not, so a process of its own asks. */
static bool radv_knows(const char *family)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct vk_lib lib;
        struct vk_gpu *list = NULL;
        size_t count = 0;
        setenv("RADV_FORCE_FAMILY", family, 1);
        if (!freopen("/dev/null", "w", stderr)) _exit(1);
        signal(SIGABRT, SIG_DFL);
        vk_lib_open(&lib);
        if (lib.instance && vk_gpu_list(&lib, &list, &count) != VGG_OK) count = 0;
        _exit(count > 0 ? 0 : 1);
    }
    int state = 1;
    cr_assert(child > 0 && waitpid(child, &state, 0) == child);
    return state == 0;
}

void vk_driver_radv(const char *family)
{
    const char *icd = getenv("VGG16_TEST_RADV");
    const char *const names[] = { family, strcmp(family, "navi31") ? family : "gfx1100" }; /* before Mesa 23 */
    if (!icd) icd = find_file("/usr/share/vulkan/icd.d/radeon_icd*.json");
    if (!icd) cr_skip_test("RADV is not installed (Debian: mesa-vulkan-drivers)");
    use(icd);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!radv_knows(names[i])) continue;
        setenv("RADV_FORCE_FAMILY", names[i], 1);
        return;
    }
    cr_skip_test("RADV offers no %s without a GPU here (Mesa 26 no longer does)", family);
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

/* ---- which shaders were used, and how ---- */

enum { SHADERS = 128, MODULES = 64 };
static struct {
    bool used;
    bool seen[VK_SPEC_COUNT][2]; /* truth values of the constants, as the pipelines had them */
} shaders[SHADERS];
static struct {
    VkShaderModule module; /* NULL: free */
    int shader;
} modules[MODULES];                                    /* of which no pipeline has been made so far */
static struct vgg_os_mutex noting = VGG_OS_MUTEX_INIT; /* several threads make pipelines */
static struct vk_fn real;

static VkResult note_module(VkDevice device, const VkShaderModuleCreateInfo *info, const VkAllocationCallbacks *memory,
                            VkShaderModule *out)
{
    VkResult result = real.CreateShaderModule(device, info, memory, out);
    int shader = 0, at = 0;
    while (vk_shader_list[shader].name && vk_shader_list[shader].code != info->pCode)
        shader++;
    vgg_os_mutex_lock(&noting);
    while (at < MODULES && modules[at].module)
        at++;
    if (at < MODULES && shader < SHADERS) modules[at].module = *out, modules[at].shader = shader;
    vgg_os_mutex_unlock(&noting);
    return result;
}

static VkResult note_pipeline(VkDevice device, VkPipelineCache cache, uint32_t count,
                              const VkComputePipelineCreateInfo *info, const VkAllocationCallbacks *memory,
                              VkPipeline *out)
{
    const uint32_t *spec = info->stage.pSpecializationInfo->pData;
    vgg_os_mutex_lock(&noting);
    for (int i = 0; i < MODULES; i++) {
        if (modules[i].module != info->stage.module) continue;
        shaders[modules[i].shader].used = true;
        for (int k = 0; k < VK_SPEC_COUNT; k++)
            shaders[modules[i].shader].seen[k][spec[k] != 0] = true;
        modules[i].module = VK_NULL_HANDLE; /* the next module may have the same handle */
    }
    vgg_os_mutex_unlock(&noting);
    return real.CreateComputePipelines(device, cache, count, info, memory, out);
}

/* Is a module the shader of that name, or that shader with one of the tiles? */
static bool is_named(const char *module, const char *name)
{
    size_t length = strlen(name);
    return strncmp(module, name, length) == 0 && (module[length] == 0 || module[length] == '.');
}

/* Its first module, whose flags are joined with those of its other tiles; -1: there is none. */
static int join_tiles(const char *name)
{
    int first = -1;
    for (int i = 0; vk_shader_list[i].name; i++) {
        cr_assert_lt(i, (int)SHADERS);
        if (!is_named(vk_shader_list[i].name, name)) continue;
        if (first < 0) first = i;
        shaders[first].used |= shaders[i].used;
        for (int k = 0; k < 2 * VK_SPEC_COUNT; k++)
            shaders[first].seen[k / 2][k % 2] |= shaders[i].seen[k / 2][k % 2];
    }
    return first;
}

int vk_driver_expect_every_shader(void)
{
    int count = 0;
    for (int i = 0; vk_shader_list[i].name; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(vk_shader_list[i].name, "."), vk_shader_list[i].name);
        if (join_tiles(name) != i) continue;
        bool matrix = strncmp(name, "matrix/", 7) == 0; /* not every driver has matrices */
        cr_expect(shaders[i].used || matrix, "no case used shader %s", name);
        count++;
    }
    return count;
}

/* For each specialisation constant: is it one of the shader's, and a truth value? */
static void find_truth_values(const struct vk_shader *shader, bool is[VK_SPEC_COUNT])
{
    enum { SPEC_TRUE = 48, SPEC_FALSE = 49, DECORATE = 71, SPEC_ID = 1, HEADER = 5, IDS = 4096 };
    static uint32_t number[IDS]; /* of the constant that a result is, plus 1 */
    memset(number, 0, sizeof number);
    memset(is, 0, sizeof(bool) * VK_SPEC_COUNT);
    for (size_t i = HEADER; i < shader->size / 4; i += shader->code[i] >> 16) {
        const uint32_t *word = shader->code + i, op = word[0] & 0xFFFF;
        if (op == DECORATE && word[2] == SPEC_ID && word[1] < IDS) number[word[1]] = word[3] + 1;
        if ((op == SPEC_TRUE || op == SPEC_FALSE) && word[2] < IDS && number[word[2]]) is[number[word[2]] - 1] = true;
    }
}

static bool excepted(const struct vk_driver_exception *except, const char *shader, int constant)
{
    for (; except && except->shader; except++)
        if (!strcmp(except->shader, shader) && except->constant == constant) return true;
    return false;
}

static void expect_shader(const struct vk_class *class, const char *name, const struct vk_driver_exception *except)
{
    bool is[VK_SPEC_COUNT];
    int i = join_tiles(name);
    cr_assert_geq(i, 0, "there is no shader %s", name);
    cr_expect(shaders[i].used, "%s: no case used shader %s", class->type, name);
    find_truth_values(&vk_shader_list[i], is);
    for (int k = 0; k < VK_SPEC_COUNT; k++) {
        for (int value = 0; value < 2 && is[k] && !excepted(except, name, k); value++)
            cr_expect(shaders[i].seen[k][value], "%s: constant %d of shader %s was never %d", class->type, k, name,
                      value);
    }
}

int vk_driver_expect_ways(const struct vk_class *class, const struct vk_driver_exception *except)
{
    int count = 0;
    for (enum vk_task task = 0; task < VK_TASK_COUNT; task++) {
        bool winograd = task >= VK_TASK_WINO_WEIGHT && task <= VK_TASK_WINO_DW;
        if (winograd && class->wino == VK_WINO_NEVER) continue;
        if (task == VK_TASK_CONV_SUM && !class->predicted) continue; /* whole sums */
        const struct vk_way *way = NULL;
        while ((way = vk_class_next(class, task, 0, way))) {
            if (way->tiling == VK_TILING_MATRIX) continue; /* not every driver has matrices */
            expect_shader(class, way->shader, except);
            count++;
            if (!way->multiple) break; /* suits everything: the next are for drivers that refuse it */
        }
    }
    return count;
}

int vk_driver_expect_matrices(const struct vk_class *class)
{
    static const struct vk_driver_exception whole[] = { { "matrix/conv", VK_SPEC_C_VEC }, { 0 } }; /* fours alone */
    int count = 0;
    for (enum vk_task task = 0; task < VK_TASK_COUNT; task++) {
        const struct vk_way *way = vk_class_next(class, task, 0, NULL);
        if (way->tiling != VK_TILING_MATRIX) continue;
        expect_shader(class, way->shader, whole);
        count++;
    }
    return count;
}

/* ---- cases of any shape ---- */

static struct vgg_view place(struct vgg_op_case *test, enum vgg_arena arena, enum vgg_type type, int n, int h, int w,
                             int c)
{
    size_t *size = &test->arena_size[arena], align = VGG_VIEW_ALIGN;
    struct vgg_view view = { .offset = *size + align, .arena = arena, .type = type, .n = n, .h = h, .w = w, .c = c };
    *size = (view.offset + vgg_view_size(&view) + 2 * align - 1) / align * align;
    return view;
}

struct vgg_op_case vk_driver_conv_case(const struct vk_driver_shape *s, enum vgg_op_kind kind, unsigned flags, bool arg)
{
    struct vgg_op_case test = { .op = { .kind = kind, .flags = flags }, .step = { .loss_scale = 1 } };
    struct vgg_op *op = &test.op;
    int divide = flags & VGG_OP_POOL ? 2 : 1;
    struct vgg_view x = place(&test, VGG_ARENA_ACT, VGG_F32, s->n, s->h, s->w, s->in);
    struct vgg_view y = place(&test, VGG_ARENA_ACT, VGG_F32, s->n, s->h / divide, s->w / divide, s->out);
    bool weight = kind == VGG_OP_CONV_BWD_WEIGHT;
    struct vgg_view w = place(&test, weight ? VGG_ARENA_GRAD : VGG_ARENA_PARAM, VGG_F32, 3, 3, s->in, s->out);
    struct vgg_view b = place(&test, w.arena, VGG_F32, 1, 1, 1, s->out);
    if (kind == VGG_OP_CONV) {
        op->x = x, op->y = y, op->w = w, op->b = b;
        if (arg) op->arg = place(&test, VGG_ARENA_ACT, VGG_U8, s->n, y.h, y.w, s->out);
    } else if (weight) {
        op->x = x, op->dy = y, op->dw = w, op->db = b;
    } else {
        op->dx = x, op->dy = y, op->w = w;
        if (flags & VGG_OP_RELU) op->x = place(&test, VGG_ARENA_ACT, VGG_F32, s->n, s->h, s->w, s->in);
    }
    vgg_op_print(test.text, sizeof test.text, op);
    return test;
}

struct vgg_op_case vk_driver_dense_case(int n, int in, int out)
{
    struct vgg_op_case test = { .op = { .kind = VGG_OP_DENSE }, .step = { .loss_scale = 1 } };
    test.op.x = place(&test, VGG_ARENA_ACT, VGG_F32, n, 1, 1, in);
    test.op.y = place(&test, VGG_ARENA_ACT, VGG_F32, n, 1, 1, out);
    test.op.w = place(&test, VGG_ARENA_PARAM, VGG_F32, 1, 1, in, out);
    test.op.b = place(&test, VGG_ARENA_PARAM, VGG_F32, 1, 1, 1, out);
    vgg_op_print(test.text, sizeof test.text, &test.op);
    return test;
}

/* ---- cases beside the CPU ---- */

static void open_cases(struct vk_driver_cases *cases, const char *precision)
{
    const struct vgg_engine_options cpu = { .backend = "cpu", .isa = "scalar" };
    const struct vgg_engine_options vk = { .backend = "vulkan", .precision = precision };
    cr_assert_eq(vgg_backend_open(&cases->cpu, &cpu), VGG_OK);
    cr_assert_eq(vgg_backend_open(&cases->vk, &vk), VGG_OK);
    if (((struct vk *)cases->vk)->matrix) { /* now the driver's matrices are known, and no pipeline goes unseen */
        vgg_backend_close(cases->vk);
        cr_assert_eq(vgg_backend_open(&cases->vk, &vk), VGG_OK);
    }
    cr_assert_eq(vgg_op_case_list_init(&cases->list), VGG_OK);
    if (cases->vk->halves) cr_assert_eq(vgg_op_case_list_halves(&cases->list), VGG_OK);
    cr_assert_eq(vgg_op_case_list_wild(&cases->list), VGG_OK);
    struct vk_fn *fn = &((struct vk *)cases->vk)->lib.fn;
    real = *fn;
    fn->CreateShaderModule = note_module;
    fn->CreateComputePipelines = note_pipeline;
}

void vk_driver_cases_open(struct vk_driver_cases *cases)
{
    open_cases(cases, "fp32");
}

void vk_driver_cases_open_half(struct vk_driver_cases *cases)
{
    open_cases(cases, "fp16");
}

void vk_driver_cases_run_one(const struct vk_driver_cases *cases, const struct vgg_op_case *test)
{
    struct vgg_op_case_memory expected, got;
    struct vgg_op_case_error error;
    cr_assert_eq(vgg_op_case_memory_init(&expected, test), VGG_OK);
    cr_assert_eq(vgg_op_case_memory_init(&got, test), VGG_OK);
    bool half = ((struct vk *)cases->vk)->half;
    cr_assert_eq(half ? vgg_op_case_run_half(cases->cpu, test, &expected)
                      : vgg_op_case_run(cases->cpu, test, &expected, NULL),
                 VGG_OK);
    cr_assert_eq(vgg_op_case_run(cases->vk, test, &got, NULL), VGG_OK, "%s", test->text);
    cr_expect(vgg_op_case_check(test, &expected, &got, &error), "%s: %s differs by %g, allowed %g", test->text,
              error.what, error.error, error.bound);
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_memory_finish(&got);
}

static size_t run_cases(struct vk_driver_cases *cases, const char *part, size_t stride, size_t phase, bool large)
{
    size_t count = 0;
    for (size_t i = 0; i < cases->list.count; i++) {
        const struct vgg_op_case *test = &cases->list.item[i];
        if ((test->large && !large) || i % stride != phase || !strstr(test->text, part)) continue;
        if (!cases->vk->vtable->supports(cases->vk, &test->op)) continue;
        vk_driver_cases_run_one(cases, test);
        count++;
    }
    return count;
}

size_t vk_driver_cases_run(struct vk_driver_cases *cases, const char *part, size_t stride, size_t phase)
{
    return run_cases(cases, part, stride, phase, false);
}

size_t vk_driver_cases_run_all(struct vk_driver_cases *cases)
{
    return run_cases(cases, "", 1, 0, true);
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
