#include "core/base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"

enum { PIECE = 1 << 20 };

static void write_hex(char *hex, const unsigned char *value, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", value[i]);
}

enum vgg_status vgg_digest_file(char hex[129], const char *path, const char *algorithm)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    enum vgg_status status = VGG_OK;
    hex[0] = '\0';
    FILE *stream = fopen(path, "rb");
    if (!stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char *piece = vgg_mem_calloc(PIECE, 1);
    const EVP_MD *method = EVP_get_digestbyname(algorithm);
    if (!context || !piece) {
        status = vgg_fail_memory(path, PIECE);
    } else if (!method || !EVP_DigestInit_ex(context, method, NULL)) {
        status = vgg_fail(VGG_ERR_UNSUPPORTED, "%s: cannot be verified: OpenSSL here does without %s", path, algorithm);
    }
    for (size_t n = 1; status == VGG_OK && n > 0;) {
        n = fread(piece, 1, PIECE, stream);
        if (ferror(stream)) status = vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (status == VGG_OK && !EVP_DigestUpdate(context, piece, n)) status = vgg_fail_memory(path, n);
    }
    if (status == VGG_OK && !EVP_DigestFinal_ex(context, value, &length)) status = vgg_fail_memory(path, 0);
    if (status == VGG_OK) write_hex(hex, value, length);
    EVP_MD_CTX_free(context);
    free(piece);
    fclose(stream);
    return status;
}

enum vgg_status vgg_digest_sha256(char hex[65], const struct vgg_digest_piece *piece, size_t count)
{
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    for (size_t i = 0; good && i < count; i++)
        good = EVP_DigestUpdate(context, piece[i].data, piece[i].size);
    good = good && EVP_DigestFinal_ex(context, value, &length);
    EVP_MD_CTX_free(context);
    hex[0] = '\0';
    if (!good) return vgg_fail_memory("a digest", sizeof value);
    write_hex(hex, value, length);
    return VGG_OK;
}
