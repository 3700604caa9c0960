/* The record of how features were made, as texts: written, read, damaged, compared. */
#include "data_files.h"

#include "core/base/names.h"
#include "core/data/origin.h"
#include "core/image/image.h"

static char *folder, file[128];

static void set_up(void)
{
    folder = make_folder();
    snprintf(file, sizeof file, "%s/f.safetensors", folder);
}

static void tear_down(void)
{
    remove_folder(folder);
}

TestSuite(origin, .init = set_up, .fini = tear_down, .timeout = 60);

static const char digest[] = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";

static const struct vgg_origin sample = {
    .digest = digest,
    .arch = "vgg19",
    .layer = "block3_pool",
    .pooling = VGG_POOLING_MAX,
    .height = 150,
    .width = 64,
    .preprocess = VGG_PREPROCESS_RESCALE,
    .resize = VGG_RESIZE_LANCZOS,
    .crop = VGG_CROP_CENTER,
    .decode = VGG_DECODE_FAST,
    .weights = "imagenet",
    .source = "/some/where.h5",
    .decoder = "array",
    .precision = "bf16",
    .version = "7.8.9",
};

/* Features with the sample's record; `key` gets another value, or is left out when that is NULL. */
static void write_record(const char *key, const char *value)
{
    static const float x[2] = { 1, 2 };
    struct vgg_origin_text text;
    struct vgg_st_tensor tensor = { "x", VGG_DTYPE_F32, 2, { 1, 2 }, x, sizeof x };
    size_t count = 0;
    vgg_origin_write(&text, &sample);
    for (size_t i = 0; i < VGG_ORIGIN_PAIRS; i++) {
        if (key && strcmp(text.pair[i].key, key) == 0) {
            if (!value) continue;
            text.pair[i].value = value;
        }
        text.pair[count++] = text.pair[i];
    }
    cr_assert_eq(vgg_st_write(file, &tensor, 1, text.pair, count), VGG_OK);
}

Test(origin, texts_there_and_back)
{
    static const char *const wanted[][2] = {
        { "format", "vgg16-features-1" },
        { "digest", digest },
        { "arch", "vgg19" },
        { "layer", "block3_pool" },
        { "pooling", "max" },
        { "height", "150" },
        { "width", "64" },
        { "preprocess", "rescale" },
        { "resize", "lanczos" },
        { "crop", "center" },
        { "decode", "fast" },
        { "weights", "imagenet" },
        { "source", "/some/where.h5" },
        { "decoder", "array" },
        { "precision", "bf16" },
        { "version", "7.8.9" },
    };
    struct vgg_origin_text text;
    vgg_origin_write(&text, &sample);
    for (size_t i = 0; i < VGG_ORIGIN_PAIRS; i++) {
        cr_expect_str_eq(text.pair[i].key, wanted[i][0]);
        cr_expect_str_eq(text.pair[i].value, wanted[i][1]);
    }
    write_record(NULL, NULL);
    struct vgg_data *data;
    cr_assert_eq(vgg_data_open(&data, file), VGG_OK);
    const struct vgg_origin *o = vgg_data_origin(data);
    cr_assert_not_null(o);
    cr_expect_str_eq(o->digest, digest);
    cr_expect_str_eq(o->arch, "vgg19");
    cr_expect_str_eq(o->layer, "block3_pool");
    cr_expect(o->pooling == VGG_POOLING_MAX && o->height == 150 && o->width == 64);
    cr_expect(o->preprocess == VGG_PREPROCESS_RESCALE && o->resize == VGG_RESIZE_LANCZOS);
    cr_expect_eq(o->crop, VGG_CROP_CENTER);
    cr_expect_eq(o->decode, VGG_DECODE_FAST);
    cr_expect_str_eq(o->weights, "imagenet");
    cr_expect_str_eq(o->source, "/some/where.h5");
    cr_expect_str_eq(o->decoder, "array");
    cr_expect_str_eq(o->precision, "bf16");
    cr_expect_str_eq(o->version, "7.8.9");
    vgg_data_destroy(data);
}

Test(origin, damaged_records)
{
    static const char *const bad[][2] = {
        { "digest", "00112233" },
        { "digest", "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef0" },
        { "digest", "Z0112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef" },
        { "arch", "vgg12" },
        { "layer", "" },
        { "pooling", "average" },
        { "height", "150.5" },
        { "height", "-150" },
        { "width", "0" },
        { "width", "999999999999" },
        { "width", "32769" },
        { "preprocess", "keras" },
        { "preprocess", "default" },
        { "resize", "cubic" },
        { "resize", "default" },
        { "crop", "" },
        { "decode", "default" },
        { "weights", "" },
        { "precision", "fp33" },
        { "format", "vgg16-features-2" },
    };
    struct vgg_data *data;
    char wanted[256];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_record(bad[i][0], bad[i][1]);
        snprintf(wanted, sizeof wanted, "%s: metadata %s \"%s\"", file, bad[i][0], bad[i][1]);
        EXPECT_FAILURE(vgg_data_open(&data, file), VGG_ERR_FORMAT, wanted);
        cr_expect_null(data);
    }
    /* What there is, is said. */
    static const char *const there[][3] = { { "arch", "vgg12", "vgg19" },
                                            { "pooling", "average", "avg" },
                                            { "crop", "middle", "center" } };
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        write_record(there[i][0], there[i][1]);
        EXPECT_FAILURE(vgg_data_open(&data, file), VGG_ERR_FORMAT, there[i][2]);
    }
    struct vgg_origin_text text;
    vgg_origin_write(&text, &sample);
    for (size_t i = 1; i < VGG_ORIGIN_PAIRS; i++) {
        write_record(text.pair[i].key, NULL);
        if (strcmp(text.pair[i].key, "decode") == 0) { /* records were made before there was a choice */
            cr_assert_eq(vgg_data_open(&data, file), VGG_OK);
            cr_expect_eq(vgg_data_origin(data)->decode, VGG_DECODE_EXACT);
            vgg_data_destroy(data);
            continue;
        }
        snprintf(wanted, sizeof wanted, "%s: metadata %s is missing", file, text.pair[i].key);
        EXPECT_FAILURE(vgg_data_open(&data, file), VGG_ERR_FORMAT, wanted);
    }
    /* Without the format it is no record, whatever else there is. */
    static const char *const foreign[] = { NULL, "pt", "vgg16-model-1" };
    for (size_t i = 0; i < 3; i++) {
        write_record("format", foreign[i]);
        cr_assert_eq(vgg_data_open(&data, file), VGG_OK);
        cr_expect_null(vgg_data_origin(data));
        vgg_data_destroy(data);
    }
}

Test(origin, names)
{
    int value = 7;
    cr_expect_str_eq(vgg_name(VGG_NAMES_PREPROCESS, VGG_PREPROCESS_DEFAULT), "default");
    cr_expect_str_eq(vgg_name(VGG_NAMES_PREPROCESS, VGG_PREPROCESS_CAFFE), "caffe");
    cr_expect_str_eq(vgg_name(VGG_NAMES_PREPROCESS, VGG_PREPROCESS_NONE), "none");
    cr_expect_null(vgg_name(VGG_NAMES_PREPROCESS, VGG_PREPROCESS_NONE + 1));
    cr_expect_null(vgg_name(VGG_NAMES_PREPROCESS, -1));
    cr_expect_str_eq(vgg_name(VGG_NAMES_RESIZE, VGG_RESIZE_BILINEAR), "bilinear");
    cr_expect_null(vgg_name(VGG_NAMES_RESIZE, VGG_RESIZE_LANCZOS + 1));
    cr_expect_str_eq(vgg_name(VGG_NAMES_CROP, VGG_CROP_NONE), "none");
    cr_expect_str_eq(vgg_name(VGG_NAMES_POOLING, VGG_POOLING_NONE), "none");
    cr_expect_str_eq(vgg_name(VGG_NAMES_POOLING, VGG_POOLING_MAX), "max");
    cr_expect_str_eq(vgg_name(VGG_NAMES_OPTIMIZER, VGG_OPTIMIZER_SGD), "sgd");
    cr_expect_str_eq(vgg_name(VGG_NAMES_OPTIMIZER, VGG_OPTIMIZER_ADAMW), "adamw");
    cr_expect_null(vgg_name(VGG_NAMES_OPTIMIZER, VGG_OPTIMIZER_ADAMW + 1));
    cr_expect_str_eq(vgg_name(VGG_NAMES_COLOURS, VGG_COLOURS_INFERNO), "inferno");
    cr_expect_str_eq(vgg_name(VGG_NAMES_COLOURS, VGG_COLOURS_GREY), "grey");
    cr_expect_null(vgg_name(VGG_NAMES_COLOURS, VGG_COLOURS_GREY + 1));
    cr_expect(vgg_names_find(&value, VGG_NAMES_PREPROCESS, "none") && value == VGG_PREPROCESS_NONE);
    cr_expect(vgg_names_find(&value, VGG_NAMES_POOLING, "none") && value == VGG_POOLING_NONE);
    cr_expect_not(vgg_names_find(&value, VGG_NAMES_CROP, "default"));
    cr_expect_not(vgg_names_find(&value, VGG_NAMES_CROP, NULL));
    cr_expect_str_eq(vgg_names_list(VGG_NAMES_RESIZE).text, "nearest, bilinear, lanczos");
}

Test(origin, what_differs)
{
    struct vgg_origin_value have, want;
    struct vgg_origin o = sample;
    cr_expect_null(vgg_origin_differ(&have, &want, &o, &sample));
    o.weights = o.source = o.decoder = o.precision = o.version = "something else";
    cr_expect_null(vgg_origin_differ(&have, &want, &o, &sample));
    static const struct {
        struct vgg_origin change;
        const char *what, *have, *want;
    } cases[] = {
        { { .digest = "f" }, "digest", "f", "001122334455" },
        { { .arch = "vgg11" }, "arch", "vgg11", "vgg19" },
        { { .layer = "block3_conv1" }, "layer", "block3_conv1", "block3_pool" },
        { { .pooling = VGG_POOLING_AVG }, "pooling", "avg", "max" },
        { { .height = 64 }, "size", "64x64", "150x64" },
        { { .width = 150 }, "size", "150x150", "150x64" },
        { { .preprocess = VGG_PREPROCESS_NONE }, "preprocess", "none", "rescale" },
        { { .resize = VGG_RESIZE_NEAREST }, "resize", "nearest", "lanczos" },
        { { .crop = VGG_CROP_NONE }, "crop", "none", "center" },
        { { .decode = VGG_DECODE_EXACT }, "decode", "exact", "fast" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct vgg_origin *change = &cases[i].change;
        o = sample;
        if (change->digest) o.digest = change->digest;
        if (change->arch) o.arch = change->arch;
        if (change->layer) o.layer = change->layer;
        if (change->pooling) o.pooling = change->pooling;
        if (change->height) o.height = change->height;
        if (change->width) o.width = change->width;
        if (change->preprocess) o.preprocess = change->preprocess;
        if (change->resize) o.resize = change->resize;
        if (change->crop) o.crop = change->crop;
        if (change->decode) o.decode = change->decode;
        const char *what = vgg_origin_differ(&have, &want, &o, &sample);
        cr_assert_not_null(what, "%s", cases[i].what);
        cr_expect_str_eq(what, cases[i].what);
        cr_expect_str_eq(have.text, cases[i].have);
        cr_expect_str_eq(want.text, cases[i].want);
    }
}

Test(origin, resolved_defaults)
{
    static const enum vgg_resize any[] = { VGG_RESIZE_DEFAULT, VGG_RESIZE_LANCZOS };
    for (int crop = VGG_CROP_DEFAULT; crop <= VGG_CROP_CENTER; crop++) {
        for (int i = 0; i < 2; i++) {
            struct vgg_image_options o = { .resize = any[i], .crop = (enum vgg_crop)crop };
            vgg_image_resolve(&o);
            cr_expect_eq(o.crop, crop == VGG_CROP_CENTER ? VGG_CROP_CENTER : VGG_CROP_NONE);
            cr_expect_eq(o.resize, i                         ? VGG_RESIZE_LANCZOS
                                   : crop == VGG_CROP_CENTER ? VGG_RESIZE_BILINEAR
                                                             : VGG_RESIZE_NEAREST);
        }
    }
}
