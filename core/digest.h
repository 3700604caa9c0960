/* digest.h: checksums of files. */
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include "core/vgg16.h"

/* The digest of a whole file as lower-case hex digits. algorithm: as OpenSSL names them, "MD5" or "SHA256". */
enum vgg_status vgg_digest_file(char hex[129], const char *path, const char *algorithm);

#endif
