/* IDX files that are none, that promise what they do not hold, or that are damaged: one line says what is wrong. */
#include "data_files.h"

#include <zlib.h>

#include "core/data/data.h"

/* Writes a header of `rank` extents, and `size` bytes behind it of which each is another than its neighbours. */
static void write_idx(const char *folder, const char *name, int rank, const uint32_t *extent, size_t size)
{
    uint8_t bytes[16 + 256] = { 0, 0, 8, (uint8_t)rank };
    size_t header = 4 + 4 * (size_t)rank;
    for (int i = 0; i < rank; i++)
        for (int k = 0; k < 4; k++)
            bytes[4 + 4 * i + k] = (uint8_t)(extent[i] >> (24 - 8 * k));
    cr_assert(header + size <= sizeof bytes);
    for (size_t i = 0; i < size; i++)
        bytes[header + i] = (uint8_t)(7 + 37 * i);
    write_file(folder, name, bytes, header + size);
}

static enum vgg_status open_idx(struct vgg_data **data, const char *format, const char *folder)
{
    char source[256];
    snprintf(source, sizeof source, format, folder, folder);
    enum vgg_status status = vgg_data_open(data, source);
    cr_expect_eq(!*data, status != VGG_OK);
    return status;
}

/* What its first bytes say. */
Test(data_idx, headers)
{
    static const struct {
        uint8_t bytes[8];
        size_t size;
        const char *said;
    } bad[] = {
        { { 0 }, 0, "is cut short: the IDX header promises more" },
        { { 0, 0, 8 }, 3, "is cut short: the IDX header promises more" },
        { { 0, 0, 8, 3, 0, 0, 0, 1 }, 8, "is cut short: the IDX header promises more" },
        { { 1, 0, 8, 3, 0, 0, 0, 1 }, 8, "is not an IDX file of bytes with 3 dimensions" },
        { { 0, 1, 8, 3, 0, 0, 0, 1 }, 8, "is not an IDX file of bytes with 3 dimensions" },
        { { 0, 0, 9, 3, 0, 0, 0, 1 }, 8, "is not an IDX file of bytes with 3 dimensions" }, /* signed bytes */
        { { 0, 0, 8, 2, 0, 0, 0, 1 }, 8, "is not an IDX file of bytes with 3 dimensions" },
    };
    char *folder = make_folder();
    struct vgg_data *data;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(folder, "i", bad[i].bytes, bad[i].size);
        EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT, bad[i].said);
    }
    write_idx(folder, "i", 3, (const uint32_t[]) { 2, 3, 4 }, 24);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(folder, "l", bad[i].bytes, bad[i].size);
        EXPECT_FAILURE(open_idx(&data, "idx:%s/i,%s/l", folder), VGG_ERR_FORMAT,
                       bad[i].size < 4 ? bad[i].said : "is not an IDX file of bytes with 1 dimension");
        cr_expect(bad[i].size < 4 || !strstr(logged, "dimensions"), "%s", logged);
    }
    remove_folder(folder);
}

Test(data_idx, extents)
{
    static const struct {
        uint32_t extent[3];
        size_t size;
        const char *said;
    } bad[] = {
        { { 0, 3, 4 }, 0, "i: holds nothing" },
        { { 2, 0, 4 }, 0, "i: holds nothing" },
        { { 2, 3, 0 }, 0, "i: holds nothing" },
        { { 1, 32769, 1 }, 0, "i: images of 1 x 32769 are too large; at most 32768 a side" },
        { { 1, 1, 32769 }, 0, "i: images of 32769 x 1 are too large; at most 32768 a side" },
        { { 1, 1, 200 }, 199, "i: is cut short: the IDX header promises 200 bytes more" },
        { { 2, 3, 4 }, 23, "i: is cut short: the IDX header promises 24 bytes more" },
        { { 64, 32768, 32768 }, 100, "i: is cut short: the IDX header promises 68719476736 bytes more" },
        { { 65, 32768, 32768 }, 100, "i: its header promises 69793218560 bytes; at most 64 GiB" },
        { { UINT32_MAX, UINT32_MAX, UINT32_MAX }, 100, "i: its header promises 18446744073709551615 bytes" },
    };
    char *folder = make_folder();
    struct vgg_data *data;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_idx(folder, "i", 3, bad[i].extent, bad[i].size);
        EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT, bad[i].said);
    }
    write_idx(folder, "i", 3, (const uint32_t[]) { 2, 3, 4 }, 25); /* what is behind counts for nothing */
    cr_assert_eq(open_idx(&data, "idx:%s/i", folder), VGG_OK);
    cr_expect_eq(vgg_data_count(data), 2);
    vgg_data_destroy(data);
    write_idx(folder, "l", 1, (const uint32_t[]) { 1 }, 1);
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i,%s/l", folder), VGG_ERR_FORMAT, "l: has 1 labels for 2 images");
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i,%s/absent", folder), VGG_ERR_IO, "absent: cannot be opened");
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i,%s", folder), VGG_ERR_FORMAT, ": cannot be read: ");
    remove_folder(folder);
}

/* Packed: its checksum, its end, and more than can be in so few bytes. */
Test(data_idx, packed)
{
    enum { SIDE = 40, BYTES = 16 + 3 * SIDE * SIDE };
    static uint8_t whole[BYTES] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, SIDE, 0, 0, 0, SIDE }, packed[2 * BYTES];
    char *folder = make_folder(), path[256];
    struct vgg_data *data;
    for (size_t i = 16; i < BYTES; i++)
        whole[i] = (uint8_t)(i * i * 2654435761u >> 21);
    snprintf(path, sizeof path, "%s/i", folder);
    gzFile file = gzopen(path, "wb");
    cr_assert_eq(gzwrite(file, whole, BYTES), BYTES);
    gzclose(file);
    FILE *stream = fopen(path, "rb");
    size_t size = fread(packed, 1, sizeof packed, stream);
    fclose(stream);
    cr_assert(size > 100 && size < sizeof packed);
    cr_assert_eq(open_idx(&data, "idx:%s/i", folder), VGG_OK);
    cr_expect_eq(vgg_data_count(data), 3);
    vgg_data_destroy(data);
    write_file(folder, "i", packed, size / 2);
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT, "i: is cut short: ");
    packed[size / 2] ^= 0x40;
    write_file(folder, "i", packed, size);
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT, "i: cannot be read: ");
    whole[7] = 1, whole[10] = 1, whole[11] = 44, whole[14] = 1, whole[15] = 44; /* 1 x 300 x 300 */
    file = gzopen(path, "wb");
    cr_assert_eq(gzwrite(file, whole, 16), 16);
    gzclose(file);
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT,
                   "i: is cut short: the IDX header promises 90000");
    /* 300 x 1024 x 1024: deflate could make so much of 400 kB, but images are not all black. */
    whole[6] = 1, whole[7] = 44, whole[10] = 4, whole[11] = 0, whole[14] = 4, whole[15] = 0;
    file = gzopen(path, "wb0");
    cr_assert_eq(gzwrite(file, whole, 16), 16);
    for (int i = 0; i < 90; i++)
        cr_assert_eq(gzwrite(file, whole + 16, BYTES - 16), BYTES - 16);
    gzclose(file);
    EXPECT_FAILURE(open_idx(&data, "idx:%s/i", folder), VGG_ERR_FORMAT,
                   "i: its header promises 314572800 bytes, packed into ");
    remove_folder(folder);
}
