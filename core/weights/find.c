#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/weights/pull.h"
#include "core/weights/weights.h"

enum { PATH_SIZE = 4096 };

/* The two files of Keras. Source: keras.applications.vgg16, WEIGHTS_PATH and WEIGHTS_PATH_NO_TOP with their hashes.
 * The size tells a whole file from an interrupted download without reading it. */
static const struct {
    const char *name, *file, *md5;
    uint64_t size;
    bool top;
} keras[2] = {
    { "vgg16-notop", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc", 58889256,
      false },
    { "vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b", 553467096, true },
};
static const char address[] = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16";
static const char timm_model[] = "models--timm--vgg16.tv_in1k/snapshots";

/* Is it a regular file, of `size` bytes unless that is 0? */
static bool is_file(const char *path, uint64_t size)
{
    struct vgg_os_info info;
    return vgg_os_look(&info, path) && info.kind == VGG_OS_FILE && (size ? info.size == size : info.size > 0);
}

/* Writes "$VARIABLE/BELOW", or "$FALLBACK/BELOW_FALLBACK", ...; false when no variable is set or it is too long. */
static bool folder_of(char path[PATH_SIZE], const char *const (*places)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = strcmp(places[i][0], "HOME") == 0 ? vgg_os_home() : getenv(places[i][0]);
        if (!value || !*value) continue;
        int n = snprintf(path, PATH_SIZE, "%s%s%s", value, *places[i][1] ? "/" : "", places[i][1]);
        return n > 0 && n < PATH_SIZE;
    }
    return false;
}

static bool keras_folder(char path[PATH_SIZE])
{
    static const char *const places[][2] = { { "KERAS_HOME", "models" }, { "HOME", ".keras/models" } };
    return folder_of(path, places, 2);
}

static bool torch_folder(char path[PATH_SIZE])
{
    static const char *const places[][2] = { { "TORCH_HOME", "hub/checkpoints" },
                                             { "XDG_CACHE_HOME", "torch/hub/checkpoints" },
                                             { "HOME", ".cache/torch/hub/checkpoints" } };
    return folder_of(path, places, 3);
}

static bool hub_folder(char path[PATH_SIZE])
{
    static const char *const places[][2] = { { "HF_HUB_CACHE", "" },
                                             { "HF_HOME", "hub" },
                                             { "XDG_CACHE_HOME", "huggingface/hub" },
                                             { "HOME", ".cache/huggingface/hub" } };
    return folder_of(path, places, 4);
}

/* Where vgg_file_cache is, without making it. */
static bool own_folder(char path[PATH_SIZE])
{
    static const char *const places[][2] = { { "XDG_CACHE_HOME", "vgg16" }, { "HOME", ".cache/vgg16" } };
    return folder_of(path, places, 2);
}

static enum vgg_status found(char **out, const char *path)
{
    *out = vgg_mem_strdup(path);
    return *out ? VGG_OK : vgg_fail_memory(path, strlen(path));
}

/* One of Keras' files in a folder. VGG_ERR_MISSING without a message. */
static enum vgg_status find_keras(char **out, const char *folder, bool top)
{
    for (int i = top; i < 2; i++) {
        char path[PATH_SIZE + 64];
        snprintf(path, sizeof path, "%s/%s", folder, keras[i].file);
        if (is_file(path, keras[i].size)) return found(out, path);
    }
    return VGG_ERR_MISSING;
}

/* The first file of a folder (in byte order of names) that begins and ends so, its own or one folder down. */
static enum vgg_status find_named(char **out, const char *folder, const char *begin, const char *end, const char *below)
{
    struct vgg_os_folder *dir = vgg_os_folder_open(folder);
    struct vgg_os_entry entry;
    char *first = NULL, *best = NULL; /* the name, and the path */
    while (dir && vgg_os_folder_next(dir, &entry)) {
        const char *name = entry.name;
        size_t length = strlen(name), size = strlen(folder) + length + strlen(below) + 3;
        bool fits = name[0] != '.' && strncmp(name, begin, strlen(begin)) == 0 && length >= strlen(end) &&
                    strcmp(name + length - strlen(end), end) == 0 && (!first || strcmp(name, first) < 0);
        char *path = fits ? vgg_mem_calloc(size, 1) : NULL, *copy = NULL;
        if (path) snprintf(path, size, "%s/%s%s%s", folder, name, *below ? "/" : "", below);
        if (path && is_file(path, 0)) copy = vgg_mem_strdup(name);
        free(copy ? best : path);
        if (!copy) continue;
        free(first);
        first = copy, best = path;
    }
    vgg_os_folder_close(dir);
    free(first);
    *out = best;
    return best ? VGG_OK : VGG_ERR_MISSING;
}

enum vgg_status vgg_weights_find(char **out, bool top)
{
    char folder[PATH_SIZE], snapshots[PATH_SIZE + 64];
    enum vgg_status status = VGG_ERR_MISSING;
    *out = NULL;
    if (keras_folder(folder)) status = find_keras(out, folder, top);
    if (status == VGG_ERR_MISSING && own_folder(folder)) status = find_keras(out, folder, top);
    if (status == VGG_ERR_MISSING && hub_folder(folder)) {
        snprintf(snapshots, sizeof snapshots, "%s/%s", folder, timm_model);
        status = find_named(out, snapshots, "", "", "model.safetensors");
    }
    if (status == VGG_ERR_MISSING && torch_folder(folder)) {
        status = find_named(out, folder, "vgg16-", ".safetensors", "");
        if (status == VGG_ERR_MISSING) status = find_named(out, folder, "vgg16-", ".pth", "");
    }
    return status;
}

/* Is a file that bears the name of one of Keras' files what it should be? Others have no digest to compare. */
static bool is_sound(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (int i = 0; i < 2; i++) {
        char hex[129];
        if (strcmp(name, keras[i].file) != 0) continue;
        if (vgg_digest_file(hex, path, "MD5") != VGG_OK) return false;
        if (strcmp(hex, keras[i].md5) == 0) return true;
        vgg_log(VGG_LOG_WARNING, "%s: its MD5 is %s instead of %s; it is passed over", path, hex, keras[i].md5);
        return false;
    }
    return true;
}

enum vgg_status vgg_weights_pull(char **out, const char *name, vgg_progress_fn *progress, void *user)
{
    enum vgg_status status;
    char *folder = NULL, *path = NULL, *passed = NULL; /* passed over */
    int which = 0;
    *out = NULL;
    while (which < 2 && strcmp(name, keras[which].name) != 0)
        which++;
    if (which == 2) return vgg_fail(VGG_ERR_ARGUMENT, "%s: cannot be pulled; there are vgg16 and vgg16-notop", name);
    status = vgg_weights_find(&passed, keras[which].top);
    if (status == VGG_OK && is_sound(passed)) {
        *out = passed;
        return VGG_OK;
    }
    if (status != VGG_OK && status != VGG_ERR_MISSING) return status;

    CHECK(vgg_file_cache(&folder));
    const char *mirror = getenv("VGG16_MIRROR");
    char url[PATH_SIZE];
    if (!mirror || !*mirror) mirror = address;
    int n = snprintf(url, sizeof url, "%s/%s", mirror, keras[which].file);
    path = vgg_file_join(folder, keras[which].file);
    if (n < 0 || n >= PATH_SIZE || !path) {
        status = vgg_fail_memory("an address", PATH_SIZE);
        goto fail;
    }
    bool other = passed && strcmp(passed, path) != 0; /* than the one that was passed over, and behind it */
    if (other && is_file(path, keras[which].size) && is_sound(path)) {
        *out = path;
        path = NULL;
        goto fail;
    }
    vgg_log(VGG_LOG_INFO, "downloading %s", url);
    CHECK(vgg_pull_file(url, path, keras[which].md5, progress, user));
    *out = path;
    path = NULL;
fail:
    free(passed);
    free(path);
    free(folder);
    return status;
}
