/* safetensors: what is written is read again, every flaw of a header is seen, every dtype becomes fp32. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/safetensors.h"
#include "weight_files.h"

/* Writes a file of `length` as header length, a header text and `size` zeros. */
static char *make_file(uint64_t length, const char *header, size_t size)
{
    char *path = weight_files_scratch("header.safetensors");
    FILE *stream = fopen(path, "wb");
    cr_assert(stream != NULL);
    for (int i = 0; i < 8; i++)
        fputc((int)(length >> 8 * i & 255), stream);
    fputs(header, stream);
    for (size_t i = 0; i < size; i++)
        fputc(0, stream);
    fclose(stream);
    return path;
}

static void expect(enum vgg_status wanted, const char *cause, uint64_t length, const char *header, size_t size)
{
    struct vgg_st *st;
    char *path = make_file(length, header, size);
    weight_files_listen();
    enum vgg_status status = vgg_st_open(&st, path);
    cr_assert(status == wanted, "%s: %s", header, vgg_status_text(status));
    if (status == VGG_OK) {
        vgg_st_close(st);
    } else {
        cr_assert(st == NULL && strstr(weight_files_error(), cause) && strstr(weight_files_error(), path), "%s",
                  weight_files_lines());
    }
    free(path);
}

#define A "\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":"

Test(safetensors, headers)
{
    static const struct {
        const char *header;
        size_t size;
        const char *cause; /* NULL: a good file */
    } cases[] = {
        { "{\"a\":{" A "[0,24]}}", 24, NULL },
        { "{\"a\":{" A "[0,24]}}   \n ", 24, NULL },
        { "{\"b\":{" A "[24,48]},\"a\":{" A "[0,24]}}", 48, NULL },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},\"b\":{" A "[0,24]}}", 24, NULL },
        { "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, NULL }, /* nobody may need it */
        { "{\"a\":{\"dtype\":\"F4\",\"shape\":[9],\"data_offsets\":[1,3]}}", 3, "gap" },
        { "{\"a\":{\"dtype\":7,\"shape\":[],\"data_offsets\":[0,1]}}", 1, "no dtype" },
        { "{}", 0, NULL },
        { "{\"__metadata__\":{\"k\":\"v\"}}", 0, NULL },
        { "{\"__metadata__\":{\"k\":1}}", 0, "metadata" },
        { "{\"__metadata__\":[]}", 0, "metadata" },
        { "{\"__metadata__\":{\"a\":\"b\"},\"__metadata__\":{\"c\":\"d\"}}", 0, "__metadata__ appears twice" },
        { "{} \n\t\r ", 0, NULL },
        { "{}\v", 0, "JSON" },
        { "{} \f ", 0, "JSON" },
        { "[1]", 0, "JSON" },
        { "{\"a\":{" A "[0,24]}", 24, "JSON" },
        { "{\"a\":{" A "[0,24]}}x", 24, "JSON" },
        { "{\"a\":1}", 0, "tensor a" },
        { "{\"a\":{" A "[0,24]}}", 23, "truncated" },
        { "{\"a\":{" A "[0,24]}}", 25, "belong to no tensor" },
        { "{\"a\":{" A "[0,20]}}", 24, "takes 20 bytes" },
        { "{\"a\":{" A "[1,25]}}", 25, "gap" },
        { "{\"a\":{" A "[0,24]},\"b\":{" A "[25,49]}}", 49, "gap" },
        { "{\"a\":{" A "[0,24]},\"b\":{" A "[12,36]}}", 36, "overlaps" },
        { "{\"a\":{" A "[0,24]},\"a\":{" A "[24,48]}}", 48, "twice" },
        { "{\"a\":{" A "[24,0]}}", 24, "bytes 24 to 0" },
        { "{\"a\":{" A "[-24,0]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[0,24.5]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[0]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[0,1e300]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[\"0\",24]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[0,\"24\"]}}", 24, "data_offsets" },
        { "{\"a\":{" A "[0,24,48]}}", 24, "data_offsets" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"6\"],\"data_offsets\":[0,24]}}", 24, "whole numbers" },
        { "{\"a\":{\"dtype\":4,\"shape\":[6],\"data_offsets\":[0,24]}}", 24, "dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2,3],\"data_offsets\":[0,24]}}", 24, "whole numbers" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,0]}}", 0,
          "takes 0 bytes" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "dimensions" },
        { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype" },
        { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *cause = cases[i].cause, *header = cases[i].header;
        expect(cause ? VGG_ERR_FORMAT : VGG_OK, cause, strlen(header), header, cases[i].size);
    }
    expect(VGG_ERR_FORMAT, "header of 9223372036854775808 bytes", (uint64_t)1 << 63, "{}", 0);
    expect(VGG_ERR_FORMAT, "header of 18446744073709551615 bytes", UINT64_MAX, "{}", 0);
    expect(VGG_ERR_FORMAT, "header of 3 bytes", 3, "{}", 0);

    /* Nested deeper than any parser should follow. */
    char *deep = calloc(1, 200001);
    memset(deep, '[', 200000);
    deep[0] = '{';
    expect(VGG_ERR_FORMAT, "JSON", 200000, deep, 0);
    free(deep);
}

Test(safetensors, written_and_read)
{
    static const float a[6] = { 1, 2, 3, -0.0f, NAN, INFINITY };
    static const int64_t y[3] = { -1, 1LL << 40, 7 };
    static const uint8_t u[5] = { 0, 1, 2, 254, 255 };
    static const uint16_t h[1] = { 0x3c00 };
    const struct vgg_st_tensor tensors[] = {
        { "u", VGG_DTYPE_U8, 1, { 5 }, u, sizeof u },
        { "a \"quoted\" \u00e4", VGG_DTYPE_F32, 2, { 2, 3 }, a, sizeof a },
        { "h", VGG_DTYPE_F16, 0, { 0 }, h, sizeof h },
        { "y", VGG_DTYPE_I64, 1, { 3 }, y, sizeof y },
        { "none", VGG_DTYPE_F32, 2, { 0, 4 }, NULL, 0 },
    };
    static const struct vgg_st_meta meta[] = { { "key", "value\nof two lines" }, { "empty", "" } };
    char *path = weight_files_scratch("written.safetensors");
    struct vgg_st *st;
    struct vgg_st_meta pair;
    cr_assert(vgg_st_write(path, tensors, 5, meta, 2) == VGG_OK);
    cr_assert(vgg_st_open(&st, path) == VGG_OK);
    cr_assert(vgg_st_count(st) == 5);
    for (size_t i = 0; i < 5; i++) {
        const struct vgg_st_tensor *found = vgg_st_find(st, tensors[i].name);
        cr_assert(found && found->dtype == tensors[i].dtype && found->rank == tensors[i].rank);
        cr_assert(memcmp(found->shape, tensors[i].shape, sizeof found->shape) == 0);
        cr_assert(found->size == tensors[i].size);
        if (found->size) cr_assert(memcmp(found->data, tensors[i].data, found->size) == 0);
        if (found->size) cr_assert((uintptr_t)found->data % vgg_dtype_size(found->dtype) == 0, "%s", found->name);
    }
    cr_assert(vgg_st_find(st, "b") == NULL && vgg_st_at(st, 5) == NULL);
    cr_assert(strcmp(vgg_st_meta(st, "key"), meta[0].value) == 0 && vgg_st_meta(st, "other") == NULL);
    cr_assert(vgg_st_meta_at(st, 1, &pair) && strcmp(pair.key, "empty") == 0 && !vgg_st_meta_at(st, 2, &pair));
    vgg_st_close(st);
    weight_files_listen();
    cr_assert(vgg_st_write("/nonexistent/x.safetensors", tensors, 5, NULL, 0) == VGG_ERR_IO);
    cr_assert(strstr(weight_files_error(), "/nonexistent/x.safetensors"));
    free(path);
}

/* Every half-precision number, against the definition. */
Test(safetensors, half_precision)
{
    for (unsigned bits = 0; bits < 65536; bits++) {
        uint16_t half = (uint16_t)bits;
        float value, wide;
        double sign = bits & 0x8000 ? -1 : 1, fraction = bits & 1023;
        int exponent = (int)(bits >> 10 & 31);
        double wanted = exponent ? sign * ldexp(1024 + fraction, exponent - 25) : sign * ldexp(fraction, -24);
        vgg_dtype_to_f32(&value, &half, VGG_DTYPE_F16, 1);
        if (exponent == 31) wanted = fraction > 0 ? NAN : sign * INFINITY;
        cr_assert(isnan(wanted) ? isnan(value) : (double)value == wanted, "%04x: %g, not %g", bits, value, wanted);
        cr_assert(isnan(wanted) || !signbit(value) == (sign > 0), "%04x", bits);

        uint32_t word = bits << 16;
        memcpy(&wide, &word, sizeof wide);
        vgg_dtype_to_f32(&value, &half, VGG_DTYPE_BF16, 1);
        cr_assert(memcmp(&value, &wide, sizeof value) == 0, "%04x", bits);
    }
}

Test(safetensors, other_types)
{
    unsigned char bytes[17];
    float value[2];
    const double real[2] = { 1.0 / 3, 1e300 };
    const int64_t wide[2] = { -5, 16777217 };
    const int32_t word[2] = { -7, 16777217 };
    memcpy(bytes + 1, real, sizeof real); /* unaligned */
    vgg_dtype_to_f32(value, bytes + 1, VGG_DTYPE_F64, 2);
    cr_assert(value[0] == 1.0f / 3 && isinf(value[1]));
    memcpy(bytes + 1, wide, sizeof wide);
    vgg_dtype_to_f32(value, bytes + 1, VGG_DTYPE_I64, 2);
    cr_assert(value[0] == -5 && value[1] == 16777216.0f);
    memcpy(bytes + 1, word, sizeof word);
    vgg_dtype_to_f32(value, bytes + 1, VGG_DTYPE_I32, 2);
    cr_assert(value[0] == -7 && value[1] == 16777216.0f);
    bytes[1] = 200;
    vgg_dtype_to_f32(value, bytes + 1, VGG_DTYPE_U8, 1);
    cr_assert(value[0] == 200);
}

static uint16_t half_of(float value)
{
    uint16_t half = 0xffff;
    cr_assert(vgg_dtype_to_f16(&half, &value, 1) == 1, "%g", (double)value);
    return half;
}

static float value_of(unsigned half)
{
    uint16_t word = (uint16_t)half;
    float value;
    vgg_dtype_to_f32(&value, &word, VGG_DTYPE_F16, 1);
    return value;
}

/* Every F16 comes back; everything between two neighbours goes to the nearer one, the middle to the even one. */
Test(safetensors, rounding_to_f16)
{
    for (unsigned h = 0; h < 0x7c00; h++) {
        float low = value_of(h), high = h == 0x7bff ? 65536.0f : value_of(h + 1), middle = (low + high) / 2;
        cr_assert(half_of(low) == h && half_of(-low) == (h | 0x8000), "%x", h);
        cr_assert(half_of(nextafterf(middle, 0)) == h, "%x: below the middle", h);
        cr_assert(half_of(-nextafterf(middle, 0)) == (h | 0x8000), "%x: below the middle", h);
        if (h == 0x7bff) continue;
        cr_assert(half_of(middle) == h + (h & 1), "%x: the middle", h);
        cr_assert(half_of(nextafterf(middle, INFINITY)) == h + 1, "%x: above the middle", h);
    }
    cr_assert(half_of(1e-30f) == 0 && half_of(-1e-40f) == 0x8000);
    cr_assert(half_of(INFINITY) == 0x7c00 && half_of(-INFINITY) == 0xfc00);
    cr_assert(isnan(value_of(half_of(NAN))));
    uint16_t halves[3];
    cr_assert(vgg_dtype_to_f16(halves, (const float[]) { 1, 65520, 2 }, 3) == 1);
    cr_assert(vgg_dtype_to_f16(halves, (const float[]) { 1, 2, -1e30f }, 3) == 2);
}
