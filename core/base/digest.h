/* digest.h: checksums of files and of arrays. */
#ifndef CORE_BASE_DIGEST_H
#define CORE_BASE_DIGEST_H

#include "core/vgg16.h"

/* VGG_ERR_UNSUPPORTED, with a line that names `what`, which is to be digested, where the library is missing: to be
 * asked before work whose result is compared. */
enum vgg_status vgg_digest_need(const char *what);
/* The digest of a whole file as lower-case hex digits. algorithm: as OpenSSL names them, "MD5" or "SHA256". */
enum vgg_status vgg_digest_file(char hex[129], const char *path, const char *algorithm);

struct vgg_digest_piece {
    const void *data;
    size_t size; /* bytes */
};
/* SHA-256 of pieces that follow each other, as lower-case hex digits. */
enum vgg_status vgg_digest_sha256(char hex[65], const struct vgg_digest_piece *piece, size_t count);

#endif
