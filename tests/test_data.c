/* Data sets from every kind of source, parts of them, and what is refused. */
#include "data_files.h"

#include <zlib.h>

#include "core/data/data.h"
#include "core/format/safetensors.h"

static const struct vgg_image_options one_pixel = { .height = 1, .width = 1, .preprocess = VGG_PREPROCESS_NONE };

static struct vgg_data *open_data(const char *format, const char *folder)
{
    char source[512];
    struct vgg_data *data;
    snprintf(source, sizeof source, format, folder, folder);
    capture_log();
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK, "%s: %s", source, logged);
    return data;
}

static void expect_open_failure(const char *format, const char *folder, enum vgg_status status, const char *text)
{
    char source[512];
    struct vgg_data *data;
    snprintf(source, sizeof source, format, folder, folder);
    EXPECT_FAILURE(vgg_data_open(&data, source), status, text);
    cr_assert_null(data);
}

/* The red value of item `index`. */
static int red(const struct vgg_data *data, size_t index)
{
    float x[3] = { -1, -1, -1 };
    cr_assert_eq(vgg_data_fetch(data, index, &one_pixel, NULL, 0, 0, x), VGG_OK);
    return (int)x[0];
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *class_folders(void)
{
    char *folder = make_folder();
    write_picture(folder, "b/2.bmp", 20, 0, 0);
    write_picture(folder, "b/10.BMP", 21, 0, 0);
    write_picture(folder, "b/.hidden.bmp", 99, 0, 0);
    write_file(folder, "b/notes.txt", "x", 1);
    write_picture(folder, "a/z.bmp", 10, 0, 0);
    write_picture(folder, "a/Z.bmp", 11, 0, 0);
    write_picture(folder, "C/one.bmp", 0, 0, 0);
    write_picture(folder, ".git/one.bmp", 0, 0, 0);
    write_file(folder, "readme.md", "x", 1);
    return folder;
}

Test(data, class_folders)
{
    char *folder = class_folders();
    for (int slash = 0; slash < 2; slash++) {
        struct vgg_data *data = open_data(slash ? "%s//" : "%s", folder);
        static const char *const names[] = { "one.bmp", "Z.bmp", "z.bmp", "10.BMP", "2.bmp" };
        static const int labels[] = { 0, 1, 1, 2, 2 }, reds[] = { 0, 11, 10, 21, 20 };
        cr_assert_eq(vgg_data_count(data), 5);
        cr_assert_eq(vgg_data_class_count(data), 3);
        cr_assert_str_eq(vgg_data_class_name(data, 0), "C");
        cr_assert_str_eq(vgg_data_class_name(data, 1), "a");
        cr_assert_str_eq(vgg_data_class_name(data, 2), "b");
        cr_assert_null(vgg_data_class_name(data, 3));
        for (size_t i = 0; i < 5; i++) {
            cr_assert_str_eq(base(vgg_data_path(data, i)), names[i]);
            cr_assert_eq(vgg_data_label(data, i), labels[i]);
            cr_assert_eq(red(data, i), reds[i]);
        }
        vgg_data_destroy(data);
    }
    remove_folder(folder);
}

Test(data, unlabelled_sources)
{
    char *folder = make_folder(), source[256];
    write_picture(folder, "in/b.bmp", 2, 0, 0);
    write_picture(folder, "in/a.bmp", 1, 0, 0);
    write_file(folder, "list.txt", "in/b.bmp\r\n\n  \nin/a.bmp", 22);
    struct vgg_data *data = open_data("%s/in", folder);
    cr_assert_eq(vgg_data_count(data), 2);
    cr_assert_eq(vgg_data_class_count(data), 0);
    cr_assert_eq(vgg_data_label(data, 0), -1);
    cr_assert_eq(red(data, 0), 1);
    vgg_data_destroy(data);
    data = open_data("%s/list.txt", folder);
    cr_assert_eq(vgg_data_count(data), 2);
    cr_assert_eq(red(data, 0), 2);
    cr_assert_eq(red(data, 1), 1);
    vgg_data_destroy(data);
    data = open_data("%s/in/b.bmp", folder);
    cr_assert_eq(vgg_data_count(data), 1);
    cr_assert_eq(red(data, 0), 2);
    vgg_data_destroy(data);
    snprintf(source, sizeof source, "%s/in/a.bmp", folder);
    const char *paths[] = { source, source };
    cr_assert_eq(vgg_data_open_images(&data, paths, 2), VGG_OK);
    cr_assert_eq(vgg_data_count(data), 2);
    cr_assert_str_eq(vgg_data_path(data, 1), source);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(data, refuses_folders)
{
    char *folder = make_folder(), path[256];
    expect_open_failure("%s", folder, VGG_ERR_MISSING, "holds neither class folders nor images");
    expect_open_failure("%s/absent", folder, VGG_ERR_IO, "/absent: cannot be opened");
    write_picture(folder, "full/a.bmp", 0, 0, 0);
    snprintf(path, sizeof path, "%s/empty", folder);
    mkdir(path, 0777);
    expect_open_failure("%s", folder, VGG_ERR_MISSING, "/empty: class folder without images");
    write_file(folder, "list.txt", "\n\n", 2);
    expect_open_failure("%s/list.txt", folder, VGG_ERR_MISSING, "list.txt: lists no images");
    write_file(folder, "what.xyz", "x", 1);
    expect_open_failure("%s/what.xyz", folder, VGG_ERR_UNSUPPORTED, "what.xyz: not a data set");
    EXPECT_FAILURE(vgg_data_open_images(&(struct vgg_data *) { NULL }, NULL, 0), VGG_ERR_ARGUMENT, "no images");
    remove_folder(folder);
}

/* Opens sources below `folder` as images without labels and compares the paths. */
static void expect_images(const char *folder, const char *const *sources, size_t given, const char *const *names,
                          size_t count)
{
    char place[4][256], name[256];
    const char *paths[4];
    struct vgg_data *data;
    for (size_t i = 0; i < given; i++) {
        snprintf(place[i], sizeof place[i], "%s%s", folder, sources[i]);
        paths[i] = place[i];
    }
    capture_log();
    cr_assert_eq(vgg_data_open_images(&data, paths, given), VGG_OK, "%s", logged);
    cr_assert_eq(vgg_data_count(data), count, "%zu", vgg_data_count(data));
    cr_expect_eq(vgg_data_class_count(data), 0);
    cr_expect_null(vgg_data_class_name(data, 0));
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s%s", folder, names[i]);
        cr_expect_str_eq(vgg_data_path(data, i), name);
        cr_expect_eq(vgg_data_label(data, i), -1);
    }
    vgg_data_destroy(data);
}

/* Folders are no classes there: all images below are taken, beside folders and in those of several data sets. */
Test(data, images_of_folders)
{
    static const char *const files[] = { "/in/x/b/3.bmp", "/in/top.bmp", "/in/train/cat/1.bmp", "/in/x/2.bmp",
                                         "/in/train/.no.bmp" };
    static const char *const names[] = { "/in/top.bmp", "/in/train/cat/1.bmp", "/in/x/2.bmp", "/in/x/b/3.bmp" };
    static const char *const table[] = { "/in/top.bmp", "/in/x/2.bmp" };
    static const char list[] = "in/top.bmp,one\nin/x/2.bmp,two\n";
    char *folder = make_folder(), path[256];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_picture(folder, files[i] + 1, (int)i, 0, 0);
    snprintf(path, sizeof path, "%s/in/empty", folder);
    cr_assert_eq(mkdir(path, 0777), 0);
    write_file(folder, "odd.xyz", "x", 1);
    write_file(folder, "list.csv", list, sizeof list - 1);
    expect_images(folder, (const char *const[]) { "/in" }, 1, names, 4);
    cr_expect_eq(logged_lines, 0, "%s", logged);
    expect_images(folder, (const char *const[]) { "/list.csv" }, 1, table, 2);
    expect_images(folder, (const char *const[]) { "/in/x?per_class=1" }, 1, &names[3], 1);
    expect_images(folder, (const char *const[]) { "/odd.xyz" }, 1, (const char *const[]) { "/odd.xyz" }, 1);
    expect_images(folder, (const char *const[]) { "/odd.xyz", "/in/x//", "/list.csv" }, 3,
                  (const char *const[]) { "/odd.xyz", names[2], names[3], "/list.csv" }, 4);
    write_file(folder, "in/train/cat/raw.heic", "x", 1);
    write_file(folder, "in/x/raw.heic", "x", 1);
    expect_images(folder, (const char *const[]) { "/in" }, 1, names, 4);
    cr_expect(logged_lines == 1 && strstr(logged, "/in: left out: 2 .heic"), "%s", logged);
    snprintf(path, sizeof path, "%s/in/x/again", folder);
    cr_assert_eq(symlink(".", path), 0);
    expect_images(folder, (const char *const[]) { "/in/x" }, 1, &names[2], 2);
    cr_expect(logged_lines == 2 && strstr(logged, "/in/x: 1 link to folders that are read already"), "%s", logged);
    remove_folder(folder);
}

Test(data, images_of_empty_folders)
{
    char *folder = make_folder(), path[256];
    const char *paths[] = { folder, path };
    struct vgg_data *data;
    write_picture(folder, "a.bmp", 0, 0, 0);
    write_file(folder, "none/below/notes.txt", "x", 1);
    snprintf(path, sizeof path, "%s/none/", folder);
    EXPECT_FAILURE(vgg_data_open_images(&data, paths, 2), VGG_ERR_MISSING, "/none/: holds no images (.jpg");
    cr_expect_not_null(strstr(logged, ".tiff), only 1 .txt, nor do folders below it"));
    remove_folder(folder);
}

Test(data, unreadable_folder)
{
    if (geteuid() == 0) cr_skip_test("root may read every folder");
    char *folder = make_folder(), path[256];
    write_picture(folder, "a/a.bmp", 0, 0, 0);
    snprintf(path, sizeof path, "%s/a", folder);
    chmod(path, 0);
    expect_open_failure("%s", folder, VGG_ERR_IO, "/a: folder cannot be read");
    chmod(path, 0700);
    remove_folder(folder);
}

Test(data, fetch_reports)
{
    char *folder = make_folder();
    float x[3];
    write_file(folder, "list.txt", "gone.bmp\ntext.jpg", 17);
    write_file(folder, "text.jpg", "words", 5);
    struct vgg_data *data = open_data("%s/list.txt", folder);
    EXPECT_FAILURE(vgg_data_fetch(data, 0, &one_pixel, NULL, 0, 0, x), VGG_ERR_IO, "gone.bmp");
    EXPECT_FAILURE(vgg_data_fetch(data, 1, &one_pixel, NULL, 0, 0, x), VGG_ERR_FORMAT, "text.jpg");
    EXPECT_FAILURE(vgg_data_fetch(data, 2, &one_pixel, NULL, 0, 0, x), VGG_ERR_ARGUMENT, "item 2");
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* ---- parts ---- */

Test(data, chosen_classes)
{
    char *folder = class_folders();
    struct vgg_data *data = open_data("%s?classes=2,0", folder);
    cr_assert_eq(vgg_data_count(data), 3);
    cr_assert_eq(vgg_data_class_count(data), 2);
    cr_assert_str_eq(vgg_data_class_name(data, 0), "C");
    cr_assert_str_eq(vgg_data_class_name(data, 1), "b");
    cr_assert_eq(vgg_data_label(data, 0), 0);
    cr_assert_eq(vgg_data_label(data, 2), 1);
    cr_assert_eq(red(data, 2), 20);
    vgg_data_destroy(data);
    for (int order = 0; order < 2; order++) {
        data = open_data(order ? "%s?per_class=1&classes=1,2" : "%s?classes=1,2&per_class=1", folder);
        cr_assert_eq(vgg_data_count(data), 2);
        cr_assert_eq(red(data, 0), 11);
        cr_assert_eq(red(data, 1), 21);
        cr_assert_eq(vgg_data_label(data, 1), 1);
        vgg_data_destroy(data);
    }
    expect_open_failure("%s?classes=3", folder, VGG_ERR_ARGUMENT, "only classes 0 to 2");
    expect_open_failure("%s?classes=1,1", folder, VGG_ERR_ARGUMENT, "twice");
    expect_open_failure("%s?classes=", folder, VGG_ERR_ARGUMENT, "class numbers");
    expect_open_failure("%s?classes=1x", folder, VGG_ERR_ARGUMENT, "class numbers");
    expect_open_failure("%s?per_class=0", folder, VGG_ERR_ARGUMENT, "number of items");
    expect_open_failure("%s?classes=1&", folder, VGG_ERR_ARGUMENT, "joined by &");
    expect_open_failure("%s?classes=1&colour=red", folder, VGG_ERR_ARGUMENT, "joined by &");
    expect_open_failure("%s/a?classes=1", folder, VGG_ERR_ARGUMENT, "no labels");
    remove_folder(folder);
}

Test(data, split)
{
    char *folder = make_folder(), name[64];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "%s/%02d.bmp", i < 15 ? "a" : "b", i);
        write_picture(folder, name, i, 0, 0);
    }
    struct vgg_data *data = open_data("%s", folder), *rest, *held, *rest2, *held2, *part, *part2;
    cr_assert_eq(vgg_data_split(&rest, &held, data, 0.2, 5), VGG_OK);
    cr_assert_eq(vgg_data_count(rest), 16);
    cr_assert_eq(vgg_data_count(held), 4);
    int seen[20] = { 0 }, held_b = 0;
    for (size_t i = 0; i < 16; i++)
        seen[red(rest, i)]++;
    for (size_t i = 0; i < 4; i++) {
        seen[red(held, i)]++;
        held_b += vgg_data_label(held, i) == 1;
        cr_assert_eq(vgg_data_label(held, i), red(held, i) >= 15);
    }
    cr_assert_eq(held_b, 1);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(seen[i], 1);
    cr_assert_str_eq(vgg_data_class_name(held, 1), "b");
    /* The same seed splits the same way, another one does not; parts can be split again. */
    cr_assert_eq(vgg_data_split(&rest2, &held2, data, 0.2, 5), VGG_OK);
    bool same = true;
    for (size_t i = 0; i < 4; i++)
        same = same && red(held, i) == red(held2, i);
    cr_assert(same);
    vgg_data_destroy(rest2);
    vgg_data_destroy(held2);
    cr_assert_eq(vgg_data_split(&rest2, &held2, data, 0.2, 6), VGG_OK);
    same = true;
    for (size_t i = 0; i < 4; i++)
        same = same && red(held, i) == red(held2, i);
    cr_assert_not(same);
    cr_assert_eq(vgg_data_split(&part, &part2, rest, 0.25, 1), VGG_OK);
    cr_assert_eq(vgg_data_count(part) + vgg_data_count(part2), 16);
    for (size_t i = 0; i < vgg_data_count(part2); i++)
        cr_assert_eq(vgg_data_label(part2, i), red(part2, i) >= 15);
    vgg_data_destroy(part);
    vgg_data_destroy(part2);
    EXPECT_FAILURE(vgg_data_split(&part, &part2, data, 1.0, 5), VGG_ERR_ARGUMENT, "between 0 and 1");
    struct vgg_data *all[] = { rest, held, rest2, held2 };
    cr_assert_null(part);
    cr_assert_null(part2);
    for (size_t i = 0; i < 4; i++)
        vgg_data_destroy(all[i]);
    vgg_data_destroy(data);
    data = open_data("%s/a/00.bmp", folder);
    EXPECT_FAILURE(vgg_data_split(&part, &part2, data, 0.5, 5), VGG_ERR_ARGUMENT,
                   "/a/00.bmp: a data set of 1 items is too small to be split");
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* ---- arrays ---- */

static void write_idx(const char *folder, const char *name, const uint8_t *data, size_t size, bool gzip)
{
    char path[256];
    if (!gzip) {
        write_file(folder, name, data, size);
        return;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = gzopen(path, "wb");
    cr_assert_eq(gzwrite(file, data, (unsigned)size), (int)size);
    gzclose(file);
}

Test(data, idx)
{
    static const uint8_t images[16 + 8] = {
        0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 50, 60, 70, 80
    };
    static const uint8_t labels[8 + 2] = { 0, 0, 8, 1, 0, 0, 0, 2, 3, 0 };
    const struct vgg_image_options options = { .height = 2, .width = 4, .preprocess = VGG_PREPROCESS_NONE };
    char *folder = make_folder();
    for (int gzip = 0; gzip < 2; gzip++) {
        float x[2 * 4 * 3];
        write_idx(folder, "i", images, sizeof images, gzip);
        write_idx(folder, "l", labels, sizeof labels, gzip);
        struct vgg_data *data = open_data("idx:%s/i,%s/l", folder);
        cr_assert_eq(vgg_data_count(data), 2);
        cr_assert_eq(vgg_data_class_count(data), 4);
        cr_assert_eq(vgg_data_label(data, 0), 3);
        cr_assert_str_eq(vgg_data_class_name(data, 3), "3");
        cr_assert_str_eq(base(vgg_data_path(data, 1)), "i#1");
        cr_assert_eq(vgg_data_fetch(data, 1, &options, NULL, 0, 0, x), VGG_OK);
        static const int wanted[] = { 50, 50, 60, 60, 70, 70, 80, 80 };
        for (int i = 0; i < 2 * 4 * 3; i++)
            cr_assert_eq((int)x[i], wanted[i / 3]);
        vgg_data_destroy(data);
        data = open_data("idx:%s/i", folder);
        cr_assert_eq(vgg_data_class_count(data), 0);
        vgg_data_destroy(data);
        write_idx(folder, "cut", images, sizeof images - 1, gzip);
        expect_open_failure("idx:%s/cut", folder, VGG_ERR_FORMAT, "cut short");
        write_idx(folder, "few", labels, sizeof labels - 1, gzip);
        expect_open_failure("idx:%s/i,%s/few", folder, VGG_ERR_FORMAT, "cut short");
    }
    static const uint8_t three[8 + 3] = { 0, 0, 8, 1, 0, 0, 0, 3, 1, 1, 1 };
    write_idx(folder, "three", three, sizeof three, false);
    expect_open_failure("idx:%s/i,%s/three", folder, VGG_ERR_FORMAT, "3 labels for 2 images");
    expect_open_failure("idx:%s/l", folder, VGG_ERR_FORMAT, "not an IDX file");
    expect_open_failure("idx:%s/absent", folder, VGG_ERR_IO, "cannot be opened");
    static const uint8_t huge[16] = { 0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 127, 255, 0, 0, 127, 255 };
    write_idx(folder, "huge", huge, sizeof huge, false);
    struct vgg_data *data;
    char source[256];
    snprintf(source, sizeof source, "idx:%s/huge", folder);
    capture_log();
    cr_assert_neq(vgg_data_open(&data, source), VGG_OK);
    cr_assert_eq(logged_lines, 1);
    remove_folder(folder);
}

Test(data, fashion_mnist)
{
    static const char images[] = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";
    if (access(images, R_OK) != 0) cr_skip_test("dataset-fashion-mnist is not installed");
    struct vgg_data *data = open_data(
        "idx:%s,/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz?classes=8,9&per_class=25", images);
    cr_assert_eq(vgg_data_count(data), 50);
    cr_assert_eq(vgg_data_class_count(data), 2);
    cr_assert_str_eq(vgg_data_class_name(data, 1), "9");
    vgg_data_destroy(data);
}

static void write_array(const char *folder, const struct vgg_st_tensor *tensors, size_t count, const char *classes)
{
    char path[256];
    struct vgg_st_meta meta = { "classes", classes };
    snprintf(path, sizeof path, "%s/d.safetensors", folder);
    cr_assert_eq(vgg_st_write(path, tensors, count, &meta, classes ? 1 : 0), VGG_OK);
}

Test(data, safetensors_images)
{
    char *folder = make_folder();
    uint8_t bytes[2 * 2 * 1 * 3] = { 1, 2, 3, 4, 5, 6, 70, 80, 90, 100, 110, 120 };
    float floats[2 * 2 * 1 * 3], x[3 * 2];
    for (int i = 0; i < 12; i++)
        floats[i] = (float)bytes[i] + 0.25f;
    int64_t y[2] = { 1, 0 };
    const struct vgg_image_options same = { .height = 2, .width = 1, .preprocess = VGG_PREPROCESS_NONE };
    struct vgg_st_tensor tensors[2] = { { "x", VGG_DTYPE_U8, 4, { 2, 2, 1, 3 }, bytes, sizeof bytes },
                                        { "y", VGG_DTYPE_I64, 1, { 2 }, y, sizeof y } };
    write_array(folder, tensors, 2, "[\"cat\",\"dog\"]");
    struct vgg_data *data = open_data("%s/d.safetensors", folder);
    cr_assert_eq(vgg_data_class_count(data), 2);
    cr_assert_str_eq(vgg_data_class_name(data, 1), "dog");
    cr_assert_eq(vgg_data_label(data, 0), 1);
    for (int i = 0; i < 2; i++) {
        const char *const wanted[] = { "d.safetensors#0", "d.safetensors#1" };
        cr_assert_str_eq(base(vgg_data_path(data, (size_t)i)), wanted[i]);
    }
    cr_assert_eq(vgg_data_label(data, 2), -1);
    cr_assert_null(vgg_data_path(data, 2));
    cr_assert(!vgg_data_class_name(data, 2) && !vgg_data_class_name(data, -1));
    cr_assert_eq(vgg_data_fetch(data, 1, &same, NULL, 0, 0, x), VGG_OK);
    cr_assert_eq(x[5], 120.0f);
    vgg_data_destroy(data);
    write_array(folder, tensors, 2, "[\"a\\n\\u001b[2J\",\"caf\xC3\xA9\"]"); /* what moves a cursor is escaped */
    data = open_data("%s/d.safetensors", folder);
    cr_assert_str_eq(vgg_data_class_name(data, 0), "a\\n\\x1B[2J");
    cr_assert_str_eq(vgg_data_class_name(data, 1), "caf\xC3\xA9");
    vgg_data_destroy(data);
    tensors[0] = (struct vgg_st_tensor) { "x", VGG_DTYPE_F32, 4, { 2, 2, 1, 3 }, floats, sizeof floats };
    write_array(folder, tensors, 1, NULL);
    data = open_data("%s/d.safetensors", folder);
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    cr_assert_not(shape.features);
    cr_assert_eq(vgg_data_class_count(data), 0);
    cr_assert_eq(vgg_data_fetch(data, 1, &same, NULL, 0, 0, x), VGG_OK);
    cr_assert_eq(x[5], 120.25f);
    cr_assert_eq(vgg_data_fetch(data, 1, &one_pixel, NULL, 0, 0, x), VGG_OK);
    cr_assert_eq(x[2], 120.25f);
    struct vgg_image_options filtered = {
        1, 1, VGG_PREPROCESS_NONE, VGG_RESIZE_BILINEAR, VGG_CROP_NONE, VGG_DECODE_DEFAULT, false
    };
    cr_assert_eq(vgg_data_fetch(data, 1, &filtered, NULL, 0, 0, x), VGG_OK);
    cr_assert_float_eq(x[2], 105.0f, 1.0);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Labels of every kind, and what is no data set. */
Test(data, safetensors_labels_and_refusals)
{
    char *folder = make_folder();
    static const uint8_t zeros[32769 * 3];
    const int64_t wide[2] = { 1, 0 };
    const int32_t narrow[2] = { 1, 0 };
    const uint8_t bytes[2] = { 1, 0 };
    const struct vgg_st_tensor x = { "x", VGG_DTYPE_U8, 3, { 2, 3, 4 }, zeros, 24 };
    const struct vgg_st_tensor good[] = {
        { "y", VGG_DTYPE_I64, 1, { 2 }, wide, sizeof wide },
        { "y", VGG_DTYPE_I32, 1, { 2 }, narrow, sizeof narrow },
        { "y", VGG_DTYPE_U8, 2, { 2, 1 }, bytes, sizeof bytes },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        write_array(folder, (const struct vgg_st_tensor[]) { x, good[i] }, 2, NULL);
        struct vgg_data *data = open_data("%s/d.safetensors", folder);
        cr_assert(vgg_data_label(data, 0) == 1 && vgg_data_label(data, 1) == 0 && vgg_data_class_count(data) == 2);
        cr_assert_str_eq(vgg_data_class_name(data, 0), "0"); /* without names, their numbers */
        cr_assert_str_eq(vgg_data_class_name(data, 1), "1");
        vgg_data_destroy(data);
    }
    /* Grey images with their one channel written out. */
    struct vgg_st_tensor grey = x;
    float rgb[3 * 4 * 3];
    uint8_t values[24] = { 0 };
    const struct vgg_image_options same = { .height = 3, .width = 4, .preprocess = VGG_PREPROCESS_NONE };
    grey.rank = 4, grey.shape[3] = 1, grey.data = values, values[17] = 201;
    write_array(folder, &grey, 1, NULL);
    struct vgg_data *one = open_data("%s/d.safetensors", folder);
    cr_assert_eq(vgg_data_count(one), 2);
    cr_assert_eq(vgg_data_fetch(one, 1, &same, NULL, 0, 0, rgb), VGG_OK);
    for (int i = 0; i < 36; i++)
        cr_assert_eq(rgb[i], i / 3 == 5 ? 201.0f : 0.0f, "%d", i);
    vgg_data_destroy(one);
    static const struct {
        struct vgg_st_tensor tensor;
        enum vgg_status status;
        const char *words;
    } bad[] = {
        { { "y", VGG_DTYPE_F32, 1, { 2 }, zeros, 8 }, VGG_ERR_FORMAT, "one whole number" },
        { { "y", VGG_DTYPE_U8, 1, { 3 }, zeros, 3 }, VGG_ERR_FORMAT, "one whole number" },
        { { "y", VGG_DTYPE_U8, 2, { 2, 2 }, zeros, 4 }, VGG_ERR_FORMAT, "one whole number" },
        { { "y", VGG_DTYPE_U8, 0, { 0 }, zeros, 1 }, VGG_ERR_FORMAT, "one whole number" },
        { { "x", VGG_DTYPE_U8, 3, { 2, 0, 4 }, zeros, 0 }, VGG_ERR_FORMAT, "impossible extent" },
        { { "x", VGG_DTYPE_F32, 2, { 0, 4 }, zeros, 0 }, VGG_ERR_FORMAT, "impossible extent" },
        { { "x", VGG_DTYPE_U8, 4, { 1, 32769, 1, 3 }, zeros, 32769 * 3 },
          VGG_ERR_UNSUPPORTED,
          "1 x 32769 are too large" },
        { { "x", VGG_DTYPE_U8, 3, { 1, 1, 32769 }, zeros, 32769 }, VGG_ERR_UNSUPPORTED, "32769 x 1 are too large" },
        { { "x", VGG_DTYPE_F32, 0, { 0 }, zeros, 4 }, VGG_ERR_FORMAT, "must be images" },
        { { "x", VGG_DTYPE_F32, 1, { 4 }, zeros, 16 }, VGG_ERR_FORMAT, "must be images" },
        { { "x", VGG_DTYPE_F32, 5, { 1, 1, 1, 1, 3 }, zeros, 12 }, VGG_ERR_FORMAT, "must be images" },
        { { "x", VGG_DTYPE_U8, 2, { 2, 3 }, zeros, 6 }, VGG_ERR_FORMAT, "must be images" },
        { { "x", VGG_DTYPE_U8, 4, { 1, 1, 1, 2 }, zeros, 2 }, VGG_ERR_FORMAT, "must be images" },
        { { "x", VGG_DTYPE_I32, 4, { 1, 1, 1, 3 }, zeros, 12 }, VGG_ERR_FORMAT, "must be images" },
        { { "z", VGG_DTYPE_U8, 3, { 2, 3, 4 }, zeros, 24 }, VGG_ERR_MISSING, "has no tensor x" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bool labels = bad[i].tensor.name[0] == 'y';
        write_array(folder, (const struct vgg_st_tensor[]) { bad[i].tensor, x }, labels ? 2 : 1, NULL);
        expect_open_failure("%s/d.safetensors", folder, bad[i].status, bad[i].words);
    }
    static const char *const classes[] = { "[]", "{}", "{\"a\": 1}", "[\"a\", 1]", "[", "\"a\"", "" };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        write_array(folder, (const struct vgg_st_tensor[]) { x, good[0] }, 2, classes[i]);
        expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "JSON array of names");
    }
    write_array(folder, (const struct vgg_st_tensor[]) { x, good[0] }, 2, "[\"a\"]");
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "d.safetensors");
    remove_folder(folder);
}

/* Arrays too large to be written here: files with a hole. */
Test(data, safetensors_extents)
{
    static const struct {
        const char *shape;
        long long size;
        enum vgg_status status;
        const char *words;
    } bad[] = {
        { "1,10001,10000", 100010000, VGG_ERR_UNSUPPORTED, "images of 10000 x 10001 are too large" },
        { "1,2147483648", 2147483648, VGG_ERR_FORMAT, "impossible extent" },
    };
    char *folder = make_folder(), path[256], text[128] = "";
    snprintf(path, sizeof path, "%s/d.safetensors", folder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int n =
            snprintf(text + 8, sizeof text - 8, "{\"x\":{\"dtype\":\"U8\",\"shape\":[%s],\"data_offsets\":[0,%lld]}}",
                     bad[i].shape, bad[i].size);
        text[0] = (char)n;
        write_file(folder, "d.safetensors", text, 8 + (size_t)n);
        cr_assert_eq(truncate(path, 8 + n + bad[i].size), 0);
        expect_open_failure("%s/d.safetensors", folder, bad[i].status, bad[i].words);
    }
    remove_folder(folder);
}

Test(data, safetensors_features)
{
    char *folder = make_folder();
    float values[3 * 4] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -11.5f }, x[4];
    int32_t y[3] = { 2, 0, 2 };
    struct vgg_st_tensor tensors[2] = { { "x", VGG_DTYPE_F32, 2, { 3, 4 }, values, sizeof values },
                                        { "y", VGG_DTYPE_I32, 1, { 3 }, y, sizeof y } };
    write_array(folder, tensors, 2, NULL);
    struct vgg_data *data = open_data("%s/d.safetensors", folder);
    struct vgg_data_shape shape;
    vgg_data_shape(data, &shape);
    cr_assert(shape.features && shape.h == 1 && shape.w == 1 && shape.c == 4);
    int h, w, c;
    cr_assert(vgg_data_features(data, &h, &w, &c) && h == 1 && w == 1 && c == 4);
    cr_assert_eq(vgg_data_class_count(data), 3);
    cr_assert_eq(vgg_data_fetch(data, 2, NULL, NULL, 0, 0, x), VGG_OK);
    cr_assert_eq(x[3], -11.5f);
    vgg_data_destroy(data);
    int64_t bad[3] = { 0, -1, 0 };
    tensors[1] = (struct vgg_st_tensor) { "y", VGG_DTYPE_I64, 1, { 3 }, bad, sizeof bad };
    write_array(folder, tensors, 2, NULL);
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "label -1 of item 1 is out of range");
    bad[1] = 2;
    write_array(folder, tensors, 2, "[\"a\",\"b\"]");
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "must be 0 to 1");
    write_array(folder, tensors, 2, "[\"a\",3]");
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "JSON array of names");
    tensors[1].shape[0] = 2, tensors[1].size = 16;
    write_array(folder, tensors, 2, NULL);
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "tensor y");
    write_array(folder, tensors + 1, 1, NULL);
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_MISSING, "no tensor x");
    tensors[0] = (struct vgg_st_tensor) { "x", VGG_DTYPE_I32, 1, { 3 }, y, sizeof y };
    write_array(folder, tensors, 1, NULL);
    expect_open_failure("%s/d.safetensors", folder, VGG_ERR_FORMAT, "tensor x must be");
    remove_folder(folder);
}

Test(data, from_features)
{
    char *folder = class_folders();
    struct vgg_data *like = open_data("%s", folder), *data;
    float values[2 * 6] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, x[6];
    int labels[2] = { 2, 1 };
    cr_assert_eq(vgg_data_from_features(&data, like, values, labels, 2, 1, 2, 3), VGG_OK);
    cr_assert_str_eq(vgg_data_class_name(data, 2), "b");
    vgg_data_destroy(like);
    cr_assert_eq(vgg_data_label(data, 0), 2);
    cr_assert_eq(vgg_data_class_count(data), 3);
    cr_assert_eq(vgg_data_fetch(data, 1, NULL, NULL, 0, 0, x), VGG_OK);
    cr_assert_eq(x[5], 11.0f);
    vgg_data_destroy(data);
    cr_assert_eq(vgg_data_from_features(&data, NULL, values, NULL, 2, 1, 1, 6), VGG_OK);
    cr_assert_eq(vgg_data_class_count(data), 0);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* What comes out depends on (seed, pass, index) alone. */
Test(data, augmentation)
{
    char *folder = make_folder();
    uint8_t idx[16 + 64] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8 };
    for (int i = 0; i < 64; i++)
        idx[16 + i] = (uint8_t)(i * 37);
    write_file(folder, "i", idx, sizeof idx);
    struct vgg_data *data = open_data("idx:%s/i", folder);
    const struct vgg_image_options options = { .height = 8, .width = 8, .preprocess = VGG_PREPROCESS_NONE };
    const struct vgg_augment_options augment = { .rotate = 40, .flip = true }, none = { 0 };
    float a[192], b[192], plain[192];
    cr_assert_eq(vgg_data_fetch(data, 0, &options, NULL, 1, 2, plain), VGG_OK);
    cr_assert_eq(vgg_data_fetch(data, 0, &options, &none, 1, 2, a), VGG_OK);
    cr_assert_arr_eq(a, plain, sizeof a);
    cr_assert_eq(vgg_data_fetch(data, 0, &options, &augment, 1, 2, a), VGG_OK);
    cr_assert_eq(vgg_data_fetch(data, 0, &options, &augment, 1, 2, b), VGG_OK);
    cr_assert_arr_eq(a, b, sizeof a);
    cr_assert_arr_neq(a, plain, sizeof a);
    cr_assert_eq(vgg_data_fetch(data, 0, &options, &augment, 1, 3, b), VGG_OK);
    cr_assert_arr_neq(a, b, sizeof a);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Real photos, where VGG16_TEST_DATA names the folder that holds them. */
Test(data, photos)
{
    const char *root = getenv("VGG16_TEST_DATA");
    if (!root) cr_skip_test("VGG16_TEST_DATA is not set");
    struct vgg_data *data = open_data("%s/cats-and-dogs/validation", root);
    cr_assert_eq(vgg_data_count(data), 1000);
    cr_assert_eq(vgg_data_class_count(data), 2);
    cr_assert_str_eq(vgg_data_class_name(data, 0), "cat");
    const struct vgg_image_options options = { .height = 150, .width = 150, .preprocess = VGG_PREPROCESS_RESCALE };
    float *x = malloc(150 * 150 * 3 * sizeof *x);
    for (size_t i = 0; i < 1000; i += 50)
        cr_assert_eq(vgg_data_fetch(data, i, &options, NULL, 0, 0, x), VGG_OK);
    free(x);
    vgg_data_destroy(data);
}
