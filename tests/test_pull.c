/* Finding and downloading weights: caches of Keras, PyTorch and Hugging Face; a local web server for the rest. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/weights/pull.h"
#include "weight_files.h"

#define NOTOP "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
#define TOP "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
static const char content_md5[] = "3f8873b0f85fd1d7a39cdfbee8fcbe0d";
enum { CONTENT_SIZE = 300000, NOTOP_SIZE = 58889256, TOP_SIZE = 553467096 };

/* An empty home: no cache of this machine is seen. */
static char *new_home(void)
{
    char *home = weight_files_scratch("home");
    unsetenv("KERAS_HOME"), unsetenv("TORCH_HOME"), unsetenv("HF_HOME"), unsetenv("HF_HUB_CACHE");
    unsetenv("XDG_CACHE_HOME"), unsetenv("VGG16_MIRROR"), unsetenv("http_proxy");
    cr_assert(vgg_file_mkdirs(home) == VGG_OK);
    setenv("HOME", home, 1);
    return home;
}

/* A file of `size` zeros below the home; sparse, so that it takes no room. */
static char *put_file(const char *home, const char *folder, const char *name, long size)
{
    char *place = vgg_file_join(home, folder);
    cr_assert(vgg_file_mkdirs(place) == VGG_OK);
    char *path = vgg_file_join(place, name);
    FILE *stream = fopen(path, "wb");
    cr_assert(stream && ftruncate(fileno(stream), size) == 0);
    fclose(stream);
    free(place);
    return path;
}

static void expect(bool top, const char *path)
{
    char *found;
    enum vgg_status status = vgg_weights_find(&found, top);
    cr_assert(status == (path ? VGG_OK : VGG_ERR_MISSING), "%s: %s", path, vgg_status_text(status));
    cr_assert(path ? strcmp(found, path) == 0 : found == NULL, "%s, not %s", found, path);
    free(found);
}

Test(pull, finds_what_others_cached)
{
    char *home = new_home();
    weight_files_listen();
    expect(false, NULL);
    char *torch = put_file(home, ".cache/torch/hub/checkpoints", "vgg16-397923af.safetensors", 9);
    expect(true, torch);
    char *hub =
        put_file(home, ".cache/huggingface/hub/models--timm--vgg16.tv_in1k/snapshots/abc", "model.safetensors", 9);
    expect(true, hub);
    char *own = put_file(home, ".cache/vgg16", TOP, TOP_SIZE);
    expect(true, own);
    expect(false, own);
    char *keras = put_file(home, ".keras/models", NOTOP, NOTOP_SIZE);
    expect(false, keras);
    expect(true, own);
    cr_assert(truncate(keras, 1000) == 0);
    expect(false, own);

    char *elsewhere = put_file(home, "elsewhere/models", NOTOP, NOTOP_SIZE), *place = vgg_file_join(home, "elsewhere");
    setenv("KERAS_HOME", place, 1);
    expect(false, elsewhere);
    cr_assert(*weight_files_lines() == '\0', "finding says nothing: %s", weight_files_lines());
    free(home), free(torch), free(hub), free(own), free(keras), free(elsewhere), free(place);
}

/* ---- downloads ---- */

struct server {
    FILE *input; /* the server ends with it */
    int port;
};

static struct server start_server(void)
{
    struct server server = { 0 };
    int in[2], out[2];
    char line[32] = "";
    const char *python = weight_files_python("http.server");
    if (!python) cr_skip_test("no python3 here");
    cr_assert(pipe(in) == 0 && pipe(out) == 0);
    if (fork() == 0) {
        dup2(in[0], 0), dup2(out[1], 1);
        close(in[1]), close(out[0]);
        execlp(python, python, "serve_files.py", (char *)NULL);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    server.input = fdopen(in[1], "w");
    FILE *answer = fdopen(out[0], "r");
    cr_assert(answer && fgets(line, sizeof line, answer) && (server.port = atoi(line)) > 0);
    fclose(answer);
    return server;
}

static uint64_t last_done, last_total;

static bool on_progress(void *user, const struct vgg_progress *progress)
{
    cr_assert(strcmp(progress->unit, "bytes") == 0 && strcmp(progress->phase, "download") == 0);
    last_done = progress->done, last_total = progress->total;
    return user == NULL;
}

static enum vgg_status pull(const struct server *server, const char *kind, const char *path, const char *md5,
                            void *stop)
{
    char url[256];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s/file.h5", server->port, kind);
    weight_files_listen();
    return vgg_pull_file(url, path, md5, on_progress, stop);
}

static long size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (long)info.st_size : -1;
}

Test(pull, downloads, .timeout = 60)
{
    static const char wrong[] = "0123456789abcdef0123456789abcdef";
    struct server server = start_server();
    char *home = new_home(), *path = weight_files_scratch("pulled"), *part = weight_files_scratch("pulled.part");
    char hex[129];

    cr_assert(pull(&server, "plain", path, content_md5, NULL) == VGG_OK);
    cr_assert(vgg_digest_file(hex, path, "MD5") == VGG_OK && strcmp(hex, content_md5) == 0);
    cr_assert(last_done == CONTENT_SIZE && last_total == CONTENT_SIZE);
    cr_assert(size_of(part) == -1 && unlink(path) == 0);

    cr_assert(pull(&server, "plain", path, wrong, NULL) == VGG_ERR_FORMAT);
    cr_assert(strstr(weight_files_error(), content_md5) && strstr(weight_files_error(), wrong));
    cr_assert(size_of(part) == -1 && size_of(path) == -1, "a wrong file stays nowhere");

    cr_assert(pull(&server, "absent", path, content_md5, NULL) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "404"));
    cr_assert(size_of(path) == -1 && size_of(part) == -1, "where nothing came nothing stays");

    cr_assert(pull(&server, "moved", path, content_md5, NULL) == VGG_ERR_IO);
    cr_assert(size_of(path) == -1, "a redirect to plain http is not followed");

    /* Broken off: what came stays, and the next call goes on, or begins anew where the server cannot. */
    for (int k = 0; k < 2; k++) {
        cr_assert(pull(&server, "short", path, content_md5, NULL) == VGG_ERR_IO);
        cr_assert(strstr(weight_files_error(), "ended early"), "%s", weight_files_lines());
        cr_assert(size_of(part) == CONTENT_SIZE / 2 && size_of(path) == -1);
        cr_assert(pull(&server, k ? "plain" : "range", path, content_md5, NULL) == VGG_OK, "%s", weight_files_lines());
        cr_assert(size_of(path) == CONTENT_SIZE && size_of(part) == -1 && unlink(path) == 0);
    }
    /* A part that is whole already, or too long, is no obstacle. */
    for (int k = 0; k < 2; k++) {
        FILE *stream = fopen(part, "wb");
        cr_assert(stream && ftruncate(fileno(stream), CONTENT_SIZE + k * 10) == 0);
        fclose(stream);
        cr_assert(pull(&server, "range", path, content_md5, NULL) == VGG_OK, "%s", weight_files_lines());
        cr_assert(unlink(path) == 0);
    }

    cr_assert(pull(&server, "range", path, content_md5, &server) == VGG_INTERRUPTED, "the callback said stop");
    cr_assert(*weight_files_lines() == '\0' && size_of(path) == -1);

    cr_assert(pull(&server, "range", "/nonexistent/file.h5", content_md5, NULL) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "/nonexistent"));

    /* The whole way: a mirror with a file that is not Keras'. */
    char url[256], *out;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/plain", server.port);
    setenv("VGG16_MIRROR", url, 1);
    weight_files_listen();
    cr_assert(vgg_weights_pull(&out, "vgg16-notop", NULL, NULL) == VGG_ERR_FORMAT && out == NULL);
    cr_assert(strstr(weight_files_error(), "6d6bbae143d832006294945121d1f1fc"));
    char *cached = vgg_file_join(home, ".cache/vgg16/" NOTOP);
    cr_assert(size_of(cached) == -1);

    /* PyTorch's own file serves. */
    char *pickle = put_file(home, ".cache/torch/hub/checkpoints", "vgg16-397923af.pth", 9);
    weight_files_listen();
    cr_assert(vgg_weights_pull(&out, "vgg16", NULL, NULL) == VGG_OK, "%s", weight_files_lines());
    cr_assert_str_eq(out, pickle);
    free(out);
    cr_assert(unlink(pickle) == 0);

    /* A file of the right size with other content is passed over. */
    char *keras = put_file(home, ".keras/models", NOTOP, NOTOP_SIZE);
    weight_files_listen();
    cr_assert(vgg_weights_pull(&out, "vgg16-notop", NULL, NULL) == VGG_ERR_FORMAT);
    cr_assert(strstr(weight_files_lines(), keras) && strstr(weight_files_lines(), "passed over"));
    cr_assert(unlink(keras) == 0);

    /* Once, where it lies in the place of the download itself. */
    char *own = put_file(home, ".cache/vgg16", NOTOP, NOTOP_SIZE);
    weight_files_listen();
    cr_assert(vgg_weights_pull(&out, "vgg16-notop", NULL, NULL) == VGG_ERR_FORMAT);
    const char *told = strstr(weight_files_lines(), "passed over");
    cr_assert(told && !strstr(told + 1, "passed over"), "%s", weight_files_lines());
    fclose(server.input);
    free(home), free(path), free(part), free(cached), free(pickle), free(keras), free(own);
}

/* In a process of its own; what it logged goes to the file `told`. limit: bytes that it can write to a file. */
static pid_t pull_apart(const struct server *server, const char *kind, const char *path, long limit, const char *told)
{
    pid_t child = fork();
    if (child != 0) return child;
    const struct rlimit most = { (rlim_t)limit, (rlim_t)limit };
    if (limit) signal(SIGXFSZ, SIG_IGN), setrlimit(RLIMIT_FSIZE, &most);
    enum vgg_status status = pull(server, kind, path, content_md5, NULL);
    FILE *stream = fopen(told, "wb");
    fputs(weight_files_lines(), stream);
    fclose(stream);
    _exit((int)status);
}

static int end_of(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void wait_for(const char *part)
{
    for (int i = 0; size_of(part) < CONTENT_SIZE / 10; i++) {
        cr_assert_lt(i, 1000, "nothing arrives");
        usleep(10000);
    }
}

static void expect_whole(const char *path, const char *part)
{
    char hex[129];
    cr_expect(vgg_digest_file(hex, path, "MD5") == VGG_OK && strcmp(hex, content_md5) == 0, "%s", hex);
    cr_expect_eq(size_of(part), -1, "a part stays");
    cr_expect_eq(unlink(path), 0);
}

/* The file of another process is let alone until it is whole, and is then taken. */
Test(pull, by_two_at_once, .timeout = 60)
{
    struct server server = start_server();
    char *path = weight_files_scratch("both"), *part = weight_files_scratch("both.part");
    char *told = weight_files_scratch("both.told");
    pid_t other = pull_apart(&server, "slow", path, 0, told);
    wait_for(part);
    int refused = 0;
    for (enum vgg_status status = VGG_ERR_IO; status != VGG_OK; refused += status != VGG_OK) {
        status = size_of(path) < 0 ? pull(&server, "plain", path, content_md5, NULL) : VGG_OK;
        if (status == VGG_OK) break;
        cr_assert(status == VGG_ERR_IO && strstr(weight_files_error(), "both.part: another process is downloading"),
                  "%s", weight_files_lines());
        usleep(1000);
    }
    cr_expect_gt(refused, 0);
    cr_expect_eq(end_of(other), VGG_OK);
    expect_whole(path, part);
    fclose(server.input);
    free(path), free(part), free(told);
}

/* Killed, or without room: never a broken file under the name, and the next call goes on. */
Test(pull, broken_off, .timeout = 60)
{
    struct server server = start_server();
    char *path = weight_files_scratch("off"), *part = weight_files_scratch("off.part");
    char *told = weight_files_scratch("off.told"), line[512] = "";
    pid_t child = pull_apart(&server, "slow", path, 0, told);
    wait_for(part);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_expect_eq(end_of(child), -SIGKILL);
    cr_expect(size_of(path) == -1 && size_of(part) > 0 && size_of(part) < CONTENT_SIZE);
    cr_assert(pull(&server, "range", path, content_md5, NULL) == VGG_OK, "%s", weight_files_lines());
    expect_whole(path, part);
    cr_expect_eq(end_of(pull_apart(&server, "plain", path, 70000, told)), VGG_ERR_IO);
    FILE *stream = fopen(told, "rb");
    line[fread(line, 1, sizeof line - 1, stream)] = '\0';
    fclose(stream);
    cr_expect(strstr(line, "off.part: writing failed: File too large; try again"), "%s", line);
    cr_expect(strchr(line, '\n') == NULL || strchr(line, '\n')[1] == '\0', "more than one line: %s", line);
    cr_expect(size_of(path) == -1 && size_of(part) <= 70000);
    cr_assert(pull(&server, "range", path, content_md5, NULL) == VGG_OK, "%s", weight_files_lines());
    expect_whole(path, part);
    fclose(server.input);
    free(path), free(part), free(told);
}

Test(pull, refuses)
{
    char *out, *home = new_home(), *path = weight_files_scratch("refused");
    weight_files_listen();
    cr_assert(vgg_weights_pull(&out, "vgg17", NULL, NULL) == VGG_ERR_ARGUMENT && out == NULL);
    cr_assert(strstr(weight_files_error(), "vgg17"));
    weight_files_listen();
    cr_assert(vgg_pull_file("file:///etc/passwd", path, content_md5, NULL, NULL) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "file:///etc/passwd"));
    weight_files_listen();
    cr_assert(vgg_pull_file("http://127.0.0.1:1/x", path, content_md5, NULL, NULL) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "127.0.0.1"));
    cr_assert(strstr(weight_files_error(), "fetched from there at ") && strstr(weight_files_error(), path));
    free(home), free(path);
}
