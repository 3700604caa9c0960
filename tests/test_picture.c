/* Pictures: PNG files give back every byte, JPEG files nearly; other sizes keep proportions; what goes wrong says so.
 */
#include "data_files.h"

#include <math.h>

#include "core/picture.h"

/* Ramps with a bright disc: smooth enough for JPEG. By malloc. */
static struct vgg_image make_image(int height, int width)
{
    struct vgg_image image = { height, width, malloc((size_t)height * (size_t)width * 3) };
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
        cr_assert_eq(vgg_picture_write(path, &image), VGG_OK); /* replaces the last one */
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
    struct vgg_image image = make_image(8, 8), none = { 0, 8, NULL }, large = { 20000, 20000, NULL };
    uint8_t *png = (uint8_t *)folder;
    size_t size;
    EXPECT_FAILURE(vgg_picture_png(&png, &size, &none), VGG_ERR_UNSUPPORTED, "8 x 0 pixels");
    cr_assert_null(png);
    EXPECT_FAILURE(vgg_picture_jpeg(&png, &size, &large), VGG_ERR_UNSUPPORTED, "20000 x 20000 pixels");
    snprintf(path, sizeof path, "%s/no/p.png", folder);
    EXPECT_FAILURE(vgg_picture_write(path, &image), VGG_ERR_IO, "no/p.png: cannot be written");
    EXPECT_FAILURE(vgg_picture_write(folder, &image), VGG_ERR_IO, "is no regular file");
    cr_assert_eq(files_in(folder), 0);
    vgg_image_finish(&image);
    remove_folder(folder);
}
