/* TIFF by libtiff: the first page. Common layouts are unpacked here as Pillow does; libtiff's own way to RGB, which
 * rounds otherwise, serves the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "core/base/library.h"
#include "core/base/log.h"
#include "core/base/os_thread.h"
#include "core/image/decoder.h"

/* MAX_SAMPLES: of one pixel, as far as they are unpacked here. MAX_ALLOCATION: of libtiff itself, at once. */
enum { MAX_SAMPLES = 8, MAX_ALLOCATION = 1 << 30, TEXT = 256 };

#define OWN_HANDLERS (TIFFLIB_VERSION >= 20221213) /* 4.5: messages of one file have a handler of their own */

static struct {
    const char *(*version)(void);
    void (*close)(TIFF *);
    int (*get)(TIFF *, uint32_t, ...);
    int (*set)(TIFF *, uint32_t, ...);
    int (*is_tiled)(TIFF *);
    tmsize_t (*strip_size)(TIFF *);
    tmsize_t (*tile_size)(TIFF *);
    uint32_t (*strip_of)(TIFF *, uint32_t, uint16_t);
    uint32_t (*tile_of)(TIFF *, uint32_t, uint32_t, uint32_t, uint16_t);
    tmsize_t (*read_strip)(TIFF *, uint32_t, void *, tmsize_t);
    tmsize_t (*read_tile)(TIFF *, uint32_t, void *, tmsize_t);
    int (*rgba_ok)(TIFF *, char *);
    int (*read_rgba)(TIFF *, uint32_t, uint32_t, uint32_t *, int, int);
#if OWN_HANDLERS
    TIFFOpenOptions *(*options_create)(void);
    void (*options_free)(TIFFOpenOptions *);
    void (*options_memory)(TIFFOpenOptions *, tmsize_t);
    void (*options_error)(TIFFOpenOptions *, TIFFErrorHandlerExtR, void *);
    void (*options_warning)(TIFFOpenOptions *, TIFFErrorHandlerExtR, void *);
    TIFF *(*open)(const char *, const char *, thandle_t, TIFFReadWriteProc, TIFFReadWriteProc, TIFFSeekProc,
                  TIFFCloseProc, TIFFSizeProc, TIFFMapFileProc, TIFFUnmapFileProc, TIFFOpenOptions *);
#else
    TIFFErrorHandler (*set_error)(TIFFErrorHandler);
    TIFFErrorHandler (*set_warning)(TIFFErrorHandler);
    TIFF *(*open)(const char *, const char *, thandle_t, TIFFReadWriteProc, TIFFReadWriteProc, TIFFSeekProc,
                  TIFFCloseProc, TIFFSizeProc, TIFFMapFileProc, TIFFUnmapFileProc);
#endif
    char name[32];
} tiff;

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "TIFFGetVersion", &tiff.version },
        { "TIFFClose", &tiff.close },
        { "TIFFGetFieldDefaulted", &tiff.get },
        { "TIFFSetField", &tiff.set },
        { "TIFFIsTiled", &tiff.is_tiled },
        { "TIFFStripSize", &tiff.strip_size },
        { "TIFFTileSize", &tiff.tile_size },
        { "TIFFComputeStrip", &tiff.strip_of },
        { "TIFFComputeTile", &tiff.tile_of },
        { "TIFFReadEncodedStrip", &tiff.read_strip },
        { "TIFFReadEncodedTile", &tiff.read_tile },
        { "TIFFRGBAImageOK", &tiff.rgba_ok },
        { "TIFFReadRGBAImageOriented", &tiff.read_rgba },
#if OWN_HANDLERS
        { "TIFFOpenOptionsAlloc", &tiff.options_create },
        { "TIFFOpenOptionsFree", &tiff.options_free },
        { "TIFFOpenOptionsSetMaxSingleMemAlloc", &tiff.options_memory },
        { "TIFFOpenOptionsSetErrorHandlerExtR", &tiff.options_error },
        { "TIFFOpenOptionsSetWarningHandlerExtR", &tiff.options_warning },
        { "TIFFClientOpenExt", &tiff.open },
#else
        { "TIFFSetErrorHandler", &tiff.set_error },
        { "TIFFSetWarningHandler", &tiff.set_warning },
        { "TIFFClientOpen", &tiff.open },
#endif
    };
    if (!vgg_library_open(VGG16_TIFF, entries, sizeof entries / sizeof *entries)) return;
#if !OWN_HANDLERS
    tiff.set_error(NULL); /* of the whole process, where the library has no other way to be silent */
    tiff.set_warning(NULL);
#endif
    const char *version = strstr(tiff.version(), "Version "); /* "LIBTIFF, Version 4.5.0\nCopyright ..." */
    version = version ? version + strlen("Version ") : "";
    snprintf(tiff.name, sizeof tiff.name, "libtiff %.*s", (int)strcspn(version, "\n"), version);
}

const char *vgg_tiff_name(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    return tiff.name[0] ? tiff.name : NULL;
}

/* ---- the file, for libtiff ---- */

struct client {
    const struct vgg_image_file *file;
    uint64_t at;
    char text[TEXT]; /* the first thing that libtiff said */
};

static tmsize_t client_read(thandle_t handle, void *buffer, tmsize_t size)
{
    struct client *client = handle;
    uint64_t left = client->at < client->file->size ? client->file->size - client->at : 0;
    size_t n = (uint64_t)size < left ? (size_t)size : (size_t)left;
    if (n) memcpy(buffer, client->file->bytes + client->at, n);
    client->at += n;
    return (tmsize_t)n;
}

static tmsize_t client_write(thandle_t handle, void *buffer, tmsize_t size)
{
    (void)handle, (void)buffer, (void)size;
    return -1;
}

static toff_t client_seek(thandle_t handle, toff_t offset, int whence)
{
    struct client *client = handle;
    client->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? client->at + offset : client->file->size + offset;
    return client->at;
}

static int client_close(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t client_size(thandle_t handle)
{
    return ((const struct client *)handle)->file->size;
}

/* libtiff reads only what it has mapped. */
static int client_map(thandle_t handle, void **base, toff_t *size)
{
    const struct vgg_image_file *file = ((const struct client *)handle)->file;
    memcpy(base, &file->bytes, sizeof *base);
    *size = file->size;
    return 1;
}

static void client_unmap(thandle_t handle, void *base, toff_t size)
{
    (void)handle, (void)base, (void)size;
}

#if OWN_HANDLERS
static int on_error(TIFF *handle, void *user, const char *module, const char *format, va_list args) VGG_PRINTF(4, 0);

static int on_error(TIFF *handle, void *user, const char *module, const char *format, va_list args)
{
    struct client *client = user;
    (void)handle, (void)module;
    if (!client->text[0]) vsnprintf(client->text, sizeof client->text, format, args);
    return 1;
}

static int on_warning(TIFF *handle, void *user, const char *module, const char *format, va_list args)
{
    (void)handle, (void)user, (void)module, (void)format, (void)args;
    return 1;
}
#endif

static TIFF *open_file(struct client *client)
{
#if OWN_HANDLERS
    TIFFOpenOptions *options = tiff.options_create();
    if (!options) return NULL;
    tiff.options_memory(options, MAX_ALLOCATION);
    tiff.options_error(options, on_error, client);
    tiff.options_warning(options, on_warning, client);
    TIFF *handle = tiff.open("image", "r", client, client_read, client_write, client_seek, client_close, client_size,
                             client_map, client_unmap, options);
    tiff.options_free(options);
    return handle;
#else
    return tiff.open("image", "r", client, client_read, client_write, client_seek, client_close, client_size,
                     client_map, client_unmap);
#endif
}

/* ---- pixels ---- */

struct layout {
    uint32_t width, height;
    uint32_t block_width, block_height; /* of a strip or tile */
    uint16_t bits, samples, photometric, compression, planar, format, orientation;
    bool tiled, associated; /* associated: colours are multiplied by their alpha */
    uint8_t palette[256][3];
};

static void read_palette(struct layout *l, TIFF *handle)
{
    uint16_t *colour[3];
    if (!tiff.get(handle, TIFFTAG_COLORMAP, &colour[0], &colour[1], &colour[2])) {
        l->photometric = UINT16_MAX;
        return;
    }
    for (int i = 0; i < 256 && i < 1 << l->bits; i++)
        for (int c = 0; c < 3; c++)
            l->palette[i][c] = (uint8_t)(colour[c][i] >> 8);
}

static void read_layout(struct layout *l, TIFF *handle)
{
    uint16_t extras = 0, *extra = NULL, colours;
    *l = (struct layout) { .orientation = 1, .photometric = UINT16_MAX };
    tiff.get(handle, TIFFTAG_IMAGEWIDTH, &l->width);
    tiff.get(handle, TIFFTAG_IMAGELENGTH, &l->height);
    tiff.get(handle, TIFFTAG_BITSPERSAMPLE, &l->bits);
    tiff.get(handle, TIFFTAG_SAMPLESPERPIXEL, &l->samples);
    tiff.get(handle, TIFFTAG_PHOTOMETRIC, &l->photometric);
    tiff.get(handle, TIFFTAG_COMPRESSION, &l->compression);
    tiff.get(handle, TIFFTAG_PLANARCONFIG, &l->planar);
    tiff.get(handle, TIFFTAG_SAMPLEFORMAT, &l->format);
    tiff.get(handle, TIFFTAG_ORIENTATION, &l->orientation);
    if (l->photometric == PHOTOMETRIC_YCBCR && l->compression == COMPRESSION_JPEG && l->planar == PLANARCONFIG_CONTIG) {
        tiff.set(handle, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        l->photometric = PHOTOMETRIC_RGB;
    }
    l->tiled = tiff.is_tiled(handle);
    if (l->tiled) {
        tiff.get(handle, TIFFTAG_TILEWIDTH, &l->block_width);
        tiff.get(handle, TIFFTAG_TILELENGTH, &l->block_height);
    } else {
        l->block_width = l->width;
        tiff.get(handle, TIFFTAG_ROWSPERSTRIP, &l->block_height);
        if (l->block_height > l->height) l->block_height = l->height;
    }
    colours = l->photometric == PHOTOMETRIC_RGB ? 3 : l->photometric == PHOTOMETRIC_SEPARATED ? 4 : 1;
    if (tiff.get(handle, TIFFTAG_EXTRASAMPLES, &extras, &extra) && extras && l->samples > colours)
        l->associated = extra[0] == EXTRASAMPLE_ASSOCALPHA;
    if (l->photometric == PHOTOMETRIC_PALETTE && l->bits <= 8) read_palette(l, handle);
}

/* Is this one of the layouts that are unpacked here? */
static bool is_plain(const struct layout *l)
{
    bool small = l->bits == 1 || l->bits == 2 || l->bits == 4;
    if (l->format != SAMPLEFORMAT_UINT || l->samples < 1 || l->samples > MAX_SAMPLES) return false;
    if (!l->block_height || !l->block_width) return false;
    if (l->bits != 8 && l->bits != 16 && !(small && l->samples == 1)) return false;
    switch (l->photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK: return true;
    case PHOTOMETRIC_PALETTE: return l->bits <= 8;
    case PHOTOMETRIC_RGB: return l->samples >= 3;
    case PHOTOMETRIC_SEPARATED: return l->samples >= 4;
    default: return false;
    }
}

/* One sample as a byte; of palettes, the index. at: its number in the row. */
static uint8_t take(const struct layout *l, const uint8_t *row, size_t at)
{
    if (l->bits == 8) return row[at];
    if (l->bits == 16) {
        uint16_t value; /* libtiff has put its bytes in order */
        memcpy(&value, row + at * 2, sizeof value);
        return (uint8_t)(value >> 8);
    }
    size_t bit = at * l->bits;
    int most = (1 << l->bits) - 1, value = row[bit / 8] >> (8 - l->bits - (int)(bit % 8)) & most;
    return (uint8_t)(l->photometric == PHOTOMETRIC_PALETTE ? value : value * 255 / most);
}

static void unpack_row(uint8_t *rgb, const struct layout *l, const uint8_t *const *plane, size_t width)
{
    bool separate = l->planar == PLANARCONFIG_SEPARATE;
    size_t used = l->samples < 4 ? l->samples : 4;
    if (l->photometric == PHOTOMETRIC_RGB && l->bits == 8 && l->samples == 3 && !separate) {
        memcpy(rgb, plane[0], width * 3);
        return;
    }
    for (size_t x = 0; x < width; x++, rgb += 3) {
        uint8_t s[4] = { 0 };
        for (size_t i = 0; i < 4 && i < used; i++)
            s[i] = separate ? take(l, plane[i], x) : take(l, plane[0], x * l->samples + i);
        switch (l->photometric) {
        case PHOTOMETRIC_MINISWHITE: memset(rgb, 255 - s[0], 3); break;
        case PHOTOMETRIC_MINISBLACK: memset(rgb, s[0], 3); break;
        case PHOTOMETRIC_PALETTE: memcpy(rgb, l->palette[s[0]], 3); break;
        case PHOTOMETRIC_SEPARATED: vgg_image_from_inks(rgb, s, 1); break;
        default:
            for (int c = 0; c < 3; c++) {
                int whole = l->associated && s[3] ? 255 * s[c] / s[3] : s[c];
                rgb[c] = (uint8_t)(whole < 255 ? whole : 255);
            }
        }
    }
}

/* Reads the block at (y, x) of a plane. */
static bool read_block(TIFF *handle, const struct layout *l, uint32_t y, uint32_t x, int plane, uint8_t *buffer,
                       tmsize_t size)
{
    uint16_t sample = (uint16_t)plane;
    if (l->tiled) return tiff.read_tile(handle, tiff.tile_of(handle, x, y, 0, sample), buffer, size) >= 0;
    return tiff.read_strip(handle, tiff.strip_of(handle, y, sample), buffer, size) >= 0;
}

static bool read_plain(struct vgg_image *image, TIFF *handle, const struct layout *l, uint8_t *buffer, tmsize_t size,
                       int planes)
{
    size_t pitch = ((size_t)l->block_width * l->bits * (planes > 1 ? 1 : l->samples) + 7) / 8;
    for (uint32_t y = 0; y < l->height; y += l->block_height) {
        for (uint32_t x = 0; x < l->width; x += l->block_width) {
            for (int i = 0; i < planes; i++)
                if (!read_block(handle, l, y, x, i, buffer + (size_t)i * (size_t)size, size)) return false;
            uint32_t rows = l->height - y < l->block_height ? l->height - y : l->block_height;
            uint32_t columns = l->width - x < l->block_width ? l->width - x : l->block_width;
            for (uint32_t row = 0; row < rows; row++) {
                const uint8_t *plane[4];
                for (int i = 0; i < planes; i++)
                    plane[i] = buffer + (size_t)i * (size_t)size + row * pitch;
                unpack_row(image->rgb + ((size_t)(y + row) * l->width + x) * 3, l, plane, columns);
            }
        }
    }
    return true;
}

static enum vgg_status refuse(const struct client *client, enum vgg_status status, const char *what, char *why)
{
    return vgg_image_why(why, status, "%s: cannot be decoded: %s", client->file->path,
                         client->text[0] ? client->text : what);
}

static enum vgg_status decode_plain(struct vgg_image *image, TIFF *handle, const struct layout *l,
                                    const struct client *client, char *why)
{
    int used = l->photometric == PHOTOMETRIC_RGB         ? (l->associated ? 4 : 3)
               : l->photometric == PHOTOMETRIC_SEPARATED ? 4
                                                         : 1;
    int planes = l->planar == PLANARCONFIG_SEPARATE && l->samples > 1 ? used : 1;
    tmsize_t size = l->tiled ? tiff.tile_size(handle) : tiff.strip_size(handle);
    size_t samples = planes > 1 ? 1 : l->samples;
    uint64_t least = ((uint64_t)l->block_width * l->bits * samples + 7) / 8 * l->block_height;
    if ((uint64_t)l->block_width * l->block_height > VGG_IMAGE_MAX_PIXELS || size < 1 || (uint64_t)size < least)
        return refuse(client, VGG_ERR_UNSUPPORTED, "its strips or tiles are too large", why);
    enum vgg_status status = vgg_image_check_memory(
        l->height, l->width, (int64_t)size * planes + (int64_t)l->height * l->width * 3, client->file, why);
    if (status != VGG_OK) return status;
    uint8_t *buffer = malloc((size_t)size * (size_t)planes);
    if (!buffer) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", client->file->path);
    struct layout plain = *l;
    if (planes == 1) plain.planar = PLANARCONFIG_CONTIG;
    if (planes > 1 && plain.samples > used) plain.samples = (uint16_t)used;
    bool read = read_plain(image, handle, &plain, buffer, size, planes);
    free(buffer);
    return read ? VGG_OK : refuse(client, VGG_ERR_FORMAT, "its data is damaged or cut short", why);
}

static enum vgg_status decode_other(struct vgg_image *image, TIFF *handle, const struct layout *l,
                                    const struct client *client, char *why)
{
    char text[1024] = "";
    if (!tiff.rgba_ok(handle, text))
        return vgg_image_why(why, VGG_ERR_UNSUPPORTED, "%s: is a TIFF that libtiff makes no picture of: %.200s",
                             client->file->path, text);
    size_t count = (size_t)l->width * l->height;
    enum vgg_status status =
        vgg_image_check_memory(l->height, l->width, (int64_t)count * 11, client->file, why); /* of it 4 in libtiff */
    if (status != VGG_OK) return status;
    uint32_t *raster = malloc(count * sizeof *raster);
    if (!raster) return vgg_image_why(why, VGG_ERR_MEMORY, "%s: out of memory for its pixels", client->file->path);
    /* The file's own orientation: the pixels stay as they are stored. */
    bool read = tiff.read_rgba(handle, l->width, l->height, raster, l->orientation, 1);
    for (size_t i = 0; read && i < count; i++) {
        image->rgb[i * 3] = (uint8_t)TIFFGetR(raster[i]);
        image->rgb[i * 3 + 1] = (uint8_t)TIFFGetG(raster[i]);
        image->rgb[i * 3 + 2] = (uint8_t)TIFFGetB(raster[i]);
    }
    free(raster);
    return read ? VGG_OK : refuse(client, VGG_ERR_FORMAT, "its data is damaged or cut short", why);
}

enum vgg_status vgg_tiff_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    struct client client = { .file = file };
    struct layout layout;
    TIFF *handle = open_file(&client);
    if (!handle) return refuse(&client, VGG_ERR_FORMAT, "it is damaged", why);
    read_layout(&layout, handle);
    enum vgg_status status = vgg_image_allocate(image, layout.height, layout.width, file->path, why);
    if (status == VGG_OK)
        status = is_plain(&layout) ? decode_plain(image, handle, &layout, &client, why)
                                   : decode_other(image, handle, &layout, &client, why);
    tiff.close(handle);
    return status;
}
