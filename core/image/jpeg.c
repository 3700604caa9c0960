/* JPEG by libjpeg-turbo, or a library with its interface, as Pillow calls it: exact DCT, smooth upsampling. */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "core/base/library.h"
#include "core/base/os_thread.h"
#include "core/image/decoder.h"
#include "core/image/rows.h"

#define QUOTE_TOKEN(token) #token
#define QUOTE(macro) QUOTE_TOKEN(macro)

static struct {
    struct jpeg_error_mgr *(*std_error)(struct jpeg_error_mgr *);
    void (*create)(j_decompress_ptr, int, size_t);
    void (*destroy)(j_decompress_ptr);
    int (*read_header)(j_decompress_ptr, boolean);
    boolean (*start)(j_decompress_ptr);
    JDIMENSION (*read_scanlines)(j_decompress_ptr, JSAMPARRAY, JDIMENSION);
    boolean (*finish)(j_decompress_ptr);
    boolean (*resync)(j_decompress_ptr, int);
    bool opened;
} jpeg;

static void open_library(void)
{
    const struct vgg_library_entry entries[] = {
        { "jpeg_std_error", &jpeg.std_error },        { "jpeg_CreateDecompress", &jpeg.create },
        { "jpeg_destroy_decompress", &jpeg.destroy }, { "jpeg_read_header", &jpeg.read_header },
        { "jpeg_start_decompress", &jpeg.start },     { "jpeg_read_scanlines", &jpeg.read_scanlines },
        { "jpeg_finish_decompress", &jpeg.finish },   { "jpeg_resync_to_restart", &jpeg.resync },
    };
    jpeg.opened = vgg_library_open(VGG16_JPEG, entries, sizeof entries / sizeof *entries);
}

const char *vgg_jpeg_name(void)
{
    static struct vgg_os_once once = VGG_OS_ONCE_INIT;
    vgg_os_once(&once, open_library);
    if (!jpeg.opened) return NULL;
#ifdef LIBJPEG_TURBO_VERSION
    return "libjpeg-turbo " QUOTE(LIBJPEG_TURBO_VERSION);
#else
    return "libjpeg " QUOTE(JPEG_LIB_VERSION);
#endif
}

/* One decoding. The library's structures lead back to it: `errors` and `source` are their first members. */
struct job {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    int scan_limit;
    struct vgg_image *image;
    struct vgg_rows *rows; /* what rows are fitted by; NULL: all are kept */
    const struct vgg_image_file *file;
    char *why;
    enum vgg_status status;
};

static _Noreturn void give_up(struct job *job, enum vgg_status status)
{
    job->status = status;
    longjmp(job->jump, 1);
}

static void on_error(j_common_ptr info)
{
    struct job *job = info->client_data;
    char text[JMSG_LENGTH_MAX];
    job->errors.format_message(info, text);
    vgg_image_why(job->why, VGG_ERR_FORMAT, "%s: cannot be decoded: %s", job->file->path, text);
    give_up(job, VGG_ERR_FORMAT);
}

/* Warnings are about bytes that decoders pass over: Pillow is silent, too. */
static void on_message(j_common_ptr info, int level)
{
    if (level < 0) info->err->num_warnings++;
}

static void on_output(j_common_ptr info)
{
    (void)info;
}

static void on_begin(j_decompress_ptr info)
{
    (void)info;
}

static _Noreturn void cut_short(j_decompress_ptr info)
{
    struct job *job = info->client_data;
    vgg_image_why(job->why, VGG_ERR_FORMAT, "%s: cannot be decoded: the file is cut short", job->file->path);
    give_up(job, VGG_ERR_FORMAT);
}

static boolean on_empty(j_decompress_ptr info)
{
    cut_short(info);
}

static void on_skip(j_decompress_ptr info, long count)
{
    struct jpeg_source_mgr *source = info->src;
    if (count <= 0) return;
    if ((size_t)count > source->bytes_in_buffer) cut_short(info);
    source->next_input_byte += count;
    source->bytes_in_buffer -= (size_t)count;
}

static void on_progress(j_common_ptr info)
{
    struct job *job = info->client_data;
    if (job->info.input_scan_number <= job->scan_limit) return;
    vgg_image_why(job->why, VGG_ERR_UNSUPPORTED, "%s: has more than %d scans; save it anew", job->file->path,
                  job->scan_limit);
    give_up(job, VGG_ERR_UNSUPPORTED);
}

static void read_rows(struct job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    size_t width = info->output_width, pitch = width * 3;
    JSAMPROW inks = NULL, row = job->image->rgb;
    if (info->output_components == 4) inks = info->mem->alloc_large((j_common_ptr)info, JPOOL_IMAGE, width * 4);
    if (job->rows) row = info->mem->alloc_large((j_common_ptr)info, JPOOL_IMAGE, pitch);
    while (info->output_scanline < info->output_height) {
        /* Grey is read into the last third of its row, and spread from the left. */
        JSAMPROW read = inks ? inks : info->output_components == 1 ? row + width * 2 : row;
        jpeg.read_scanlines(info, &read, 1);
        if (inks) {
            for (size_t i = 0; i < width * 4; i++)
                inks[i] = (JSAMPLE)(255 - inks[i]); /* as Adobe writes them, marked or not */
            vgg_image_from_inks(row, inks, width);
        } else if (info->output_components == 1) {
            for (size_t i = 0; i < width; i++)
                memset(row + i * 3, read[i], 3);
        }
        if (job->rows) {
            vgg_rows_push(job->rows, row);
        } else {
            row += pitch;
        }
    }
}

/* Makes each row part of what the image is fitted to, as it comes. */
static enum vgg_status begin_rows(struct job *job)
{
    const struct jpeg_decompress_struct *info = &job->info;
    const struct vgg_image_file *file = job->file;
    int height = (int)info->image_height, width = (int)info->image_width;
    bool turned = file->orientation >= 5;
    struct vgg_image_options fit = *file->fit;
    struct vgg_resize_window window;
    vgg_image_resolve(&fit);
    vgg_resize_window(&window, turned ? width : height, turned ? height : width, fit.height, fit.width, fit.crop);
    enum vgg_status status = vgg_image_check_extents(height, width, file->path, job->why);
    if (status == VGG_OK) status = vgg_image_allocate(job->image, fit.height, fit.width, file->path, job->why);
    if (status != VGG_OK) return status;
    job->image->fitted = true;
    if (vgg_rows_begin(&job->rows, job->image->rgb, &window, (int)info->output_height, (int)info->output_width,
                       file->orientation, fit.resize) == VGG_OK)
        return VGG_OK;
    return vgg_image_why(job->why, VGG_ERR_MEMORY, "%s: out of memory for resizing", file->path);
}

/* What may be left by a jump; the caller destroys. */
static void run(struct job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    if (setjmp(job->jump)) return;
    jpeg.create(info, JPEG_LIB_VERSION, sizeof *info);
    info->client_data = job;
    info->src = &job->source;
    info->progress = &job->progress;
    jpeg.read_header(info, TRUE);
    info->dct_method = JDCT_ISLOW;
    info->do_fancy_upsampling = TRUE;
    info->out_color_space = info->num_components == 1 ? JCS_GRAYSCALE : info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    int by = vgg_image_reduction(job->file, (int)info->image_height, (int)info->image_width);
    info->scale_num = 1, info->scale_denom = (unsigned)by;
    job->scan_limit = vgg_jpeg_scan_limit((int64_t)info->image_width * info->image_height);
    jpeg.start(info);
    enum vgg_status status = job->file->fitted ? begin_rows(job)
                                               : vgg_image_allocate(job->image, info->output_height, info->output_width,
                                                                    job->file->path, job->why);
    if (status != VGG_OK) give_up(job, status);
    if (by > 1 && !job->file->fitted) {
        job->image->full_height = (int)info->image_height;
        job->image->full_width = (int)info->image_width;
    }
    read_rows(job);
    jpeg.finish(info);
    job->status = VGG_OK;
}

enum vgg_status vgg_jpeg_decode(struct vgg_image *image, const struct vgg_image_file *file, char why[VGG_IMAGE_WHY])
{
    enum vgg_status status = vgg_jpeg_check(&file->jpeg, file->path, why);
    if (status != VGG_OK) return status;
    struct job job = { .image = image, .file = file, .why = why, .status = VGG_ERR_FORMAT };
    job.source = (struct jpeg_source_mgr) {
        .next_input_byte = file->bytes,
        .bytes_in_buffer = file->size,
        .init_source = on_begin,
        .fill_input_buffer = on_empty,
        .skip_input_data = on_skip,
        .resync_to_restart = jpeg.resync,
        .term_source = on_begin,
    };
    job.progress.progress_monitor = on_progress;
    job.info.client_data = &job; /* jpeg_CreateDecompress keeps it and `err` */
    job.info.err = jpeg.std_error(&job.errors);
    job.errors.error_exit = on_error;
    job.errors.emit_message = on_message;
    job.errors.output_message = on_output;
    run(&job);
    vgg_rows_end(job.rows);
    jpeg.destroy(&job.info);
    return job.status;
}
