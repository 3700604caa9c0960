/* vgg16.h: the public interface of libvgg16, VGG networks for feature extraction and fine-tuning.
 *
 * Conventions of this header
 *   - Images and activations are fp32 in NHWC order: index ((n * h + y) * w + x) * c + channel.
 *   - Every function that can fail returns enum vgg_status. Results come back through the first argument `out`,
 *     which is NULL after a failure. The cause of a failure has then been logged once at VGG_LOG_ERROR as one line
 *     that names what is wrong, where, and what to do.
 *   - Option structures start from zero (`= { 0 }`): zero or NULL always means the documented default.
 *   - Objects belong to the caller and are released by the matching *_destroy, which accepts NULL. Strings and arrays
 *     returned by an object live as long as that object.
 *   - Threads: distinct objects may be used from distinct threads; one engine, and everything made with it, is used by
 *     one thread at a time. vgg_log_set is the only process-wide state. The library never calls exit or abort; OpenMP's
 *     runtime would where a thread cannot be started, so the CPU's are when an engine is created (fewer, with a
 * warning, where the system has no more), for the thread that creates it: that one should use it too, and no forked
 * child.
 */
#ifndef VGG16_H
#define VGG16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__ELF__) || defined(__MACH__) /* a DLL has a list of what it shows */
#define VGG_API __attribute__((visibility("default")))
#else
#define VGG_API
#endif

/* ---- status and log ------------------------------------------------------------------------------------------- */

enum vgg_status {
    VGG_OK = 0,
    VGG_ERR_ARGUMENT,    /* an argument or option is wrong or contradicts another one */
    VGG_ERR_MEMORY,      /* memory ran out, or a limit asked for cannot be kept */
    VGG_ERR_IO,          /* a file cannot be opened, read or written */
    VGG_ERR_FORMAT,      /* a file's content is not what it must be */
    VGG_ERR_MISSING,     /* something needed is absent: a tensor, a layer, a class, a device */
    VGG_ERR_UNSUPPORTED, /* valid, but this build or device cannot do it */
    VGG_ERR_DEVICE,      /* a device reported an error */
    VGG_ERR_DEVICE_LOST, /* a device is gone; everything on it must be made anew */
    VGG_ERR_NUMERIC,     /* a loss or a parameter is no longer finite */
    VGG_INTERRUPTED,     /* a progress callback asked to stop; what was asked to be saved is saved */
};

/* A short English description, never NULL. */
VGG_API const char *vgg_status_text(enum vgg_status status);

enum vgg_log_level { VGG_LOG_ERROR, VGG_LOG_WARNING, VGG_LOG_INFO, VGG_LOG_DEBUG };

/* Receives one line without a newline. May be called from any thread that is inside a library call, one at a time; may
 * itself call the library, but not wait for another thread that may be inside it. */
typedef void vgg_log_fn(void *user, enum vgg_log_level level, const char *line);

/* Sends lines of at most `level` to fn; NULL sends them to stderr (the default, at VGG_LOG_WARNING). */
VGG_API void vgg_log_set(vgg_log_fn *fn, void *user, enum vgg_log_level level);

/* Files of weights, models and checkpoints are mapped while a call reads them. One that another process cuts short
 * meanwhile raises SIGBUS, as any mapped file does, and this library handles no signals. A program may, and learn here
 * which file holds the address of the fault; NULL: none. Callable in a handler of signals; the string is valid until
 * the interrupted call goes on. Data sets are not mapped: reading one that is cut short is an ordinary failure. */
VGG_API const char *vgg_mapped_file(const void *address);

/* "MAJOR.MINOR.PATCH" of the library that runs. */
VGG_API const char *vgg_version(void);
/* What reads and writes zip archives (.pth, .keras): "minizip", or "none: " and why. */
VGG_API const char *vgg_zip_library(void);
/* The libraries that write HDF5 files, download and compute checksums, "libcurl.so.4", or "none: " and why. They are
 * opened when they are first needed, and not here. */
VGG_API const char *vgg_h5_library(void);
VGG_API const char *vgg_pull_library(void);
VGG_API const char *vgg_digest_library(void);
/* What computes exponentials and logarithms on the CPU: "SLEEF 3.5.1", or "the C library". */
VGG_API const char *vgg_math_library(void);

/* What long work reports; `done` of `total` items (0 = unknown) of `phase`, after each batch or step. */
struct vgg_progress {
    /* "check", "features", "train", "validate", "evaluate", "explain", "quantize", "merge", "download" */
    const char *phase;
    const char *unit; /* "images", "steps", "bytes" */
    uint64_t done, total;
    int epoch, epochs;     /* train and validate: 1-based, else 0 */
    double loss, accuracy; /* running means of the epoch in train and validate, else NAN */
};

/* Returns false to stop: the call then returns VGG_INTERRUPTED after the current step. */
typedef bool vgg_progress_fn(void *user, const struct vgg_progress *progress);

/* ---- engine: one opened backend on one device ------------------------------------------------------------------ */

struct vgg_device_info {
    char backend[16]; /* "cpu" or "vulkan" */
    char name[128];   /* marketing name of the processor or GPU */
    char type[16];    /* "cpu", "discrete", "integrated", "virtual", "other" */
    /* Driver and version; CPU: the ISA levels found, best last, of an engine up to the one that it uses. */
    char driver[128];
    char uuid[40];       /* Vulkan: 32 hex digits, else "" */
    uint64_t memory;     /* bytes usable by this device */
    uint64_t allocation; /* Vulkan: bytes that it gives at once, the most that one arena may take; else 0 */
    /* Vulkan: of one allocation, one binding and one workgroup, in words; CPU: what a container allows of the machine's
     * processors and memory, else "". */
    char limits[160];
    int threads;      /* CPU: threads used by default, else 0 */
    int index;        /* position in the list, as vgg_device_find takes it */
    bool chosen;      /* what "auto" takes; of an engine: what it took by itself, nothing being asked for */
    char reason[128]; /* why, or why not */
};

/* Lists every device of every backend. *out is released with free(). */
VGG_API enum vgg_status vgg_device_list(struct vgg_device_info **out, size_t *count);

/* The device that `device` names, among those of `backend` ("cpu", "vulkan"; NULL or "auto": of all), without opening
 * it. A name is one of
 *   a number: the device's index in the list, or, where backend is given, its number among those of the backend,
 *   cpu, or cpu:LEVEL with the highest instruction set level allowed ("cpu:avx2"),
 *   vulkan:NUMBER among the Vulkan devices, vulkan:PART and vulkan:UUID, or vulkan, the best of them,
 *   part of one device's name in any case, or a whole name (which comes first), or a UUID.
 * NULL: the best. Whether the CPU has LEVEL shows when it is opened. No driver is loaded where the CPU alone is asked
 * for. VGG_ERR_MISSING, with what there is, when nothing has the name; VGG_ERR_ARGUMENT, with the candidates, when it
 * is part of several, and when it contradicts `backend`. */
VGG_API enum vgg_status vgg_device_find(struct vgg_device_info *out, const char *device, const char *backend);

struct vgg_ranks; /* vgg16_ranks.h */

struct vgg_engine_options {
    /* NULL: this process alone; see vgg_ranks_join. The ranks of one machine divide its processors (unless `threads`
     * or OMP_NUM_THREADS is given) and its GPUs (unless `device` is); ranks whose results could differ are refused. */
    struct vgg_ranks *ranks;
    /* "auto" (the best device that computes in `precision`; VGG_ERR_MISSING where fp16 finds no GPU), "cpu" (no driver
     * of another device is loaded), "vulkan"; NULL: auto. */
    const char *backend;
    const char *device; /* as vgg_device_find takes it; NULL: the backend's first choice */
    /* CPU: "auto" or the highest level allowed: "scalar", "avx2", "avx512", "neon"; not another than `device` says. */
    const char *isa;
    /* How 3x3 convolutions are computed: "auto" (the faster one for each layer), "direct", "winograd" (or "winograd2",
     * "winograd4", "winograd6": of that tile; Vulkan: as auto); NULL: auto. */
    const char *conv;
    /* CPU: 0 = OMP_NUM_THREADS, else one for each processor this process may use by its affinity and its container's
     * quota (cgroup v1 and v2), rounded up. */
    int threads;
    /* Bytes that arenas may take together; 0: what the device has, within the container's limit. Forward passes are
     * split to stay below, which changes no bit; a training step that cannot be is VGG_ERR_MEMORY. On Vulkan what is
     * left of it may hold kernels in the form that convolutions compute with. */
    uint64_t memory;
    /* Of the operands of convolutions and dense layers: "fp32", "bf16", "fp16", "int8"; NULL: fp32. bf16, forward
     * alone: inputs and weights are rounded to 8 significant bits (to the nearest, ties to even), sums stay fp32,
     * convolutions are direct. A sum of products changes by at most (2^-8 + 2^-16) sum |x w|, features by about 0.6 %
     * of the largest (measured at block5_pool and, with ImageNet's weights, at block3_pool). CPU only: by
     * AMX, faster than fp32; by dot products (AVX512_BF16), slower, with a warning; isa "scalar" computes the same
     * slowly on every CPU; VGG_ERR_UNSUPPORTED elsewhere and by vgg_train.
     *
     * fp16, forward and backward: both factors of every product are rounded to 11 significant bits (to the nearest,
     * ties to even; below 2^-14 to a multiple of 2^-24, above 65504 to that unless infinite, but gradients from 65520
     * on to an infinity), products are exact, sums fp32; convolutions are direct. What they hand to each other is
     * stored rounded like that, and so are the gradients of their outputs: activations take about half the memory. A
     * sum of products changes by at most (2^-10 + 2^-22) sum |a b| + 2^-25 sum (|a| + |b|), features by less than 0.1 %
     * of the largest (measured at block5_pool). Vulkan only: on matrix cores with fragments of fp16 and sums of fp32
     * (VK_KHR_cooperative_matrix), which are compared with fp32 arithmetic once for each driver; elsewhere by fp32
     * arithmetic on the same rounded operands, which is slower than fp32.
     *
     * int8, forward alone: what convolutions hand to each other is bytes, and their products are of bytes, by the
     * scales of vgg_quantize, by Winograd's algorithm unless these or `conv` say direct; the first convolution, dense
     * layers and poolings stay fp32. Features change by about 1 % (measured: README). CPU only, every level;
     * VGG_ERR_UNSUPPORTED elsewhere, by vgg_train and vgg_explain_create. */
    const char *precision;
};

struct vgg_engine;
VGG_API enum vgg_status vgg_engine_create(struct vgg_engine **out, const struct vgg_engine_options *options);
VGG_API void vgg_engine_destroy(struct vgg_engine *engine);
VGG_API const struct vgg_device_info *vgg_engine_device(const struct vgg_engine *engine);

/* ---- images and data sets -------------------------------------------------------------------------------------- */

/* How 0..255 RGB becomes network input. DEFAULT: what the weights want.
 * Source: Keras imagenet_utils.preprocess_input (caffe), torchvision.models.VGG16_Weights (torch). */
enum vgg_preprocess {
    VGG_PREPROCESS_DEFAULT,
    VGG_PREPROCESS_CAFFE,   /* BGR minus (103.939, 116.779, 123.68) */
    VGG_PREPROCESS_TORCH,   /* RGB / 255, minus (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225) */
    VGG_PREPROCESS_RESCALE, /* RGB / 255 */
    VGG_PREPROCESS_NONE,    /* RGB as 0..255 */
};

/* NEAREST gives Pillow's bytes; BILINEAR and LANCZOS are antialiased as Pillow's, within 1 level of 255. DEFAULT:
 * nearest, as Keras' flow_from_directory, but bilinear with CROP_CENTER, as torchvision. */
enum vgg_resize { VGG_RESIZE_DEFAULT, VGG_RESIZE_NEAREST, VGG_RESIZE_BILINEAR, VGG_RESIZE_LANCZOS };

/* CROP_NONE stretches to the target. CROP_CENTER scales the shorter side to 256/224 of the target's, then cuts the
 * middle out (torchvision's evaluation transform). */
enum vgg_crop { VGG_CROP_DEFAULT /* none */, VGG_CROP_NONE, VGG_CROP_CENTER };

/* EXACT gives all pixels of a JPEG as Pillow does. FAST decodes it at 1/2, 1/4 or 1/8 of its size, the smallest that is
 * not below what it is then resized to, by a smaller DCT (Pillow's Image.draft): in less time, and a little smoother.
 * Other files, JPEGs without libjpeg, and those that random crops are cut from, are decoded whole. */
enum vgg_decode { VGG_DECODE_DEFAULT /* exact */, VGG_DECODE_EXACT, VGG_DECODE_FAST };

/* What is left at DEFAULT is the model's: what it was trained with, as far as it remembers. */
struct vgg_image_options {
    int height, width; /* pixels; 0: the model's input size */
    enum vgg_preprocess preprocess;
    enum vgg_resize resize;
    enum vgg_crop crop;
    enum vgg_decode decode;
    bool skip_bad; /* count, list (as warnings) and leave out unreadable images instead of failing */
};

enum vgg_pooling { VGG_POOLING_NONE, VGG_POOLING_AVG, VGG_POOLING_MAX };

/* Whose values vgg_name names. PRECISION: 0 is fp32. ARCH: the networks, 1 is the shallowest. TOP: the layers with
 * weights of ImageNet's classifier, 0 is the lowest. */
enum vgg_names {
    VGG_NAMES_PREPROCESS,
    VGG_NAMES_RESIZE,
    VGG_NAMES_CROP,
    VGG_NAMES_POOLING,
    VGG_NAMES_OPTIMIZER,
    VGG_NAMES_PRECISION,
    VGG_NAMES_COLOURS,
    VGG_NAMES_ARCH,
    VGG_NAMES_TOP,
    VGG_NAMES_DECODE,
    VGG_NAMES_SCHEDULE,
    VGG_NAMES_CONV,
};
/* The word for a value, as options and files have it: "caffe" for (VGG_NAMES_PREPROCESS, VGG_PREPROCESS_CAFFE),
 * "default" for the DEFAULTs and for no network; NULL beyond the last value. */
VGG_API const char *vgg_name(enum vgg_names names, int value);

/* Which of several words a mistyped one was meant for. */
struct vgg_nearest {
    const char *text; /* what was typed; set by the caller */
    const char *name; /* the nearest so far; NULL at first, and while none is near */
    size_t distance;  /* letters inserted, deleted, replaced, or swapped with their neighbour */
    char hint[80];    /* what vgg_nearest_hint returns */
};
/* Looks at one more word, which must outlive `nearest`. One that differs in more than a third of the letters (in more
 * than one of a short text) is no slip of the fingers. Source: optimal string alignment distance, L. Boytsov,
 * "Indexing methods for approximate dictionary searching", ACM JEA 16, 2011, 2.2. */
VGG_API void vgg_nearest_try(struct vgg_nearest *nearest, const char *candidate);
/* "; did you mean NAME?", to end a message; "" where no word is near. `before` stands before the name: "--" for
 * options. Valid as long as `nearest`. */
VGG_API const char *vgg_nearest_hint(struct vgg_nearest *nearest, const char *before);

/* Random changes of training images, one affine map an image, nearest pixel at the border (Keras fill_mode "nearest").
 * Source of the ranges' meaning: keras.preprocessing.image.ImageDataGenerator. */
struct vgg_augment_options {
    float rotate;       /* degrees: uniform in [-rotate, rotate] */
    float shift_height; /* fraction of the height: uniform in [-s, s] */
    float shift_width;
    float shear; /* degrees, uniform in [-shear, shear] */
    float zoom;  /* each axis uniform in [1 - zoom, 1 + zoom], 0 <= zoom < 1 */
    bool flip;   /* left-right with probability 1/2 */
    bool vflip;  /* upside down with probability 1/2 */
    /* A part of the image itself, stretched to the input: area uniform in [crop, 1] of it, 0 < crop <= 1, aspect ratio
     * in [3/4, 4/3], as torchvision's RandomResizedCrop; takes the place of vgg_crop; 0: none. */
    float crop;
    /* Colours after all that, each times a factor uniform in [1 - b, 1 + b], in this order, 0 <= b <= 1: torchvision's
     * ColorJitter, whose order is random. */
    float brightness, contrast, saturation;
};

/* Decodes one JPEG, PNG, BMP, GIF (its first frame), WebP (an animation's first frame) or TIFF (its first page) file
 * into x: height * width * 3 floats, resized and preprocessed as `options` says; height and width must be given,
 * DEFAULT preprocessing means caffe. What the file holds decides, not its name; EXIF orientation is honoured. Grey
 * becomes three equal channels, alpha is dropped, of 16-bit samples the high byte is kept, CMYK is converted without
 * colour profiles. At most 32,768 pixels a side and 100 million in all; larger and cut files are refused with
 * VGG_ERR_UNSUPPORTED or VGG_ERR_FORMAT, damaged ones where their decoder finds it. JPEG has Pillow's pixels where
 * libjpeg-turbo decodes it. */
VGG_API enum vgg_status vgg_image_load(float *x, const char *path, const struct vgg_image_options *options);
/* What decodes images here, with versions and formats, and what this build or machine lacks: "libjpeg-turbo 2.1.5
 * (JPEG), libwebp 1.2.4 (WebP), stb_image 2.27 (PNG, BMP, GIF); without TIFF". libjpeg, libwebp and libtiff are opened
 * when they are first needed, here or by an image. */
VGG_API const char *vgg_image_decoders(void);

struct vgg_data;

/* Opens a data set; `source` is one of
 *   a folder with one subfolder per class (classes numbered in byte order of their names),
 *   a folder of images, one image, or a text file (.txt) of image paths, one a line: no labels,
 *   a table .csv with rows of an image's path and its label; a first row whose path is no name of an image is a header,
 *   an array file .safetensors with `x` (N,H,W,3 float32 or uint8; or N,... features) and optionally `y` (N, int64),
 *   idx:IMAGES[,LABELS], MNIST's format, gzip or not; grey becomes three equal channels.
 * Images are files named .jpg, .jpeg, .jfif, .jpe, .jfi (all JPEG), .png, .bmp, .gif, .webp, .tif or .tiff, in any
 * case, not hidden. Those in folders below a class folder belong to the class, ordered by folder, then by name; links
 * to folders are followed, but no folder is entered twice, nor that of the data set or of another class, which a
 * warning tells. A table's labels are names, and its classes are numbered in their byte order; fields may stand in
 * quotes. An image that has two labels in it is refused with both lines; one that is listed again under its label
 * counts again, which a warning tells. What is wrong with an image is told with its line in the list or table. What
 * else a folder holds is left out, with one warning for each class that counts it by kind: other suffixes
 * (.heic, .avif, ...), names without one, images beside class folders. Hidden names are not counted. Companions alone
 * are no reason to warn: texts and tables (.txt .md .html .json .csv .xml .yaml ...), settings and sidecars (.ini .db
 * .xmp .aae ...), scripts, README, LICENSE. At most ten classes have a line of their own, all others share one. The
 * parent of train/ and validation/ is refused by name. Class names that are no UTF-8 are written with escapes
 * (caf\xE9). A list or table may begin with a byte order mark and end its lines as Windows does; its paths may have any
 * suffix and are relative to its folder. A source with labels may end in options: ?classes=0,3,5 keeps these classes,
 * numbered anew in their order, with their names, ?per_class=20 keeps the first 20 items of each class; both are joined
 * by &: ?classes=0,3&per_class=20. Opening lists names and checks shapes; images are decoded when they are used. */
VGG_API enum vgg_status vgg_data_open(struct vgg_data **out, const char *source);
/* A data set without labels, for what needs none: image files, whatever their suffix, and folders, of which all images
 * are taken that lie in them or below, by folder, then by name; what else they hold is left out with one warning
 * a folder. A single path may also be any other source that vgg_data_open takes, whose labels are passed over; rows
 * of a .csv may have none, or several. The paths are copied. */
VGG_API enum vgg_status vgg_data_open_images(struct vgg_data **out, const char *const *paths, size_t count);
/* Takes a reproducible, class-balanced fraction (0 < fraction < 1) of `data` into *held_out; *rest keeps the others.
 * `data` stays open and must outlive both. */
VGG_API enum vgg_status vgg_data_split(struct vgg_data **rest, struct vgg_data **held_out, const struct vgg_data *data,
                                       double fraction, uint64_t seed);
VGG_API void vgg_data_destroy(struct vgg_data *data);
/* Does the data hold feature maps instead of images? Then their shape; a vector is 1 x 1 x channels. */
VGG_API bool vgg_data_features(const struct vgg_data *data, int *height, int *width, int *channels);
VGG_API size_t vgg_data_count(const struct vgg_data *data);
VGG_API int vgg_data_class_count(const struct vgg_data *data); /* 0: no labels */
VGG_API const char *vgg_data_class_name(const struct vgg_data *data, int label);
VGG_API int vgg_data_label(const struct vgg_data *data, size_t index); /* -1: no labels */
/* As messages and files show it: control characters and bytes that are no UTF-8 as \n or \xE9. "FILE#3" in arrays. */
VGG_API const char *vgg_data_path(const struct vgg_data *data, size_t index);

/* How features were made, as their file records it (see vgg_features_extract). Training and evaluation compare what
 * stands before `weights` with the model, with the options and with other features; the rest is told only. */
struct vgg_origin {
    const char *digest; /* vgg_model_digest up to `layer` */
    const char *arch, *layer;
    enum vgg_pooling pooling;
    int height, width;              /* of the network's input */
    enum vgg_preprocess preprocess; /* these four as they were used, never DEFAULT */
    enum vgg_resize resize;
    enum vgg_crop crop;
    enum vgg_decode decode; /* exact where the record is older than the choice */
    const char *weights;    /* as they were named: a file, "imagenet", "starter", "random" */
    const char *source;     /* the file that this was then, or "random" */
    const char *decoder;    /* what made pixels of the images: vgg_image_decoders; "array": they were pixels already */
    const char *precision;  /* of the computation, as the engine's */
    const char *version;    /* of the library */
};
/* NULL: images, or features without a record, such as arrays that another program wrote. */
VGG_API const struct vgg_origin *vgg_data_origin(const struct vgg_data *data);

/* ---- models ---------------------------------------------------------------------------------------------------- */

struct vgg_model_options {
    /* "vgg11", "vgg13", "vgg16", "vgg19"; NULL: what the weights hold, else vgg16. Deeper than the weights' own: the
     * convolutions that they lack start as the identity. */
    const char *arch;
    /* A file, a folder of checkpoints, "imagenet", "starter", "random"; NULL: imagenet if it is here, else starter. The
     * starter weights are a small model trained on CIFAR-10 at 32x32, installed with the library; the environment
     * variable VGG16_STARTER names another place of their file. */
    const char *weights;
    /* NULL: no head; "top": fc1, fc2, predictions; or layers on top of block5_pool:
     * "flatten,dense:256:relu,dropout:0.5,dense:1:sigmoid", "gap,dense:10:softmax", "gmp,...". */
    const char *head;
    int height, width; /* input size, 32 or more; 0: what the weights' file says they were trained at, else 224 */
    const char *last;  /* layer up to which weights must be there; NULL: all. Layers above it are left out. */
    enum vgg_preprocess preprocess;
    uint64_t seed; /* of random weights: He normal for convolutions, Glorot uniform for dense layers, zero biases */
};

struct vgg_model;
VGG_API enum vgg_status vgg_model_create(struct vgg_model **out, const struct vgg_model_options *options);
/* Reads what vgg_model_save wrote, or a checkpoint of vgg_train: as it would have been saved then. A folder of
 * checkpoints is its newest whole one. "starter" is the starter weights with their head of ten classes. */
VGG_API enum vgg_status vgg_model_load(struct vgg_model **out, const char *path);
/* What options->weights names: a model, as vgg_model_load reads it, whatever else the options say; or weights, as
 * vgg_model_create takes them. */
VGG_API enum vgg_status vgg_model_open(struct vgg_model **out, const struct vgg_model_options *options);
/* Writes a safetensors file: tensors with Keras names and layouts, metadata with architecture, head, class names, input
 * size, preprocessing, name of the weights' file without its folder and, after a training, vgg_model_digest of the base
 * that it began with and how its images were resized, cropped and, where fast, decoded. Written aside, synced, renamed.
 */
VGG_API enum vgg_status vgg_model_save(const struct vgg_model *model, const char *path);
/* What a weight file, a model or a checkpoint holds, as a model: with its own head where it has one, as
 * vgg_model_import takes it. */
VGG_API enum vgg_status vgg_model_of_file(struct vgg_model **out, const char *path);
/* A classifier that another program trained, as a model: `options->weights` is its file; the dense layers in it become
 * the head. NULL `head`: what a model or a whole model of Keras says of itself, "top" of an ImageNet classifier, else
 * what their shapes suggest (gap or flatten, ReLU, sigmoid of one unit or softmax), which a warning tells. Head and
 * size that contradict what the file says of itself are a VGG_ERR_ARGUMENT. Without a size: the metadata's, or what a
 * square map of the first dense layer's inputs comes from. `classes`: `count` names in the order of the outputs, or
 * NULL. */
VGG_API enum vgg_status vgg_model_import(struct vgg_model **out, const struct vgg_model_options *options,
                                         const char *const *classes, int count);
VGG_API void vgg_model_destroy(struct vgg_model *model);

struct vgg_layer_info {
    const char *name;            /* Keras' name: "block1_conv1", ..., "flatten", "dense_1" */
    const char *kind;            /* "conv", "maxpool", "flatten", "avgpool", "gmaxpool", "dense", "dropout" */
    int height, width, channels; /* of the output; dense: 1, 1, units */
    uint64_t parameters;
    uint64_t flops; /* forward, one image, a multiplication and an addition count as two */
};
VGG_API int vgg_model_layer_count(const struct vgg_model *model);
VGG_API enum vgg_status vgg_model_layer(const struct vgg_model *model, int index, struct vgg_layer_info *info);
VGG_API int vgg_model_layer_find(const struct vgg_model *model, const char *name); /* -1: none of that name */
VGG_API const char *vgg_model_arch(const struct vgg_model *model);
VGG_API const char *vgg_model_weights(const struct vgg_model *model); /* where the weights came from, in words */
VGG_API void vgg_model_input(const struct vgg_model *model, int *height, int *width, enum vgg_preprocess *preprocess);
/* SHA-256, in lower-case hex, of the parameters that decide the output of layer `index`: the kernel (in vgg_model_get's
 * order) and the bias of each layer from the first to that one, as little-endian fp32. */
VGG_API enum vgg_status vgg_model_digest(const struct vgg_model *model, int index, char digest[65]);
VGG_API int vgg_model_class_count(const struct vgg_model *model); /* 0: no head that classifies */
VGG_API const char *vgg_model_class_name(const struct vgg_model *model, int label);
/* The class of that name, else of that number; -1: there is none. */
VGG_API int vgg_model_class_find(const struct vgg_model *model, const char *name);
/* Control characters and bytes that are no UTF-8 become escapes, as in vgg_data_path; also in names that a file has. */
VGG_API enum vgg_status vgg_model_set_class_names(struct vgg_model *model, const char *const *names, int count);
/* The first layer that `what` would train: "head", "all" or a layer or block name ("block5", "block5_conv1"): that one
 * and all above. -1: no such layer. */
VGG_API int vgg_model_trainable(const struct vgg_model *model, const char *what);
/* Host copies of one parameter tensor: kernel of a convolution (3,3,in,out), of a dense layer (in,out), or bias (out).
 */
VGG_API enum vgg_status vgg_model_get(const struct vgg_model *model, int layer, bool bias, float *values, size_t count);
VGG_API enum vgg_status vgg_model_set(struct vgg_model *model, int layer, bool bias, const float *values, size_t count);

/* ---- features -------------------------------------------------------------------------------------------------- */

struct vgg_features_options {
    const char *layer; /* NULL: block5_pool */
    enum vgg_pooling pooling;
    int batch; /* images at once; 0: 32, less where memory does not allow it */
};

struct vgg_features;
/* Prepares the forward pass of `model` (which must outlive it) up to one layer. */
VGG_API enum vgg_status vgg_features_create(struct vgg_features **out, struct vgg_engine *engine,
                                            const struct vgg_model *model, const struct vgg_features_options *options);
VGG_API void vgg_features_destroy(struct vgg_features *features);
/* For a program that wants nothing of `model` but these features, which were made of it: its parameters leave the
 * host's memory as soon as the first pass does without them. Outputs and the record of how they were made stay the
 * same; what asks for the parameters afterwards is VGG_ERR_ARGUMENT: vgg_model_get, vgg_model_set, vgg_model_digest,
 * saving, and whatever makes another network. */
VGG_API void vgg_features_release(struct vgg_features *features, struct vgg_model *model);
VGG_API void vgg_features_shape(const struct vgg_features *features, int *height, int *width, int *channels);
/* x: count preprocessed images, NHWC at the model's input size; y: count feature maps. Any count. */
VGG_API enum vgg_status vgg_features_run(struct vgg_features *features, float *y, const float *x, size_t count);
/* Features of a whole data set into a file; the extension decides: .npy (X.npy has X.labels.npy and X.paths.txt beside
 * it), .h5, .safetensors, .csv. How they were made is recorded with them: the members of struct vgg_origin as texts,
 * and "format", in the metadata of .safetensors, as attributes of .h5, as a JSON object in X.npy.json and X.csv.json
 * beside the other two. Decoding of batch N+1 overlaps the computation of batch N. */
VGG_API enum vgg_status vgg_features_extract(struct vgg_features *features, const char *output,
                                             const struct vgg_data *data, const struct vgg_image_options *images,
                                             vgg_progress_fn *progress, void *user);

/* ---- int8 ------------------------------------------------------------------------------------------------------ */

struct vgg_quantize_options {
    struct vgg_image_options images;
    const char *layer; /* the last that will run; NULL: all of the model */
    int count;         /* images taken, evenly over the data; 0: 256 */
    bool direct; /* closer to fp32 than Winograd's algorithm, with 2.25 times its products; kept with the scales */
    vgg_progress_fn *progress;
    void *user;
};

/* A convolution in int8 against itself in fp32. */
struct vgg_quantized_layer {
    char name[32];
    float step;   /* of its output in bytes; 0: it stays fp32 */
    double error; /* |int8 - fp32| / |fp32| of its maps after all layers below, after its pool; norms over all values */
};

/* What vgg_quantize found. */
struct vgg_quantized {
    size_t images; /* that the scales were found with */
    size_t tried;  /* that the following were measured with */
    struct vgg_quantized_layer *layer;
    size_t layers;
    double features;                   /* the same error of the last convolution's output averaged over its map */
    double outputs;                    /* of what the last layer gives */
    double agree;                      /* share of images with the same class; NAN without classes */
    double seconds_fp32, seconds_int8; /* of a forward pass of one image: the least of some */
    uint64_t activations_fp32, activations_int8; /* bytes for one image */
};

/* Finds the scales of int8 for `model`, which then holds them, and saves and loads them with its parameters; those that
 * it had are replaced. The engine must compute in int8. Images go through the network in fp32; the step of each
 * convolution's output and, unless it is direct, the clips of its input as Winograd's algorithm transforms it are those
 * of least squared error over what was seen; the same data gives the same scales on any number of threads. *out (NULL:
 * not wanted): how far int8 then is from fp32 on up to 32 images. Without scales a pass in int8 finds its own with its
 * first 32 images, for itself alone, and warns. Fewer than 8 are warned of. Scales are dropped when convolutions train
 * or are set. */
VGG_API enum vgg_status vgg_quantize(struct vgg_quantized **out, struct vgg_engine *engine, struct vgg_model *model,
                                     const struct vgg_data *data, const struct vgg_quantize_options *options);
VGG_API void vgg_quantized_destroy(struct vgg_quantized *quantized);
/* Images that the model's scales of int8 were found with; 0: it has none. */
VGG_API int vgg_model_quantized(const struct vgg_model *model);

/* How numbers become colours, 0 first. VIRIDIS (dark blue to yellow) and INFERNO (black, red, yellow) grow steadily in
 * lightness: they can be read by the colour-blind and in grey. JET is the rainbow of older papers. */
enum vgg_colours { VGG_COLOURS_VIRIDIS, VGG_COLOURS_INFERNO, VGG_COLOURS_JET, VGG_COLOURS_GREY };

/* A sheet of activations as the PNG file `path`: for each image a row with the image (as it goes into the network) and
 * its `channels` strongest channels of the layer (0: 24 for one image, 8 for several; fewer where the layer has fewer),
 * ordered by their mean over the map, the largest first; each tile runs from 0 to its own largest value (negative
 * values count as 0). `features` must have maps: a layer of the base, without pooling. strongest (may be NULL) gets the
 * channels' numbers, row by row, -1 where there is no more. Source: F. Chollet, "Deep Learning with Python", 2017, 5.4,
 * visualising intermediate activations. */
VGG_API enum vgg_status vgg_features_picture(struct vgg_features *features, const char *path,
                                             const struct vgg_data *data, const struct vgg_image_options *images,
                                             enum vgg_colours colours, int channels, int *strongest);

/* ---- explanations ---------------------------------------------------------------------------------------------- */

struct vgg_explain;
/* Prepares Grad-CAM at one layer of the base (NULL: its last convolution) of `model`, which must outlive it: where in
 * an image stands what speaks for a class. The map is max(0, sum over k of a[k] A[k]): A the layer's output after its
 * ReLU, a[k] the mean over the map of the gradient of the class's score with respect to A[k]. The score is the number
 * before softmax; of one sigmoid unit, the number before it for class 1 and its negative for class 0. Source: Selvaraju
 * et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization", ICCV 2017. */
VGG_API enum vgg_status vgg_explain_create(struct vgg_explain **out, struct vgg_engine *engine,
                                           const struct vgg_model *model, const char *layer);
VGG_API void vgg_explain_destroy(struct vgg_explain *explain);
VGG_API void vgg_explain_shape(const struct vgg_explain *explain, int *height, int *width); /* of the map */
/* x: one preprocessed image, NHWC at the model's input size; map: height * width; probabilities: one for each class,
 * may be NULL. *label: the class to explain, or -1, which becomes the predicted one. */
VGG_API enum vgg_status vgg_explain_run(struct vgg_explain *explain, float *map, float *probabilities, int *label,
                                        const float *x);

/* What is known of one image while vgg_explain_files works. */
struct vgg_explanation {
    size_t index; /* in the data set */
    int label;    /* the class explained */
    int classes;
    const float *probabilities; /* of each class */
    int height, width;
    const float *map; /* height * width */
};
typedef void vgg_explanation_fn(void *user, const struct vgg_explanation *explanation);

struct vgg_explain_options {
    /* By extension: .png, the image as decoded (at most 2048 pixels a side) under the heat of its map, for one image;
     * .html, a page with all of them; .npy, the maps alone. */
    const char *output;
    const char *map; /* .npy file beside it: float32, (h, w) for one image, else (images, h, w); NULL: none */
    int label;       /* class to explain, with chosen = true; else the predicted class of each image */
    bool chosen;
    enum vgg_colours colours;
    float alpha; /* opacity of the hottest place, up to 1; 0: 0.7. Cold places stay as they are. */
    int top;     /* classes of each image in a page; 0: 5 */
    struct vgg_image_options images;
    vgg_explanation_fn *explained; /* after each image; may be NULL */
    vgg_progress_fn *progress;
    void *user; /* handed to both */
};
/* Explains every image of `data` and writes the files, aside and renamed. */
VGG_API enum vgg_status vgg_explain_files(struct vgg_explain *explain, const struct vgg_data *data,
                                          const struct vgg_explain_options *options);

/* ---- training -------------------------------------------------------------------------------------------------- */

enum vgg_optimizer { VGG_OPTIMIZER_RMSPROP, VGG_OPTIMIZER_SGD, VGG_OPTIMIZER_ADAM, VGG_OPTIMIZER_ADAMW };
enum vgg_schedule {
    VGG_SCHEDULE_CONSTANT,
    VGG_SCHEDULE_COSINE, /* to 0 */
    VGG_SCHEDULE_STEP,
    /* Times schedule_factor after each schedule_every epochs in which the monitored figure did not become better by
     * more than 1e-4, as Keras' ReduceLROnPlateau with its defaults (min_delta 1e-4, cooldown 0, min_lr 0); needs
     * validation data. */
    VGG_SCHEDULE_PLATEAU,
};

/* The figure of an epoch by which epochs are compared: less of a loss is better, more of an accuracy. DEFAULT:
 * val_loss, or the training loss without validation data. */
enum vgg_monitor { VGG_MONITOR_DEFAULT, VGG_MONITOR_VAL_LOSS, VGG_MONITOR_VAL_ACCURACY };
/* Whose parameters the model has in the end: the last epoch's, or those of the epoch with the best monitored figure, of
 * equal ones the first, as Keras' ModelCheckpoint(save_best_only=True) and EarlyStopping(restore_best_weights=True). */
enum vgg_keep { VGG_KEEP_LAST, VGG_KEEP_BEST };

struct vgg_epoch {
    int epoch;                                     /* 1-based */
    double loss, accuracy, val_loss, val_accuracy; /* val_*: NAN without validation data */
    double learning_rate, seconds;
    uint64_t images;
    double seconds_load, seconds_train, seconds_validate; /* waiting for data, computing steps, validating */
};
typedef void vgg_epoch_fn(void *user, const struct vgg_epoch *epoch);

/* What a training went through, the epochs before it was resumed included. */
struct vgg_history {
    struct vgg_epoch *epochs; /* count */
    size_t count;
    uint64_t steps;                        /* done, those before a resume included; 0: the model is as it was */
    int shard;                             /* images whose gradients were one sum; 0: it did not come to that */
    int best;                              /* epoch with the best monitored figure; 0: none */
    enum vgg_monitor monitor;              /* that figure; DEFAULT: the training loss */
    int stopped;                           /* by early_stop, after so many epochs without a better one; 0: it was not */
    double seconds_features, seconds_save; /* of this call: computing frozen features, writing checkpoints */
    /* The model is what these steps made of it (VGG_KEEP_BEST: the best so far), also when the call failed since data
     * could not be read or a checkpoint not be written: it may be saved. */
    bool kept;
    double scale;     /* in fp16: S in the end; else 0 */
    uint64_t skipped; /* of the steps: those that updated nothing */
};
/* Frees what a history holds and empties it; accepts a zeroed one. */
VGG_API void vgg_history_finish(struct vgg_history *history);

struct vgg_train_options {
    const char *trainable; /* "head" (NULL), "all", a block or a layer: that one and all above it */
    struct vgg_image_options images;
    struct vgg_augment_options augment;
    enum vgg_optimizer optimizer;
    float learning_rate; /* 0: 2e-5 rmsprop, 0.01 sgd, 1e-3 adam and adamw */
    float momentum;      /* sgd: v = momentum v + g; w -= lr v */
    bool nesterov;       /* sgd: w -= lr (g + momentum v) */
    float rho;           /* rmsprop; 0: 0.9 */
    float beta1, beta2;  /* adam, adamw; 0: 0.9 and 0.999 */
    float epsilon;       /* 0: 1e-7, added after the root */
    float weight_decay;  /* L2: g += weight_decay w; adamw: decoupled, w -= lr weight_decay w */
    enum vgg_schedule schedule;
    int schedule_every; /* step: multiply by schedule_factor every so many epochs; plateau: its patience */
    float schedule_factor;
    /* Epochs, also parts of one, in which the rate grows in a straight line: that of step s (from 0) of all is
     * multiplied by min(1, (s + 1) / (warmup * steps of an epoch)), the schedule running all the while: torch's
     * LinearLR chained with it. Source: Goyal et al., "Accurate, large minibatch SGD", 2017. */
    float warmup;
    /* 0 < d < 1: layers of the base in block b train at the rate times d^(B - b), B the base's last block, the head at
     * the whole rate; 0: none. Source: layer-wise decay of learning rates, Sun et al., "How to fine-tune BERT", 2019.
     */
    float lr_decay;
    /* > 0: the gradients of all that trains, as one vector, are multiplied by min(1, clip_norm / (norm + 1e-6)) once
     * the shards are added, before any decay, as torch.nn.utils.clip_grad_norm_; a norm that is not finite makes all
     * NaN, which ends the training; 0: none. */
    float clip_norm;
    /* 0 <= a < 1: the target of K classes is y (1 - a) + a / K, that of a sigmoid y (1 - a) + a / 2, as Keras'
     * CategoricalCrossentropy and BinaryCrossentropy and (softmax) torch's CrossEntropyLoss; in the training loss
     * alone, so that val_loss compares with that of other trainings. */
    float label_smoothing;
    int epochs;          /* 0: none, the model stays as it is */
    int steps_per_epoch; /* 0: one pass over the data */
    int batch;           /* 0: 20 */
    /* Images whose gradients are one sum; the sums of a batch are added as a balanced binary tree. Another shard gives
     * other last bits, so that it follows from the shape of the work alone and never from memory: a batch that does not
     * fit is VGG_ERR_MEMORY. 0: the largest power of two whose activations and gradients take 1 GiB (all layers of
     * VGG16: 8 at 224x224, 256 at 32x32; a head on frozen layers: thousands). */
    int shard;
    bool balanced;            /* class weights N / (classes * N_c) */
    enum vgg_monitor monitor; /* of early_stop, keep and the schedule plateau */
    int early_stop;           /* stop after so many epochs without a better monitored figure; 0: never */
    /* BEST needs validation data. The model of an interrupted training is that of the best epoch, too, once there is
     * one; checkpoints hold it beside the latest parameters. */
    enum vgg_keep keep;
    bool no_shuffle;
    uint64_t seed; /* of order, augmentation and dropout */
    /* Folder for checkpoints after each epoch and on interruption; NULL: none. One training at a time has it. One that
     * holds checkpoints is refused without resume or overwrite. */
    const char *checkpoint;
    /* Checkpoints within epochs, too: after each so many steps, counted from the first of all, or when the last one, or
     * the start, is so many seconds ago, on ranks by the clock of rank 0; one of them, and 0 for none. They change no
     * bit, nor does going on from them. */
    int checkpoint_steps;
    double checkpoint_seconds;
    /* Go on with the CPU from the last completed step when a GPU is lost (copies what trains to the host after each
     * step); else the call fails with VGG_ERR_DEVICE_LOST. */
    bool cpu_on_device_lost;
    /* Go on from the newest valid checkpoint in that folder, if there is one. All that changes a step must be as it was
     * then, data and what is kept included; the engine, early_stop, checkpoint_steps, checkpoint_seconds and,
     * without a cosine, epochs (not below what is done) may change. */
    bool resume;
    bool overwrite; /* replace the checkpoints in that folder, once the first new one is written */
    /* File that holds the history after each epoch, resumed ones included. X.jsonl: a JSON object a line with the
     * members of struct vgg_epoch, null for NAN. Else as Keras' CSVLogger:
     * epoch (from 0),accuracy,learning_rate,loss,val_accuracy,val_loss
     * When it cannot be written, a warning says so once, and it is tried again after each epoch. */
    const char *log;
    /* Folder for event files as Keras' TensorBoard callback writes them: train/ with epoch_loss, epoch_accuracy,
     * epoch_learning_rate and batch_loss of each step, validation/ with epoch_loss and epoch_accuracy; epochs and steps
     * from 0. When they cannot be made, the call fails; when they can no longer be written, a warning says so, and they
     * end there. */
    const char *tensorboard;
    struct vgg_history *history; /* NULL, or filled in the end, also after an interruption or a failure */
    vgg_progress_fn *progress;
    vgg_epoch_fn *on_epoch;
    void *user; /* handed to both */
};

/* Trains `model` in place. `validation` may be NULL. Unless bad images are skipped, the beginnings of all image files
 * are looked at before the first step. Features with a record (struct vgg_origin) decide what the options and the model
 * leave open, and are the output of the layer recorded; those that the options, the model or each other contradict are
 * VGG_ERR_ARGUMENT, with both values. Features without one go where their shape fits. Layers below the first trainable
 * one are computed once and their output reused whenever nothing random stands before them. On VGG_ERR_NUMERIC the last
 * checkpoint stays valid.
 *
 * An engine of precision fp16 trains in mixed precision: parameters, moments and updates are fp32, and the gradients g
 * are those of S times the loss, so that small ones do not vanish; what is reported is not scaled. Before clipping and
 * decay g = g / S. If any g is infinite or NaN, nothing is updated and S = S / 2; after 2000 updates in a row S = 2 S.
 * S = 2^16 at first, at most 2^24 and at least 1, with which such a g is VGG_ERR_NUMERIC. A step that updates nothing
 * counts for order, dropout and schedule, not for the t of Adam; its images count in the epoch's figures unless a loss
 * among them is not finite. Source: torch.cuda.amp.GradScaler with its defaults (PyTorch 1.13), which has no bounds;
 * Micikevicius et al., "Mixed precision training", 2018. */
VGG_API enum vgg_status vgg_train(struct vgg_engine *engine, struct vgg_model *model, const struct vgg_data *data,
                                  const struct vgg_data *validation, const struct vgg_train_options *options);

struct vgg_evaluate_options {
    struct vgg_image_options images;
    int batch;       /* 0: 32 */
    int top;         /* K of the top-K accuracy, below the number of outputs; 0: none */
    float threshold; /* 0 < t < 1: one sigmoid unit above it means class 1; 0: 0.5. Not with softmax */
    vgg_progress_fn *progress;
    void *user;
};

struct vgg_evaluation {
    size_t count;          /* images evaluated */
    int classes;           /* columns of probabilities: 2 for one sigmoid unit */
    double loss, accuracy; /* NAN without labels */
    /* share of images whose class is among the K most probable, of equally probable ones the first; NAN without labels
     * or K */
    double top_accuracy;
    float *probabilities;            /* count x classes */
    int *labels;                     /* count, as the model numbers classes; -1 without labels */
    int *predicted;                  /* count: the most probable class, or that by the threshold */
    size_t *index;                   /* count: position in the data set (bad images may be left out) */
    uint64_t *confusion;             /* classes x classes, row = true class, column = predicted */
    double *precision, *recall, *f1; /* classes; NAN where undefined */
    uint64_t *support;               /* classes: images of each */
    /* classes: area under the ROC curve of each against the rest, by its probability (of one sigmoid unit: the same for
     * both); NAN where there is only one side */
    double *auc;
    double mean_auc; /* of the defined ones (macro average); NAN if there is none */
};
/* Runs the model on `data`; works without labels too (prediction). The data may have fewer classes than the model, and
 * number them otherwise: they are matched by name, or by number where either has no names. An item of a class that the
 * model does not have is VGG_ERR_ARGUMENT. Features are taken as by vgg_train. */
VGG_API enum vgg_status vgg_evaluate(struct vgg_evaluation **out, struct vgg_engine *engine,
                                     const struct vgg_model *model, const struct vgg_data *data,
                                     const struct vgg_evaluate_options *options);
VGG_API void vgg_evaluation_destroy(struct vgg_evaluation *evaluation);
/* A line of CSV for each item of `data`, which was evaluated: path, label and predicted class by name (or number), and
 * the probability of each class. Written aside, synced, renamed; a device or a pipe is written directly. */
VGG_API enum vgg_status vgg_evaluation_write(const struct vgg_evaluation *evaluation, const char *path,
                                             const struct vgg_model *model, const struct vgg_data *data);

/* ---- reports --------------------------------------------------------------------------------------------------- */

/* What a report shows; what is NULL is left out. Nothing is changed or kept. */
struct vgg_report {
    const char *command;    /* how it was started */
    const char *data;       /* what the training data is called; without a training: what was evaluated */
    const char *validation; /* what the validation data is called */
    const struct vgg_engine *engine;
    const struct vgg_model *model; /* required */
    const struct vgg_train_options *training;
    const struct vgg_history *history;
    const struct vgg_evaluation *evaluation; /* with labels, of `evaluated`: the validation data after a training */
    const struct vgg_data *evaluated;
    const struct vgg_image_options *images; /* how images of `evaluated` were fitted: thumbnails are cut the same way */
    bool interrupted;                       /* the training ended before its time */
};
/* Writes one HTML file that needs nothing else, no script and no network: curves of loss and accuracy, raw and
 * smoothed, learning rate, time by phase, confusion matrix, precision, recall and F1 of each class, the images that the
 * model is surest and least sure of with their probabilities, settings and layers. Written aside and renamed. */
VGG_API enum vgg_status vgg_report_write(const char *path, const struct vgg_report *report);

/* ---- weight files ---------------------------------------------------------------------------------------------- */

enum vgg_weights_layout {
    /* .h5: KERAS_H5; .pth, .pt: PTH; .onnx: ONNX; .safetensors: TORCHVISION when reading Keras names, else KERAS names
     */
    VGG_WEIGHTS_BY_EXTENSION,
    VGG_WEIGHTS_KERAS_H5,
    VGG_WEIGHTS_TORCHVISION,
    VGG_WEIGHTS_KERAS_SAFETENSORS,
    VGG_WEIGHTS_PTH,  /* .pth, .pt: a state dictionary with torchvision's names, as torch.load reads it */
    VGG_WEIGHTS_ONNX, /* .onnx: the network itself */
};
enum vgg_weights_precision {
    VGG_WEIGHTS_F32,
    /* Half the size; rounded to nearest, ties to even: by at most 2^-11 of a value, or 2^-25 below 2^-14. */
    VGG_WEIGHTS_F16,
};
/* Converts between the layouts; a model's own head is carried over under its Keras names (h5, Keras safetensors) or as
 * classifier.0, .3, .6 ... (torchvision, .pth: a Sequential of Linear, ReLU, Dropout). ONNX, version 17 of its
 * operators: the network with its head where the file has one, its input N x 3 x height x width, preprocessed as the
 * model wants it. F16 is for safetensors and .pth; a weight beyond its range (65504) is VGG_ERR_NUMERIC. */
VGG_API enum vgg_status vgg_weights_convert(const char *in, const char *out, enum vgg_weights_layout layout,
                                            enum vgg_weights_precision precision);
/* Writes a model with its head in one of these layouts. */
VGG_API enum vgg_status vgg_model_export(const struct vgg_model *model, const char *path,
                                         enum vgg_weights_layout layout, enum vgg_weights_precision precision);
/* name: "vgg16" or "vgg16-notop". Finds the file where Keras, PyTorch or Hugging Face keep theirs, else downloads it
 * into $XDG_CACHE_HOME/vgg16, with its digest verified. An interrupted download goes on where it stopped. The
 * environment variable VGG16_MIRROR names another address (https or http) of the folder that holds Keras' files. *out
 * is the path, released with free(). */
VGG_API enum vgg_status vgg_weights_pull(char **out, const char *name, vgg_progress_fn *progress, void *user);

#ifdef __cplusplus
}
#endif
#endif
