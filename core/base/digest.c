#include "core/base/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/os_hash.h"

enum { PIECE = 1 << 20 };

const char *vgg_digest_library(void)
{
    return vgg_os_hash_library();
}

enum vgg_status vgg_digest_need(const char *what)
{
    if (vgg_os_hash_here()) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: its checksum is computed by %s, which is not here; install it (Debian: libssl3)", what,
                    vgg_os_hash_library());
}

static void write_hex(char *hex, const unsigned char *value, unsigned length)
{
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", value[i]);
}

enum vgg_status vgg_digest_file(char hex[129], const char *path, const char *algorithm)
{
    unsigned char value[VGG_OS_HASH_BYTES];
    unsigned length = 0;
    hex[0] = '\0';
    enum vgg_status status = vgg_digest_need(path);
    if (status != VGG_OK) return status;
    if (!vgg_os_hash_knows(algorithm)) {
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: cannot be verified: %s does without %s", path, vgg_os_hash_library(),
                        algorithm);
    }
    FILE *stream = vgg_os_fopen(path, "rb");
    if (!stream) return vgg_fail(VGG_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct vgg_os_hash *hash = vgg_os_hash_create(algorithm);
    unsigned char *piece = vgg_mem_calloc(PIECE, 1);
    if (!hash || !piece) status = vgg_fail_memory(path, PIECE);
    for (size_t n = 1; status == VGG_OK && n > 0;) {
        n = fread(piece, 1, PIECE, stream);
        if (ferror(stream)) status = vgg_fail(VGG_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (status == VGG_OK && !vgg_os_hash_add(hash, piece, n)) status = vgg_fail_memory(path, n);
    }
    if (status == VGG_OK && !vgg_os_hash_end(hash, value, &length)) status = vgg_fail_memory(path, 0);
    if (status == VGG_OK) write_hex(hex, value, length);
    vgg_os_hash_destroy(hash);
    free(piece);
    fclose(stream);
    return status;
}

enum vgg_status vgg_digest_sha256(char hex[65], const struct vgg_digest_piece *piece, size_t count)
{
    unsigned char value[VGG_OS_HASH_BYTES];
    unsigned length = 0;
    hex[0] = '\0';
    enum vgg_status status = vgg_digest_need("a digest");
    if (status != VGG_OK) return status;
    struct vgg_os_hash *hash = vgg_os_hash_create("SHA256");
    bool good = hash != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = vgg_os_hash_add(hash, piece[i].data, piece[i].size);
    good = good && vgg_os_hash_end(hash, value, &length);
    vgg_os_hash_destroy(hash);
    if (!good) return vgg_fail_memory("a digest", sizeof value);
    write_hex(hex, value, length);
    return VGG_OK;
}
