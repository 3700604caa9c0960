/* Tables of images and their classes. */
#include "data_files.h"

#include "core/data/check.h"
#include "core/data/data.h"

static struct vgg_data *open_table(const char *folder, const char *text, size_t size)
{
    char source[256];
    struct vgg_data *data;
    write_file(folder, "in/list.csv", text, size);
    snprintf(source, sizeof source, "%s/in/list.csv", folder);
    capture_log();
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK, "%s", logged);
    cr_assert_eq(logged_lines, 0, "%s", logged);
    return data;
}

static void expect_item(const struct vgg_data *data, size_t index, const char *folder, const char *path, int label)
{
    char whole[256];
    snprintf(whole, sizeof whole, "%s%s", *path == '/' ? "" : folder, path);
    if (*path != '/') snprintf(whole, sizeof whole, "%s/in/%s", folder, path);
    cr_expect_str_eq(vgg_data_path(data, index), whole);
    cr_expect_eq(vgg_data_label(data, index), label, "item %zu: %d", index, vgg_data_label(data, index));
}

static void refuse_table(const char *folder, const char *text, enum vgg_status status, const char *what)
{
    char source[256];
    struct vgg_data *data;
    write_file(folder, "in/list.csv", text, strlen(text));
    snprintf(source, sizeof source, "%s/in/list.csv", folder);
    EXPECT_FAILURE(vgg_data_open(&data, source), status, what);
    cr_assert_null(data);
}

/* A header, Windows' lines, a byte order mark, quotes with commas, quotes and line ends in them, empty rows. */
Test(data_csv, rows)
{
    static const char text[] = "\xEF\xBB\xBFpath,label\r\n"
                               "z.bmp,wasp\r\n\r\n"
                               "\"a, b.bmp\",\"the \"\"bee\"\"\"\r\n"
                               "/abs/x.jpg , Ant \r\n"
                               "sub/\"q.bmp,wasp\n"
                               "\"two\nlines.bmp\",10\n"
                               "no suffix,9";
    char *folder = make_folder();
    struct vgg_data *data = open_table(folder, text, sizeof text - 1);
    static const char *const names[] = { "10", "9", "Ant", "the \"bee\"", "wasp" };
    cr_assert_eq(vgg_data_count(data), 6);
    cr_assert_eq(vgg_data_class_count(data), 5);
    for (int i = 0; i < 5; i++)
        cr_expect_str_eq(vgg_data_class_name(data, i), names[i]);
    expect_item(data, 0, folder, "z.bmp", 4);
    expect_item(data, 1, folder, "a, b.bmp", 3);
    expect_item(data, 2, folder, "/abs/x.jpg", 2);
    expect_item(data, 3, folder, "sub/\"q.bmp", 4);
    expect_item(data, 4, folder, "two\\nlines.bmp", 0);
    expect_item(data, 5, folder, "no suffix", 1);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Without a header, and more rows than fit at first; the images are those that the paths lead to. */
Test(data_csv, without_a_header)
{
    static const struct vgg_image_options one_pixel = { .height = 1, .width = 1, .preprocess = VGG_PREPROCESS_NONE };
    enum { ROWS = 700 };
    static char text[ROWS * 16];
    char *folder = make_folder();
    size_t used = 0;
    for (int i = 0; i < ROWS; i++)
        used += (size_t)snprintf(&text[used], sizeof text - used, "%d.bmp,%c\n", i, 'a' + i % 7);
    write_picture(folder, "in/3.bmp", 30, 0, 0);
    struct vgg_data *data = open_table(folder, text, used);
    cr_assert_eq(vgg_data_count(data), ROWS);
    cr_assert_eq(vgg_data_class_count(data), 7);
    for (size_t i = 0; i < ROWS; i++)
        cr_expect_eq(vgg_data_label(data, i), (int)(i % 7));
    float x[3] = { -1, -1, -1 };
    cr_assert_eq(vgg_data_fetch(data, 3, &one_pixel, NULL, 0, 0, x), VGG_OK);
    cr_expect_eq(x[0], 30);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Images need no suffix: a first row whose path leads to something, a folder by mistake, too, is no header. */
Test(data_csv, first_row_without_a_suffix)
{
    char *folder = make_folder();
    static const char text[] = "b1,wasp\na2,ant\n";
    write_picture(folder, "in/b1", 30, 0, 0);
    struct vgg_data *data = open_table(folder, text, sizeof text - 1);
    cr_assert_eq(vgg_data_count(data), 2);
    expect_item(data, 0, folder, "b1", 1);
    expect_item(data, 1, folder, "a2", 0);
    vgg_data_destroy(data);
    static const char header[] = "a2,wasp\nb1,ant\n";
    data = open_table(folder, header, sizeof header - 1);
    cr_assert_eq(vgg_data_count(data), 1);
    expect_item(data, 0, folder, "b1", 0);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(data_csv, refused)
{
    char *folder = make_folder();
    refuse_table(folder, "path,label\n", VGG_ERR_MISSING, "list.csv: lists no images");
    refuse_table(folder, "", VGG_ERR_FORMAT, "list.csv");
    refuse_table(folder, "a.bmp,x\n\nb.bmp\n", VGG_ERR_FORMAT, "list.csv:3: has 1 field, not 2; a row is PATH,LABEL");
    refuse_table(folder, "path,label,f0\na.bmp,0,0.5\n", VGG_ERR_FORMAT, "list.csv:1: has 3 fields, not 2");
    refuse_table(folder, "a.bmp,x\nb.bmp, \n", VGG_ERR_FORMAT, "list.csv:2: has no label");
    refuse_table(folder, "a.bmp,x\n,y\n", VGG_ERR_FORMAT, "list.csv:2: has no path");
    refuse_table(folder, "\"a\n.bmp\",x\n\"b.bmp,y\n\n", VGG_ERR_FORMAT, "list.csv:3: a quote is not closed");
    refuse_table(folder, "\"a.bmp\"x,y\n", VGG_ERR_FORMAT, "list.csv:1: a quoted field goes on behind its quote");
    remove_folder(folder);
}

/* What is wrong with an image is told with its line, whatever part of the data it is asked of. */
Test(data_csv, lines_of_bad_images)
{
    static const struct vgg_image_options one_pixel = { .height = 1, .width = 1, .preprocess = VGG_PREPROCESS_NONE };
    static const char text[] = "path,label\n\"two\nlines.bmp\",b\n\ngone.bmp,c\nbad.bmp,a\n";
    static const char list[] = "\n\ntwo.bmp\n\ngone.bmp\n";
    char *folder = make_folder(), source[256];
    struct vgg_data *data;
    float x[3];
    write_picture(folder, "in/two\nlines.bmp", 30, 0, 0);
    write_picture(folder, "in/two.bmp", 30, 0, 0);
    write_file(folder, "in/bad.bmp", "no image", 8);
    data = open_table(folder, text, sizeof text - 1);
    EXPECT_FAILURE(vgg_data_fetch(data, 1, &one_pixel, NULL, 0, 0, x), VGG_ERR_IO, "in/list.csv:5: ");
    cr_expect_not_null(strstr(logged, "in/gone.bmp: cannot be opened: No such file or directory"));
    EXPECT_FAILURE(vgg_data_fetch(data, 2, &one_pixel, NULL, 0, 0, x), VGG_ERR_FORMAT, "in/list.csv:6: ");
    EXPECT_FAILURE(vgg_data_check(data, NULL, NULL), VGG_ERR_IO, "in/list.csv:5: ");
    vgg_data_destroy(data);
    snprintf(source, sizeof source, "%s/in/list.csv?classes=0,2", folder);
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK);
    EXPECT_FAILURE(vgg_data_fetch(data, 0, &one_pixel, NULL, 0, 0, x), VGG_ERR_IO, "in/list.csv:5: ");
    EXPECT_FAILURE(vgg_data_fetch(data, 1, &one_pixel, NULL, 0, 0, x), VGG_ERR_FORMAT, "in/list.csv:6: ");
    vgg_data_destroy(data);
    write_file(folder, "in/list.txt", list, sizeof list - 1);
    snprintf(source, sizeof source, "%s/in/list.txt", folder);
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK);
    cr_expect_eq(vgg_data_fetch(data, 0, &one_pixel, NULL, 0, 0, x), VGG_OK);
    EXPECT_FAILURE(vgg_data_fetch(data, 1, &one_pixel, NULL, 0, 0, x), VGG_ERR_IO, "in/list.txt:5: ");
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Under two labels an image is refused with both lines; listed again under one, it counts again, with a warning. */
Test(data_csv, an_image_again)
{
    static const char twice[] = "z.bmp,x\nb.bmp,y\nz.bmp,x\n",
                      more[] = "b.bmp,y\n\nz.bmp,x\nb.bmp,y\nb.bmp,y\nz.bmp,x\n";
    char *folder = make_folder(), source[256];
    struct vgg_data *data;
    refuse_table(folder, "path,label\nz.bmp,dog\n\nb.bmp,cat\nz.bmp,dog\nz.bmp,cat\n", VGG_ERR_FORMAT,
                 "/in/list.csv:6: ");
    cr_expect_not_null(strstr(logged, "/in/z.bmp is cat here and dog in line 5; give it one label"), "%s", logged);
    snprintf(source, sizeof source, "%s/in/list.csv", folder);
    for (int i = 0; i < 2; i++) {
        write_file(folder, "in/list.csv", i ? more : twice, (i ? sizeof more : sizeof twice) - 1);
        capture_log();
        cr_assert_eq(vgg_data_open(&data, source), VGG_OK);
        cr_expect_eq(vgg_data_count(data), i ? 5 : 3);
        cr_expect_eq(logged_lines, 1);
        cr_expect_not_null(strstr(logged, i ? ": lists 3 images again, as line 4 that of line 1; each time counts"
                                            : ": lists 1 image again, as line 3 that of line 1; each time counts"),
                           "%s", logged);
        vgg_data_destroy(data);
    }
    remove_folder(folder);
}

/* Who asks for images alone needs no labels: neither two, nor none, nor more fields are refused, and none is kept. */
Test(data_csv, images_alone)
{
    static const char table[] = "file,width,label\nz.bmp,1,dog\nz.bmp\nb.bmp,\n\"z.bmp\",2,cat,\"x,y\"\n",
                      empty[] = "z.bmp,dog\n,cat\n", chosen[] = "z.bmp,dog\nb.bmp,cat\nz.bmp,dog\n";
    char *folder = make_folder(), source[256];
    const char *paths[] = { source };
    struct vgg_data *data;
    snprintf(source, sizeof source, "%s/in/list.csv", folder);
    write_file(folder, "in/list.csv", table, sizeof table - 1);
    cr_assert_eq(vgg_data_open_images(&data, paths, 1), VGG_OK);
    cr_assert_eq(vgg_data_count(data), 4);
    cr_expect_eq(vgg_data_label(data, 3), -1);
    for (size_t i = 0; i < 4; i++)
        cr_expect_not_null(strstr(vgg_data_path(data, i), i == 2 ? "/in/b.bmp" : "/in/z.bmp"), "%zu", i);
    vgg_data_destroy(data);
    EXPECT_FAILURE(vgg_data_open(&data, source), VGG_ERR_FORMAT, "list.csv:1: ");
    write_file(folder, "in/list.csv", empty, sizeof empty - 1);
    EXPECT_FAILURE(vgg_data_open_images(&data, paths, 1), VGG_ERR_FORMAT, "list.csv:2: has no path");
    write_file(folder, "in/list.csv", chosen, sizeof chosen - 1);
    snprintf(source, sizeof source, "%s/in/list.csv?per_class=1", folder); /* labels select, and then are passed over */
    cr_assert_eq(vgg_data_open_images(&data, paths, 1), VGG_OK);
    cr_expect_eq(vgg_data_count(data), 2);
    cr_expect_eq(vgg_data_label(data, 1), -1);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* A field ends where the file does, too; a carriage return counts as a line's end only before one. */
Test(data_csv, ends_of_fields)
{
    static const struct {
        const char *text, *path, *label;
    } tables[] = {
        { "a.bmp,\"x\"", "a.bmp", "x" },
        { "a.bmp,\"\"\"\"", "a.bmp", "\"" },
        { "a.bmp,x\r", "a.bmp", "x" },
        { "a.bmp,\"x\"\r\n\r\n", "a.bmp", "x" },
        { "a\rb.bmp,x\ry\n", "a\\rb.bmp", "x\\ry" },
        { "\"a\r\nb.bmp\",x", "a\\r\\nb.bmp", "x" },
        { "\xEF\xBB.bmp,\t x\t \n", "\\xEF\\xBB.bmp", "x" },
        { "\xEF\xBB\xBF\"a,b.bmp\" , x", NULL, "a quoted field goes on behind its quote" },
        { "a.bmp,\"x", NULL, "a quote is not closed" },
        { "a.bmp,\"", NULL, "a quote is not closed" },
        { "a.bmp,\"x\"\"", NULL, "a quote is not closed" },
    };
    static const char zero[] = "a.bmp,x\nb\0.bmp,y\n";
    char *folder = make_folder(), source[256];
    struct vgg_data *data;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (!tables[i].path) {
            refuse_table(folder, tables[i].text, VGG_ERR_FORMAT, tables[i].label);
            continue;
        }
        data = open_table(folder, tables[i].text, strlen(tables[i].text));
        cr_assert_eq(vgg_data_count(data), 1);
        expect_item(data, 0, folder, tables[i].path, 0);
        cr_expect_str_eq(vgg_data_class_name(data, 0), tables[i].label);
        vgg_data_destroy(data);
    }
    write_file(folder, "in/list.csv", zero, sizeof zero - 1);
    snprintf(source, sizeof source, "%s/in/list.csv", folder);
    EXPECT_FAILURE(vgg_data_open(&data, source), VGG_ERR_FORMAT, "list.csv:2: holds a byte of 0");
    remove_folder(folder);
}

/* As many classes as there may be, and one more. */
Test(data_csv, most_classes)
{
    enum { MOST = 65536, ROW = 16 };
    char *folder = make_folder(), *text = malloc((MOST + 1) * ROW);
    size_t used = 0, fits = 0;
    for (int i = 0; i <= MOST; i++) {
        fits = used;
        used += (size_t)snprintf(text + used, ROW, "%x.bmp,%x\n", i, MOST - i);
    }
    struct vgg_data *data = open_table(folder, text, fits);
    cr_expect_eq(vgg_data_class_count(data), MOST);
    cr_expect_str_eq(vgg_data_class_name(data, vgg_data_label(data, 5)), "fffb");
    vgg_data_destroy(data);
    refuse_table(folder, text, VGG_ERR_UNSUPPORTED, "has 65537 labels; at most 65536 classes are possible");
    free(text);
    remove_folder(folder);
}
