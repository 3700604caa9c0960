/* Pictures: PNG files give back every byte, JPEG files nearly; other sizes keep proportions; what goes wrong says so.
 */
#include "data_files.h"

#include <math.h>

#include "core/image/caption.h"
#include "core/image/colour.h"
#include "core/image/heat.h"
#include "core/image/picture.h"
#include "core/image/sheet.h"

/* Ramps with a bright disc: smooth enough for JPEG. By malloc. */
static struct vgg_image make_image(int height, int width)
{
    struct vgg_image image = { height, width, malloc((size_t)height * (size_t)width * 3), 0, 0, false };
    uint8_t *at = image.rgb;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, at += 3) {
            double distance = hypot(y - height / 2.0, x - width / 2.0);
            at[0] = (uint8_t)(255 * y / height);
            at[1] = (uint8_t)(255 * x / width);
            at[2] = (uint8_t)fmax(0, 255 - 6 * distance);
        }
    }
    return image;
}

static void read_back(struct vgg_image *image, const char *folder, const char *name)
{
    char path[256], why[VGG_IMAGE_WHY];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(vgg_image_read(image, path, why), VGG_OK, "%s", why);
}

static size_t files_in(const char *folder)
{
    char command[256], line[16] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *f = popen(command, "r");
    cr_assert_not_null(fgets(line, sizeof line, f));
    pclose(f);
    return (size_t)atol(line);
}

Test(picture, png_keeps_every_byte)
{
    static const int sizes[][2] = { { 1, 1 }, { 1, 300 }, { 257, 1 }, { 61, 83 }, { 300, 200 } };
    char *folder = make_folder(), path[256];
    snprintf(path, sizeof path, "%s/p.png", folder);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vgg_image image = make_image(sizes[i][0], sizes[i][1]), again;
        cr_assert_eq(vgg_picture_write(path, &image, NULL), VGG_OK); /* replaces the last one */
        read_back(&again, folder, "p.png");
        cr_assert_eq(again.height, image.height);
        cr_assert_eq(again.width, image.width);
        cr_assert_arr_eq(again.rgb, image.rgb, (size_t)image.height * (size_t)image.width * 3);
        vgg_image_finish(&again);
        vgg_image_finish(&image);
    }
    cr_assert_eq(files_in(folder), 1);
    remove_folder(folder);
}

Test(picture, png_is_compressed)
{
    struct vgg_image image = make_image(200, 300);
    uint8_t *png;
    size_t size;
    cr_assert_eq(vgg_picture_png(&png, &size, &image), VGG_OK);
    cr_assert_lt(size, 200u * 300 * 3 / 4);
    free(png);
    vgg_image_finish(&image);
}

Test(picture, jpeg_is_near)
{
    char *folder = make_folder();
    struct vgg_image image = make_image(150, 203), again;
    uint8_t *jpeg;
    size_t size, count = 150 * 203 * 3;
    cr_assert_eq(vgg_picture_jpeg(&jpeg, &size, &image), VGG_OK);
    cr_assert_lt(size, count / 10);
    write_file(folder, "p.jpg", jpeg, size);
    read_back(&again, folder, "p.jpg");
    cr_assert_eq(again.width, 203);
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += fabs((double)again.rgb[i] - image.rgb[i]);
    cr_assert_lt(sum / (double)count, 3.0, "mean difference %g", sum / (double)count);
    vgg_image_finish(&again);
    vgg_image_finish(&image);
    free(jpeg);
    remove_folder(folder);
}

Test(picture, shrinks_in_proportion)
{
    static const int cases[][5] = { /* height, width, side, and what comes of it */
                                    { 300, 400, 100, 75, 100 },
                                    { 400, 300, 100, 100, 75 },
                                    { 60, 80, 100, 60, 80 },
                                    { 1, 400, 100, 1, 100 },
                                    { 100, 100, 100, 100, 100 }
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_image image = make_image(cases[i][0], cases[i][1]), small;
        cr_assert_eq(vgg_picture_shrink(&small, &image, cases[i][2]), VGG_OK);
        cr_assert_eq(small.height, cases[i][3]);
        cr_assert_eq(small.width, cases[i][4]);
        cr_assert_neq(small.rgb, image.rgb);
        int y = small.height / 2, x = small.width / 4; /* the ramps are where they were */
        cr_assert_lt(abs(small.rgb[(y * small.width + x) * 3 + 1] - 255 / 4), 6);
        vgg_image_finish(&small);
        vgg_image_finish(&image);
    }
}

Test(picture, failures)
{
    char *folder = make_folder(), path[256];
    struct vgg_image image = make_image(8, 8), none = { 0, 8, NULL, 0, 0, false },
                     large = { 20000, 20000, NULL, 0, 0, false };
    uint8_t *png = (uint8_t *)folder;
    size_t size;
    EXPECT_FAILURE(vgg_picture_png(&png, &size, &none), VGG_ERR_UNSUPPORTED, "8 x 0 pixels");
    cr_assert_null(png);
    EXPECT_FAILURE(vgg_picture_jpeg(&png, &size, &large), VGG_ERR_UNSUPPORTED, "20000 x 20000 pixels");
    snprintf(path, sizeof path, "%s/no/p.png", folder);
    EXPECT_FAILURE(vgg_picture_write(path, &image, NULL), VGG_ERR_IO, "no/p.png: cannot be written");
    EXPECT_FAILURE(vgg_picture_write(folder, &image, NULL), VGG_ERR_IO, "is no regular file");
    cr_assert_eq(files_in(folder), 0);
    vgg_image_finish(&image);
    remove_folder(folder);
}

/* Relative luminance of an sRGB colour. Source: IEC 61966-2-1. */
static double luminance(const uint8_t rgb[3])
{
    static const double share[] = { 0.2126, 0.7152, 0.0722 };
    double sum = 0;
    for (int c = 0; c < 3; c++) {
        double v = rgb[c] / 255.0;
        sum += share[c] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

Test(colour, lightness_grows)
{
    static const enum vgg_colours colours[] = { VGG_COLOURS_VIRIDIS, VGG_COLOURS_INFERNO, VGG_COLOURS_GREY };
    for (size_t k = 0; k < sizeof colours / sizeof *colours; k++) {
        double last = -1;
        for (int i = 0; i <= 64; i++) {
            uint8_t rgb[3];
            vgg_colour_map(rgb, i / 64.0, colours[k]);
            cr_assert_gt(luminance(rgb), last, "map %d at %d/64", colours[k], i);
            last = luminance(rgb);
        }
    }
}

Test(colour, jet_and_values_outside)
{
    static const struct {
        double value;
        uint8_t rgb[3];
    } cases[] = { { 0, { 0, 0, 128 } },  { 0.25, { 0, 128, 255 } }, { 0.5, { 128, 255, 128 } },    { 1, { 128, 0, 0 } },
                  { -3, { 0, 0, 128 } }, { 7, { 128, 0, 0 } },      { (double)NAN, { 0, 0, 128 } } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t rgb[3];
        vgg_colour_map(rgb, cases[i].value, VGG_COLOURS_JET);
        cr_assert_arr_eq(rgb, cases[i].rgb, 3, "%g: %d %d %d", cases[i].value, rgb[0], rgb[1], rgb[2]);
    }
}

Test(colour, bytes_are_rounded_and_clamped)
{
    static const struct {
        float value;
        uint8_t byte;
    } cases[] = { { -INFINITY, 0 }, { -3.75f, 0 },    { 0.49f, 0 },      { 0.5f, 1 },     { 1.49f, 1 },
                  { 2.5f, 3 },      { 200.25f, 200 }, { 254.49f, 254 },  { 254.5f, 255 }, { 255, 255 },
                  { 255.75f, 255 }, { 513, 255 },     { INFINITY, 255 }, { NAN, 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_assert_eq(vgg_colour_byte(cases[i].value), cases[i].byte, "%g", (double)cases[i].value);
}

/* A 4 x 4 map with one hot place over the middle half of a grey image. */
Test(heat, lies_where_the_map_says)
{
    float map[16] = { 0 };
    struct vgg_image image = { 80, 160, malloc(80 * 160 * 3), 0, 0, false };
    memset(image.rgb, 100, 80 * 160 * 3);
    struct vgg_heat heat = { .height = 4,
                             .width = 4,
                             .map = map,
                             .colours = VGG_COLOURS_GREY,
                             .alpha = 1,
                             .window = { 40, 80, 0, 20, 40, 40 } };
    cr_assert_eq(vgg_heat_apply(&image, &heat), VGG_OK);
    cr_assert_eq(image.rgb[(40 * 160 + 80) * 3], 100); /* zeros change nothing */
    cr_assert_eq(image.rgb[(40 * 160 + 10) * 3], 40);  /* but outside is darker */
    map[1 * 4 + 2] = 5;
    memset(image.rgb, 100, 80 * 160 * 3);
    cr_assert_eq(vgg_heat_apply(&image, &heat), VGG_OK);
    int hottest = 0;
    for (int i = 0; i < 80 * 160; i++)
        if (image.rgb[i * 3] > image.rgb[hottest * 3]) hottest = i;
    cr_assert_lt(abs(hottest / 160 - 30), 3); /* row 1.5 of 4 on 80 pixels */
    cr_assert_lt(abs(hottest % 160 - 90), 3); /* column 2.5 of 4 on 80 pixels from 40 on */
    cr_assert_gt(image.rgb[hottest * 3], 240);
    cr_assert_eq(image.rgb[(70 * 160 + 50) * 3], 100);
    vgg_image_finish(&image);
}

/* A black picture with one line of text at (top, left). By malloc. */
static struct vgg_image write_words(const char *text, int top, int left, int width, int scale)
{
    struct vgg_image image = { 40, 160, calloc(40 * 160, 3), 0, 0, false };
    vgg_caption_draw(&image, text, top, left, width, scale);
    return image;
}

static bool lit(const struct vgg_image *image, int y, int x)
{
    return image->rgb[(y * image->width + x) * 3] != 0;
}

/* Columns from the first to behind the last that holds ink; rows likewise. */
static void ink_box(const struct vgg_image *image, int box[4])
{
    int found[4] = { image->height, 0, image->width, 0 };
    for (int i = 0; i < image->height * image->width; i++) {
        int y = i / image->width, x = i % image->width;
        if (!lit(image, y, x)) continue;
        if (y < found[0]) found[0] = y;
        if (y >= found[1]) found[1] = y + 1;
        if (x < found[2]) found[2] = x;
        if (x >= found[3]) found[3] = x + 1;
    }
    memcpy(box, found, sizeof found);
}

Test(sheet, strongest_channels_in_order)
{
    enum { H = 2, W = 3, C = 5 };
    static const float mean[C] = { 1, 4, 0, 4, 2 };
    char *folder = make_folder(), path[256];
    float maps[H * W * C];
    struct vgg_image photo = make_image(30, 40), again;
    struct vgg_sheet *sheet;
    int strongest[4];
    for (int i = 0; i < H * W * C; i++)
        maps[i] = i / C == 4 ? 6 * mean[i % C] : 0; /* one place of each map */
    cr_assert_eq(vgg_sheet_create(&sheet, 2, 4, H, W, VGG_COLOURS_GREY), VGG_OK);
    cr_assert_eq(vgg_sheet_add(sheet, &photo, maps, C, strongest), VGG_OK);
    cr_assert_arr_eq(strongest, ((int[]) { 1, 3, 4, 0 }), sizeof strongest);
    snprintf(path, sizeof path, "%s/s.png", folder);
    cr_assert_eq(vgg_sheet_write(sheet, path, NULL), VGG_OK);
    read_back(&again, folder, "s.png");
    int height = again.height;
    vgg_image_finish(&again);
    cr_assert_eq(vgg_sheet_add(sheet, &photo, maps, C, strongest), VGG_OK);
    EXPECT_FAILURE(vgg_sheet_add(sheet, &photo, maps, C, strongest), VGG_ERR_ARGUMENT, "is full");
    cr_assert_eq(vgg_sheet_write(sheet, path, NULL), VGG_OK);
    read_back(&again, folder, "s.png");
    cr_assert_gt(again.height, height + 80); /* another band */
    int white = 0;
    for (int i = 0; i < again.height * again.width; i++)
        white += again.rgb[i * 3] == 255 && again.rgb[i * 3 + 1] == 255 && again.rgb[i * 3 + 2] == 255;
    cr_assert_geq(white, 2 * 4 * 96 / H * 96 / H); /* the largest place of each tile */
    /* Under the tiles stand the channels' numbers: as they look on a picture of their own. */
    int left = 24 + (int)lround((96 + 12) * 144.0 / 96);
    for (int k = 0; k < 4; k++) {
        char number[8];
        snprintf(number, sizeof number, "%d", strongest[k]);
        struct vgg_image words = write_words(number, 2, 0, 144, 1);
        for (int i = 0; i < 12 * 100; i++) {
            int y = i / 100, x = i % 100;
            uint8_t ink = again.rgb[((12 + 96 + y) * again.width + left + k * 150 + x) * 3];
            cr_assert_eq(ink > 200, lit(&words, y, x), "%d: %d %d", k, y, x);
        }
        vgg_image_finish(&words);
    }
    vgg_image_finish(&again);
    vgg_sheet_destroy(sheet);
    vgg_image_finish(&photo);
    EXPECT_FAILURE(vgg_sheet_create(&sheet, 100000, 8, 14, 14, VGG_COLOURS_GREY), VGG_ERR_ARGUMENT, "do not fit");
    remove_folder(folder);
}

Test(caption, stands_where_it_should)
{
    int small[4], large[4];
    struct vgg_image one = write_words("E7", 5, 9, 100, 1), two = write_words("E7", 5, 9, 100, 2);
    ink_box(&one, small);
    ink_box(&two, large);
    cr_assert(small[0] >= 5 && small[1] <= 5 + VGG_CAPTION_HEIGHT && small[1] - small[0] >= 6, "%d", small[0]);
    cr_assert(small[2] >= 9 && small[3] <= 9 + 16 && small[3] - small[2] >= 8);
    for (int y = 0; y < 12; y++) {
        for (int x = 0; x < 24; x++) {
            for (int k = 0; k < 4; k++)
                cr_assert_eq(lit(&two, 5 + 2 * y + k / 2, 9 + 2 * x + k % 2), lit(&one, 5 + y, 9 + x), "%d %d", y, x);
        }
    }
    for (int y = small[0]; y < small[1]; y++) /* an E has a stem at its left, and its arms end before the 7 */
        cr_assert(lit(&one, y, small[2]));
    vgg_image_finish(&one);
    vgg_image_finish(&two);
}

Test(caption, letters_beyond_ascii_and_long_lines)
{
    int box[4];
    struct vgg_image a = write_words("p\xc3\xa9t", 3, 4, 100, 1), b = write_words("p?t", 3, 4, 100, 1);
    cr_assert_arr_eq(a.rgb, b.rgb, 40 * 160 * 3);
    vgg_image_finish(&a);
    vgg_image_finish(&b);
    a = write_words("a name that is longer than the picture", 3, 4, 60, 1);
    ink_box(&a, box);
    cr_assert(box[3] <= 64 && box[3] > 54, "%d", box[3]);
    cr_assert(lit(&a, box[1] - 1, box[3] - 1) || lit(&a, box[1] - 2, box[3] - 1), "ends in a point");
    vgg_image_finish(&a);
    a = write_words("none of it", 3, 4, 2, 1);
    ink_box(&a, box);
    cr_assert_eq(box[3], 0);
    vgg_image_finish(&a);
    a = write_words("EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE", 35, 100, 400,
                    2); /* runs out of the picture, which stays whole */
    ink_box(&a, box);
    cr_assert_eq(box[1], 40);
    cr_assert(box[3] > 150, "%d", box[3]);
    vgg_image_finish(&a);
}

Test(caption, strip_beneath_leaves_the_picture)
{
    struct vgg_image image = make_image(31, 90), plain = make_image(31, 90);
    cr_assert_eq(vgg_caption_append(&image, "cat 97.5 %"), VGG_OK);
    cr_assert_eq(image.width, 90);
    cr_assert_eq(image.height, 31 + 12 + 2 * 3);
    cr_assert_arr_eq(image.rgb, plain.rgb, 31 * 90 * 3);
    int ink = 0, ground = 0;
    for (int i = 31 * 90; i < image.height * 90; i++)
        ink += image.rgb[i * 3] > 200, ground += image.rgb[i * 3] == 24;
    cr_assert(ink > 60 && ink < 400, "%d", ink);
    cr_assert_eq(ink + ground, 18 * 90);
    vgg_image_finish(&image);
    vgg_image_finish(&plain);
}
