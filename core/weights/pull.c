#include "core/weights/pull.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/digest.h"
#include "core/base/library.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"

#ifdef VGG16_CURL

#define CURL_DISABLE_TYPECHECK /* the checks call what is only reached through a pointer here */
#include <curl/curl.h>

enum { STALL_SECONDS = 30, CONNECT_SECONDS = 30, MOST_REDIRECTS = 10 };

/* The functions of libcurl that are used, under its names. */
static struct {
    __typeof__(curl_global_init) *curl_global_init;
    __typeof__(curl_easy_init) *curl_easy_init;
    __typeof__(curl_easy_setopt) *curl_easy_setopt;
    __typeof__(curl_easy_perform) *curl_easy_perform;
    __typeof__(curl_easy_getinfo) *curl_easy_getinfo;
    __typeof__(curl_easy_strerror) *curl_easy_strerror;
    __typeof__(curl_easy_cleanup) *curl_easy_cleanup;
    bool opened;
} lib;

struct transfer {
    const char *url, *path;
    char *part; /* PATH.part */
    FILE *stream;
    int lock;          /* of vgg_os_claim */
    bool gone;         /* the part file has become the whole one, or was removed */
    curl_off_t offset; /* bytes that were there before */
    vgg_progress_fn *progress;
    void *user;
    bool stopped, write_failed;
    int cause; /* errno of the failed write */
};

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "curl_global_init", &lib.curl_global_init },   { "curl_easy_init", &lib.curl_easy_init },
        { "curl_easy_setopt", &lib.curl_easy_setopt },   { "curl_easy_perform", &lib.curl_easy_perform },
        { "curl_easy_getinfo", &lib.curl_easy_getinfo }, { "curl_easy_strerror", &lib.curl_easy_strerror },
        { "curl_easy_cleanup", &lib.curl_easy_cleanup },
    };
    lib.opened = vgg_library_open(VGG16_CURL, entries, sizeof entries / sizeof *entries) &&
                 lib.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static bool has_library(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return lib.opened;
}

const char *vgg_pull_library(void)
{
    return VGG16_CURL;
}

static size_t on_data(char *data, size_t size, size_t count, void *user)
{
    struct transfer *transfer = user;
    errno = 0;
    size_t written = fwrite(data, size, count, transfer->stream);
    if (written != count) transfer->write_failed = true, transfer->cause = errno;
    return written * size;
}

static int on_progress(void *user, curl_off_t total, curl_off_t done, curl_off_t upload_total, curl_off_t upload_done)
{
    struct transfer *transfer = user;
    (void)upload_total, (void)upload_done;
    if (!transfer->progress) return 0;
    struct vgg_progress progress = {
        .phase = "download",
        .unit = "bytes",
        .done = (uint64_t)(transfer->offset + done),
        .total = total ? (uint64_t)(transfer->offset + total) : 0,
        .loss = (double)NAN,
        .accuracy = (double)NAN,
    };
    transfer->stopped = !transfer->progress(transfer->user, &progress);
    return transfer->stopped;
}

/* Sets everything about the request but where it begins. */
static bool prepare(CURL *curl, struct transfer *transfer, char error[CURL_ERROR_SIZE])
{
    bool plain = strncasecmp(transfer->url, "http://", 7) == 0;
    CURLcode code = CURLE_OK;
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_URL, transfer->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, plain ? "http,https" : "https");
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
    if (!code)
        code =
            lib.curl_easy_setopt(curl, CURLOPT_PROTOCOLS, plain ? CURLPROTO_HTTP | CURLPROTO_HTTPS : CURLPROTO_HTTPS);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTPS);
#endif
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MOST_REDIRECTS);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_USERAGENT, "vgg16/" VGG16_VERSION);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    if (!code) code = lib.curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
    return code == CURLE_OK;
}

/* Names the cause of a failed transfer. What arrived stays in the part file. */
static enum vgg_status explain(const struct transfer *transfer, CURLcode code, long http, const char *error)
{
    const char *url = transfer->url;
    if (transfer->stopped) return VGG_INTERRUPTED;
    if (transfer->write_failed) {
        return vgg_fail(VGG_ERR_IO,
                        "%s: writing failed: %s; try again after that is mended, it goes on where it stopped",
                        transfer->part, strerror(transfer->cause));
    }
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR: return vgg_fail(VGG_ERR_IO, "%s: the server answered HTTP status %ld", url, http);
    case CURLE_OPERATION_TIMEDOUT:
        return vgg_fail(VGG_ERR_IO, "%s: no answer in time; try again, it goes on where it stopped", url);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
        return vgg_fail(VGG_ERR_IO, "%s: the connection ended early; try again, it goes on where it stopped", url);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return vgg_fail(VGG_ERR_IO,
                        "%s: %s; without a network, put the file that another machine fetched from there at %s", url,
                        *error ? error : lib.curl_easy_strerror(code), transfer->path);
    default: return vgg_fail(VGG_ERR_IO, "%s: %s", url, *error ? error : lib.curl_easy_strerror(code));
    }
}

/* Starts the part file anew. */
static bool empty_part(struct transfer *transfer)
{
    transfer->offset = 0;
    return vgg_os_empty(transfer->stream);
}

static enum vgg_status run(struct transfer *transfer)
{
    char error[CURL_ERROR_SIZE] = "";
    enum vgg_status status = VGG_OK;
    CURL *curl = lib.curl_easy_init();
    if (!curl || !prepare(curl, transfer, error)) {
        lib.curl_easy_cleanup(curl);
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: libcurl cannot be set up", transfer->url);
    }
    long http = 0;
    CURLcode code = CURLE_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        lib.curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, transfer->offset);
        code = lib.curl_easy_perform(curl);
        lib.curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http);
        /* The server cannot go on, or says the file ends where the part does: then take it whole. */
        bool again = transfer->offset > 0 && (code == CURLE_RANGE_ERROR || http == 416);
        if (!again || !empty_part(transfer)) break;
    }
    if (code == CURLE_OK && fflush(transfer->stream) != 0) {
        transfer->write_failed = true, transfer->cause = errno;
        code = CURLE_WRITE_ERROR;
    }
    if (code != CURLE_OK) status = explain(transfer, code, http, error);
    lib.curl_easy_cleanup(curl);
    return status;
}

/* Is the whole file there, of this digest? */
static bool is_there(const char *path, const char *md5)
{
    struct vgg_os_info info;
    char hex[129];
    return vgg_os_look(&info, path) && info.kind == VGG_OS_FILE && vgg_digest_file(hex, path, "MD5") == VGG_OK &&
           strcasecmp(hex, md5) == 0;
}

/* Opens the part file for this process alone; *done: another has finished the whole file meanwhile, whose name the part
 * then has. */
static enum vgg_status open_part(bool *done, struct transfer *transfer, const char *md5)
{
    *done = false;
    transfer->stream = vgg_os_fopen(transfer->part, "ab");
    if (!transfer->stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be written: %s", transfer->part, strerror(errno));
    if (vgg_os_claim(&transfer->lock, transfer->stream, transfer->part)) {
        transfer->offset = vgg_os_seek_end(transfer->stream);
        if (transfer->offset < 0) transfer->offset = 0;
        return VGG_OK;
    }
    fclose(transfer->stream);
    transfer->stream = NULL;
    *done = is_there(transfer->path, md5);
    if (*done) return VGG_OK;
    return vgg_fail(VGG_ERR_IO, "%s: another process is downloading this file; wait for it", transfer->part);
}

/* Where nothing arrived no file stays. */
static void close_part(const struct transfer *transfer)
{
    struct vgg_os_info info;
    if (!transfer->stream) return;
    fclose(transfer->stream);
    if (!transfer->gone && vgg_os_look(&info, transfer->part) && info.size == 0) vgg_os_remove(transfer->part);
    vgg_os_unlock(transfer->lock);
}

/* Compares the part file's digest and renames it. */
static enum vgg_status finish(struct transfer *transfer, const char *md5)
{
    char hex[129];
    enum vgg_status status = vgg_digest_file(hex, transfer->part, "MD5");
    if (status != VGG_OK) return status;
    if (strcasecmp(hex, md5) != 0) {
        transfer->gone = vgg_os_remove(transfer->part);
        return vgg_fail(VGG_ERR_FORMAT,
                        "%s: the file that arrived has MD5 %s instead of %s and was deleted; try again, or look at "
                        "what stands between here and there",
                        transfer->url, hex, md5);
    }
    if (!vgg_os_sync(transfer->stream) || !vgg_os_replace(transfer->part, transfer->path)) {
        return vgg_fail(VGG_ERR_IO, "%s: writing failed: %s", transfer->path, strerror(errno));
    }
    transfer->gone = true;
    return VGG_OK;
}

enum vgg_status vgg_pull_file(const char *url, const char *path, const char *md5, vgg_progress_fn *progress, void *user)
{
    if (!has_library()) {
        return vgg_fail(VGG_ERR_UNSUPPORTED,
                        "%s: downloads take " VGG16_CURL
                        ", which is not here; install it (Debian: libcurl4), or put the "
                        "file that another machine fetched from there at %s",
                        url, path);
    }
    enum vgg_status status = vgg_digest_need(path);
    if (status != VGG_OK) return status;
    struct transfer transfer = { .url = url, .path = path, .lock = -1, .progress = progress, .user = user };
    bool done;
    size_t size = strlen(path) + sizeof ".part";
    transfer.part = vgg_mem_calloc(size, 1);
    if (!transfer.part) return vgg_fail_memory(path, size);
    snprintf(transfer.part, size, "%s.part", path);
    CHECK(open_part(&done, &transfer, md5));
    if (done) goto fail;
    CHECK(run(&transfer));
    CHECK(finish(&transfer, md5));
fail:
    close_part(&transfer);
    free(transfer.part);
    return status;
}

#else /* without libcurl */

const char *vgg_pull_library(void)
{
    return "none: built without libcurl";
}

enum vgg_status vgg_pull_file(const char *url, const char *path, const char *md5, vgg_progress_fn *progress, void *user)
{
    (void)md5, (void)progress, (void)user;
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: this vgg16 was built without libcurl, which downloads; put the file that another machine "
                    "fetched from there at %s",
                    url, path);
}

#endif
