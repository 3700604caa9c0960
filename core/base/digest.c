#include "core/base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/library.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os_thread.h"

enum { PIECE = 1 << 20 };

/* The functions of libcrypto that are used, under its names. */
static struct {
    __typeof__(EVP_get_digestbyname) *EVP_get_digestbyname;
    __typeof__(EVP_MD_CTX_new) *EVP_MD_CTX_new;
    __typeof__(EVP_MD_CTX_free) *EVP_MD_CTX_free;
    __typeof__(EVP_DigestInit_ex) *EVP_DigestInit_ex;
    __typeof__(EVP_DigestUpdate) *EVP_DigestUpdate;
    __typeof__(EVP_DigestFinal_ex) *EVP_DigestFinal_ex;
    bool opened;
} lib;

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "EVP_get_digestbyname", &lib.EVP_get_digestbyname }, { "EVP_MD_CTX_new", &lib.EVP_MD_CTX_new },
        { "EVP_MD_CTX_free", &lib.EVP_MD_CTX_free },           { "EVP_DigestInit_ex", &lib.EVP_DigestInit_ex },
        { "EVP_DigestUpdate", &lib.EVP_DigestUpdate },         { "EVP_DigestFinal_ex", &lib.EVP_DigestFinal_ex },
    };
    lib.opened = vgg_library_open(VGG16_CRYPTO, entries, sizeof entries / sizeof *entries);
}

const char *vgg_digest_library(void)
{
    return VGG16_CRYPTO;
}

enum vgg_status vgg_digest_need(const char *what)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    if (lib.opened) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: its checksum is computed by " VGG16_CRYPTO ", which is not here; install it (Debian: libssl3)",
                    what);
}

static void write_hex(char *hex, const unsigned char *value, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", value[i]);
}

enum vgg_status vgg_digest_file(char hex[129], const char *path, const char *algorithm)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    enum vgg_status status = vgg_digest_need(path);
    if (status != VGG_OK) return status;
    FILE *stream = fopen(path, "rb");
    if (!stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    EVP_MD_CTX *context = lib.EVP_MD_CTX_new();
    unsigned char *piece = vgg_mem_calloc(PIECE, 1);
    const EVP_MD *method = lib.EVP_get_digestbyname(algorithm);
    if (!context || !piece) {
        status = vgg_fail_memory(path, PIECE);
    } else if (!method || !lib.EVP_DigestInit_ex(context, method, NULL)) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED, "%s: cannot be verified: OpenSSL here does without %s", path, algorithm);
    }
    for (size_t n = 1; status == VGG_OK && n > 0;) {
        n = fread(piece, 1, PIECE, stream);
        if (ferror(stream)) status = vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (status == VGG_OK && !lib.EVP_DigestUpdate(context, piece, n)) status = vgg_fail_memory(path, n);
    }
    if (status == VGG_OK && !lib.EVP_DigestFinal_ex(context, value, &length)) status = vgg_fail_memory(path, 0);
    if (status == VGG_OK) write_hex(hex, value, length);
    lib.EVP_MD_CTX_free(context);
    free(piece);
    fclose(stream);
    return status;
}

enum vgg_status vgg_digest_sha256(char hex[65], const struct vgg_digest_piece *piece, size_t count)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    enum vgg_status status = vgg_digest_need("a digest");
    if (status != VGG_OK) return status;
    EVP_MD_CTX *context = lib.EVP_MD_CTX_new();
    bool good = context && lib.EVP_DigestInit_ex(context, lib.EVP_get_digestbyname("SHA256"), NULL);
    for (size_t i = 0; good && i < count; i++)
        good = lib.EVP_DigestUpdate(context, piece[i].data, piece[i].size);
    good = good && lib.EVP_DigestFinal_ex(context, value, &length);
    lib.EVP_MD_CTX_free(context);
    if (!good) return vgg_fail_memory("a digest", sizeof value);
    write_hex(hex, value, length);
    return VGG_OK;
}
