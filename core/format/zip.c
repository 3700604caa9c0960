#include "core/format/zip.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/file.h"
#include "core/base/library.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/os.h"
#include "core/base/os_thread.h"
#include "core/base/text.h"

/* A part above MOST_FREELY bytes may be MOST_GROWTH times as large as it is in the file. */
enum { MOST_ENTRIES = 65536, MOST_NAME = 1024, PIECE = 1 << 24, MOST_FREELY = 64 << 20, MOST_GROWTH = 200 };

struct vgg_zip {
    char *path;
    const void *map;
    size_t map_size;
    void *handle; /* minizip's unzFile */
    struct vgg_zip_entry *entry;
    size_t count, capacity;
};

static int compare_names(const void *a, const void *b)
{
    const struct vgg_zip_entry *s = a, *t = b;
    return strcmp(s->name, t->name);
}

#ifdef VGG16_ZIP

#include <minizip/unzip.h>
#include <minizip/zip.h>

enum { ENCRYPTED = 1 }; /* of an entry's flags */

/* The functions of minizip that are used, under its names. */
static struct {
    __typeof__(fill_fopen64_filefunc) *fill_fopen64_filefunc;
    __typeof__(unzOpen2_64) *unzOpen2_64;
    __typeof__(unzClose) *unzClose;
    __typeof__(unzGoToFirstFile) *unzGoToFirstFile;
    __typeof__(unzGoToNextFile) *unzGoToNextFile;
    __typeof__(unzGetCurrentFileInfo64) *unzGetCurrentFileInfo64;
    __typeof__(unzOpenCurrentFile) *unzOpenCurrentFile;
    __typeof__(unzCloseCurrentFile) *unzCloseCurrentFile;
    __typeof__(unzReadCurrentFile) *unzReadCurrentFile;
    __typeof__(unzGetCurrentFileZStreamPos64) *unzGetCurrentFileZStreamPos64;
    __typeof__(unzGetFilePos64) *unzGetFilePos64;
    __typeof__(unzGoToFilePos64) *unzGoToFilePos64;
    __typeof__(zipOpen2_64) *zipOpen2_64;
    __typeof__(zipOpenNewFileInZip64) *zipOpenNewFileInZip64;
    __typeof__(zipWriteInFileInZip) *zipWriteInFileInZip;
    __typeof__(zipCloseFileInZip) *zipCloseFileInZip;
    __typeof__(zipClose) *zipClose;
    bool opened;
} lib;

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "fill_fopen64_filefunc", &lib.fill_fopen64_filefunc },
        { "unzOpen2_64", &lib.unzOpen2_64 },
        { "unzClose", &lib.unzClose },
        { "unzGoToFirstFile", &lib.unzGoToFirstFile },
        { "unzGoToNextFile", &lib.unzGoToNextFile },
        { "unzGetCurrentFileInfo64", &lib.unzGetCurrentFileInfo64 },
        { "unzOpenCurrentFile", &lib.unzOpenCurrentFile },
        { "unzCloseCurrentFile", &lib.unzCloseCurrentFile },
        { "unzReadCurrentFile", &lib.unzReadCurrentFile },
        { "unzGetCurrentFileZStreamPos64", &lib.unzGetCurrentFileZStreamPos64 },
        { "unzGetFilePos64", &lib.unzGetFilePos64 },
        { "unzGoToFilePos64", &lib.unzGoToFilePos64 },
        { "zipOpen2_64", &lib.zipOpen2_64 },
        { "zipOpenNewFileInZip64", &lib.zipOpenNewFileInZip64 },
        { "zipWriteInFileInZip", &lib.zipWriteInFileInZip },
        { "zipCloseFileInZip", &lib.zipCloseFileInZip },
        { "zipClose", &lib.zipClose },
    };
    lib.opened = vgg_library_open(VGG16_ZIP, entries, sizeof entries / sizeof *entries);
}

static bool has_library(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return lib.opened;
}

const char *vgg_zip_library(void)
{
    return has_library() ? "minizip" : "none: libminizip is not installed";
}

static enum vgg_status need_library(const char *path)
{
    if (has_library()) return VGG_OK;
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: is a zip archive, which needs the library minizip; install it (Debian: libminizip1)", path);
}

static voidpf open_file(voidpf opaque, const void *path, int mode)
{
    (void)opaque;
    return vgg_os_fopen(path, mode & ZLIB_FILEFUNC_MODE_WRITE ? "wb" : "rb");
}

/* How minizip gets at files: by paths of UTF-8 everywhere, for the rest as it would by itself. */
static zlib_filefunc64_def file_functions(void)
{
    zlib_filefunc64_def functions;
    lib.fill_fopen64_filefunc(&functions);
    functions.zopen64_file = open_file;
    return functions;
}

/* ---- reading ---- */

static enum vgg_status damaged(const struct vgg_zip *zip, const char *name)
{
    return vgg_fail(VGG_ERR_FORMAT, "%s: part %s of the archive is damaged or truncated", zip->path, name);
}

/* Adds the entry that minizip stands at. */
static enum vgg_status add_entry(struct vgg_zip *zip)
{
    char name[MOST_NAME + 1];
    unz_file_info64 info;
    unz64_file_pos place;
    if (lib.unzGetCurrentFileInfo64(zip->handle, &info, name, sizeof name, NULL, 0, NULL, 0) != UNZ_OK ||
        lib.unzGetFilePos64(zip->handle, &place) != UNZ_OK)
        return vgg_fail(VGG_ERR_FORMAT, "%s: the directory of the archive is damaged", zip->path);
    if (info.size_filename > MOST_NAME || zip->count == MOST_ENTRIES)
        return vgg_fail(VGG_ERR_FORMAT, "%s: the archive has %s", zip->path,
                        zip->count == MOST_ENTRIES ? "more than 65536 parts" : "a name of more than 1024 characters");
    name[info.size_filename] = '\0';
    vgg_text_tame(name);
    if (zip->count == zip->capacity) {
        size_t capacity = zip->capacity ? 2 * zip->capacity : 64;
        void *grown = realloc(zip->entry, capacity * sizeof *zip->entry);
        if (!grown) return vgg_fail_memory(zip->path, capacity * sizeof *zip->entry);
        zip->entry = grown;
        zip->capacity = capacity;
    }
    struct vgg_zip_entry *entry = &zip->entry[zip->count];
    *entry = (struct vgg_zip_entry) { .size = info.uncompressed_size,
                                      .crc = (uint32_t)info.crc,
                                      .place = place.pos_in_zip_directory,
                                      .number = place.num_of_file };
    entry->name = vgg_mem_strdup(name);
    if (!entry->name) return vgg_fail_memory(zip->path, sizeof name);
    zip->count++;
    if (info.uncompressed_size > MOST_FREELY && info.uncompressed_size / MOST_GROWTH > info.compressed_size)
        return vgg_fail(
            VGG_ERR_FORMAT, "%s: part %s of the archive has %llu bytes, packed into %llu, more than any honest file",
            zip->path, name, (unsigned long long)info.uncompressed_size, (unsigned long long)info.compressed_size);
    if (info.flag & ENCRYPTED)
        return vgg_fail(VGG_ERR_UNSUPPORTED, "%s: part %s of the archive is encrypted", zip->path, name);
    if (info.compression_method != 0) return VGG_OK;
    if (lib.unzOpenCurrentFile(zip->handle) != UNZ_OK) return damaged(zip, name);
    uint64_t begin = lib.unzGetCurrentFileZStreamPos64(zip->handle);
    lib.unzCloseCurrentFile(zip->handle);
    if (info.compressed_size != info.uncompressed_size || begin > zip->map_size || entry->size > zip->map_size - begin)
        return damaged(zip, name);
    entry->data = (const unsigned char *)zip->map + begin;
    return VGG_OK;
}

enum vgg_status vgg_zip_open(struct vgg_zip **out, const char *path)
{
    *out = NULL;
    enum vgg_status status = need_library(path);
    if (status != VGG_OK) return status;
    struct vgg_zip *zip = vgg_mem_calloc(1, sizeof *zip);
    if (!zip) return vgg_fail_memory(path, sizeof *zip);
    zip->path = vgg_mem_strdup(path);
    if (!zip->path) {
        status = vgg_fail_memory(path, strlen(path));
        goto fail;
    }
    CHECK(vgg_file_map(&zip->map, &zip->map_size, path));
    zlib_filefunc64_def functions = file_functions();
    zip->handle = lib.unzOpen2_64(path, &functions);
    if (!zip->handle) {
        status = vgg_fail(VGG_ERR_FORMAT,
                          "%s: begins as a zip archive but has no directory at its end: is it truncated?", path);
        goto fail;
    }
    int more = lib.unzGoToFirstFile(zip->handle);
    while (more == UNZ_OK) {
        CHECK(add_entry(zip));
        more = lib.unzGoToNextFile(zip->handle);
    }
    if (more != UNZ_END_OF_LIST_OF_FILE || zip->count == 0) {
        status = vgg_fail(VGG_ERR_FORMAT, "%s: the directory of the archive is %s", path,
                          zip->count ? "damaged" : "empty or damaged");
        goto fail;
    }
    qsort(zip->entry, zip->count, sizeof *zip->entry, compare_names);
    *out = zip;
    return VGG_OK;
fail:
    vgg_zip_close(zip);
    return status;
}

static void close_handle(struct vgg_zip *zip)
{
    if (zip->handle) lib.unzClose(zip->handle);
}

enum vgg_status vgg_zip_read(void **out, const struct vgg_zip *zip, const struct vgg_zip_entry *entry, size_t most)
{
    *out = NULL;
    if (entry->size > most) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: part %s of the archive has %llu bytes, more than any honest file",
                        zip->path, entry->name, (unsigned long long)entry->size);
    }
    size_t size = (size_t)entry->size, got = 0;
    unsigned char *content = vgg_mem_calloc(size + 1, 1);
    if (!content) return vgg_fail_memory(zip->path, size);
    unz64_file_pos place = { entry->place, entry->number };
    bool good = lib.unzGoToFilePos64(zip->handle, &place) == UNZ_OK && lib.unzOpenCurrentFile(zip->handle) == UNZ_OK;
    bool opened = good;
    while (good && got < size) {
        size_t piece = size - got < PIECE ? size - got : PIECE;
        int n = lib.unzReadCurrentFile(zip->handle, content + got, (unsigned)piece);
        good = n > 0;
        got += good ? (size_t)n : 0;
    }
    /* One byte more must not be there; then closing compares the CRC. */
    unsigned char beyond;
    good = good && lib.unzReadCurrentFile(zip->handle, &beyond, 1) == 0;
    if (opened) good = lib.unzCloseCurrentFile(zip->handle) == UNZ_OK && good;
    if (good) {
        *out = content;
        return VGG_OK;
    }
    free(content);
    return damaged(zip, entry->name);
}

/* ---- writing ---- */

static bool write_part(void *zip, const struct vgg_zip_part *part)
{
    zip_fileinfo info = { .tmz_date = { .tm_year = 1980, .tm_mday = 1 } }; /* the same bytes every time */
    if (lib.zipOpenNewFileInZip64(zip, part->name, &info, NULL, 0, NULL, 0, NULL, 0, 0, part->size > UINT32_MAX / 2) !=
        ZIP_OK)
        return false;
    bool good = true;
    for (size_t at = 0; good && at < part->size; at += PIECE) {
        size_t piece = part->size - at < PIECE ? part->size - at : PIECE;
        good = lib.zipWriteInFileInZip(zip, (const unsigned char *)part->data + at, (unsigned)piece) == ZIP_OK;
    }
    return lib.zipCloseFileInZip(zip) == ZIP_OK && good;
}

enum vgg_status vgg_zip_write(const char *path, const struct vgg_zip_part *parts, size_t count)
{
    struct vgg_file *file = NULL;
    enum vgg_status status = need_library(path);
    if (status == VGG_OK) status = vgg_file_create(&file, path);
    if (status != VGG_OK) return status;
    zlib_filefunc64_def functions = file_functions();
    void *zip = lib.zipOpen2_64(vgg_file_temporary(file), APPEND_STATUS_CREATE, NULL, &functions);
    bool good = zip != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = write_part(zip, &parts[i]);
    if (zip) good = lib.zipClose(zip, NULL) == ZIP_OK && good;
    if (good) return vgg_file_commit(file);
    vgg_file_abort(file);
    return vgg_fail(VGG_ERR_IO, "%s: writing failed: is the disk full?", path);
}

#else /* without minizip */

const char *vgg_zip_library(void)
{
    return "none: built without minizip";
}

static enum vgg_status lacks(const char *path)
{
    return vgg_fail(VGG_ERR_UNSUPPORTED,
                    "%s: is a zip archive, and this vgg16 was built without minizip, which reads and writes them",
                    path);
}

enum vgg_status vgg_zip_open(struct vgg_zip **out, const char *path)
{
    *out = NULL;
    return lacks(path);
}

static void close_handle(struct vgg_zip *zip)
{
    (void)zip;
}

enum vgg_status vgg_zip_read(void **out, const struct vgg_zip *zip, const struct vgg_zip_entry *entry, size_t most)
{
    (void)entry, (void)most;
    *out = NULL;
    return lacks(zip->path);
}

enum vgg_status vgg_zip_write(const char *path, const struct vgg_zip_part *parts, size_t count)
{
    (void)parts, (void)count;
    return lacks(path);
}

#endif

void vgg_zip_close(struct vgg_zip *zip)
{
    if (!zip) return;
    close_handle(zip);
    for (size_t i = 0; i < zip->count; i++)
        free((char *)(uintptr_t)zip->entry[i].name);
    free(zip->entry);
    vgg_file_unmap(zip->map, zip->map_size);
    free(zip->path);
    free(zip);
}

size_t vgg_zip_count(const struct vgg_zip *zip)
{
    return zip->count;
}

const struct vgg_zip_entry *vgg_zip_at(const struct vgg_zip *zip, size_t index)
{
    return index < zip->count ? &zip->entry[index] : NULL;
}

enum vgg_status vgg_zip_check(const struct vgg_zip *zip, const void *data)
{
    struct vgg_zip_entry *entry = NULL;
    for (size_t i = 0; i < zip->count && !entry; i++) {
        uintptr_t begin = (uintptr_t)zip->entry[i].data, at = (uintptr_t)data;
        if (begin && at >= begin && at - begin < zip->entry[i].size) entry = &zip->entry[i];
    }
    if (!entry || entry->checked || !entry->crc) return VGG_OK;
    uint32_t found = (uint32_t)crc32_z(0, entry->data, (size_t)entry->size);
    entry->checked = found == entry->crc;
    if (entry->checked) return VGG_OK;
    return vgg_fail(VGG_ERR_FORMAT,
                    "%s: part %s of the archive is damaged: its CRC-32 is %08" PRIx32 ", not %08" PRIx32, zip->path,
                    entry->name, found, entry->crc);
}

const struct vgg_zip_entry *vgg_zip_find(const struct vgg_zip *zip, const char *name)
{
    const struct vgg_zip_entry key = { .name = name };
    return bsearch(&key, zip->entry, zip->count, sizeof *zip->entry, compare_names);
}
