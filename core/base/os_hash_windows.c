/* Source: Microsoft, Cryptography API: Next Generation. */
#include <windows.h>

#include <bcrypt.h>
#include <stdio.h>
#include <string.h>

#include "core/base/os_hash.h"

static const struct {
    const char *name;
    const wchar_t *own;
} algorithms[] = { { "MD5", BCRYPT_MD5_ALGORITHM }, { "SHA256", BCRYPT_SHA256_ALGORITHM } };

const char *vgg_os_hash_library(void)
{
    return "bcrypt.dll";
}

bool vgg_os_hash_here(void)
{
    return true;
}

static const wchar_t *own_name(const char *algorithm)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (strcmp(algorithms[i].name, algorithm) == 0) return algorithms[i].own;
    return NULL;
}

bool vgg_os_hash_knows(const char *algorithm)
{
    return own_name(algorithm) != NULL;
}

/* struct vgg_os_hash is a BCRYPT_HASH_HANDLE, which keeps its provider. */
struct vgg_os_hash *vgg_os_hash_create(const char *algorithm)
{
    BCRYPT_ALG_HANDLE provider;
    BCRYPT_HASH_HANDLE hash = NULL;
    if (!BCRYPT_SUCCESS(BCryptOpenAlgorithmProvider(&provider, own_name(algorithm), NULL, 0))) return NULL;
    if (!BCRYPT_SUCCESS(BCryptCreateHash(provider, &hash, NULL, 0, NULL, 0, 0))) hash = NULL;
    BCryptCloseAlgorithmProvider(provider, 0);
    return hash;
}

void vgg_os_hash_destroy(struct vgg_os_hash *hash)
{
    if (hash) BCryptDestroyHash(hash);
}

bool vgg_os_hash_add(struct vgg_os_hash *hash, const void *data, size_t size)
{
    enum { PIECE = 1 << 30 };
    for (size_t done = 0, n; done < size; done += n) {
        n = size - done < PIECE ? size - done : PIECE;
        if (!BCRYPT_SUCCESS(BCryptHashData(hash, (unsigned char *)(uintptr_t)data + done, (ULONG)n, 0))) return false;
    }
    return true;
}

bool vgg_os_hash_end(struct vgg_os_hash *hash, unsigned char value[VGG_OS_HASH_BYTES], unsigned *length)
{
    DWORD bytes, told;
    if (!BCRYPT_SUCCESS(BCryptGetProperty(hash, BCRYPT_HASH_LENGTH, (unsigned char *)&bytes, sizeof bytes, &told, 0)))
        return false;
    *length = bytes;
    return bytes <= VGG_OS_HASH_BYTES && BCRYPT_SUCCESS(BCryptFinishHash(hash, value, bytes, 0));
}
