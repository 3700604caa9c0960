#include <openssl/evp.h>

#include "core/base/library.h"
#include "core/base/os_hash.h"
#include "core/base/os_thread.h"

_Static_assert(VGG_OS_HASH_BYTES >= EVP_MAX_MD_SIZE, "libcrypto's digests");

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

const char *vgg_os_hash_library(void)
{
    return VGG16_CRYPTO;
}

bool vgg_os_hash_here(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return lib.opened;
}

bool vgg_os_hash_knows(const char *algorithm)
{
    return lib.EVP_get_digestbyname(algorithm) != NULL;
}

/* struct vgg_os_hash is EVP_MD_CTX by another name. */
struct vgg_os_hash *vgg_os_hash_create(const char *algorithm)
{
    EVP_MD_CTX *context = lib.EVP_MD_CTX_new();
    if (context && lib.EVP_DigestInit_ex(context, lib.EVP_get_digestbyname(algorithm), NULL))
        return (struct vgg_os_hash *)context;
    lib.EVP_MD_CTX_free(context);
    return NULL;
}

void vgg_os_hash_destroy(struct vgg_os_hash *hash)
{
    if (hash) lib.EVP_MD_CTX_free((EVP_MD_CTX *)hash);
}

bool vgg_os_hash_add(struct vgg_os_hash *hash, const void *data, size_t size)
{
    return lib.EVP_DigestUpdate((EVP_MD_CTX *)hash, data, size);
}

bool vgg_os_hash_end(struct vgg_os_hash *hash, unsigned char value[VGG_OS_HASH_BYTES], unsigned *length)
{
    return lib.EVP_DigestFinal_ex((EVP_MD_CTX *)hash, value, length);
}
