/* os_hash.h: digests by whom the operating system has for them: os_hash_crypto.c by OpenSSL's libcrypto, which is
 * opened when it is first needed, os_hash_windows.c by Windows itself. */
#ifndef CORE_BASE_OS_HASH_H
#define CORE_BASE_OS_HASH_H

#include <stdbool.h>
#include <stddef.h>

enum { VGG_OS_HASH_BYTES = 64 }; /* of the longest digest */

struct vgg_os_hash;

/* Its name, and whether it is here. */
const char *vgg_os_hash_library(void);
bool vgg_os_hash_here(void);
/* Where it is here: does it compute that, "MD5" or "SHA256"? */
bool vgg_os_hash_knows(const char *algorithm);
/* A digest of no bytes yet, by an algorithm that it knows. NULL: failed. */
struct vgg_os_hash *vgg_os_hash_create(const char *algorithm);
void vgg_os_hash_destroy(struct vgg_os_hash *hash); /* accepts NULL */
/* False: failed. */
bool vgg_os_hash_add(struct vgg_os_hash *hash, const void *data, size_t size);
/* *length: bytes of `value`. After it the digest can only be destroyed. */
bool vgg_os_hash_end(struct vgg_os_hash *hash, unsigned char value[VGG_OS_HASH_BYTES], unsigned *length);

#endif
