#include "core/data/origin.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/arch/arch.h"
#include "core/base/log.h"
#include "core/base/names.h"
#include "core/image/image.h"

enum { DIGEST = 64, DIGEST_SHOWN = 12 };

static const char decode_key[] = "decode", exact_name[] = "exact"; /* older records do not have it */
static const char format_key[] = "format", format_name[] = "vgg16-features-1";

/* The members of struct vgg_origin. Those that are `compared` must agree where features meet. */
static const struct field {
    const char *key;
    enum { TEXT, NUMBER, NAME } kind;
    bool compared;
    size_t offset;
    enum vgg_names names;
} fields[] = {
    { "digest", TEXT, true, offsetof(struct vgg_origin, digest), 0 },
    { "arch", TEXT, true, offsetof(struct vgg_origin, arch), 0 },
    { "layer", TEXT, true, offsetof(struct vgg_origin, layer), 0 },
    { "pooling", NAME, true, offsetof(struct vgg_origin, pooling), VGG_NAMES_POOLING },
    { "height", NUMBER, true, offsetof(struct vgg_origin, height), 0 },
    { "width", NUMBER, true, offsetof(struct vgg_origin, width), 0 },
    { "preprocess", NAME, true, offsetof(struct vgg_origin, preprocess), VGG_NAMES_PREPROCESS },
    { "resize", NAME, true, offsetof(struct vgg_origin, resize), VGG_NAMES_RESIZE },
    { "crop", NAME, true, offsetof(struct vgg_origin, crop), VGG_NAMES_CROP },
    { decode_key, NAME, true, offsetof(struct vgg_origin, decode), VGG_NAMES_DECODE },
    { "weights", TEXT, false, offsetof(struct vgg_origin, weights), 0 },
    { "source", TEXT, false, offsetof(struct vgg_origin, source), 0 },
    { "decoder", TEXT, false, offsetof(struct vgg_origin, decoder), 0 },
    { "precision", TEXT, false, offsetof(struct vgg_origin, precision), 0 },
    { "version", TEXT, false, offsetof(struct vgg_origin, version), 0 },
};
enum { FIELDS = sizeof fields / sizeof *fields };
_Static_assert(FIELDS + 1 == VGG_ORIGIN_PAIRS, "one pair a field, and the format");

static const char *text_of(const struct vgg_origin *origin, const struct field *field)
{
    const void *member = (const char *)origin + field->offset;
    return field->kind == NAME ? vgg_name(field->names, *(const int *)member) : *(const char *const *)member;
}

static int number_of(const struct vgg_origin *origin, const struct field *field)
{
    return *(const int *)(const void *)((const char *)origin + field->offset);
}

void vgg_origin_write(struct vgg_origin_text *text, const struct vgg_origin *origin)
{
    size_t numbers = 0;
    text->pair[0] = (struct vgg_st_meta) { format_key, format_name };
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *field = &fields[i];
        struct vgg_st_meta *pair = &text->pair[i + 1];
        pair->key = field->key;
        if (field->kind == NUMBER) {
            char *number = text->number[numbers++];
            snprintf(number, sizeof text->number[0], "%d", number_of(origin, field));
            pair->value = number;
        } else {
            pair->value = text_of(origin, field);
        }
    }
}

/* ---- reading ---- */

/* Digits only, for a side of an image. 0: it is none. */
static int read_side(const char *text)
{
    size_t n = strlen(text);
    int side = 0;
    if (n == 0 || n > 5 || strspn(text, "0123456789") != n) return 0;
    for (; *text; text++)
        side = side * 10 + (*text - '0');
    return side <= VGG_IMAGE_MAX_SIDE ? side : 0;
}

/* Puts one value in its place. NULL, or what it must be. */
static const char *read_value(struct vgg_origin *origin, const struct field *field, const char *value,
                              struct vgg_names_list *list)
{
    void *member = (char *)origin + field->offset;
    switch (field->kind) {
    case NUMBER: *(int *)member = read_side(value); return *(int *)member ? NULL : "a number of pixels";
    case NAME:
        *list = vgg_names_list(field->names);
        return vgg_names_find(member, field->names, value) ? NULL : list->text;
    case TEXT: *(const char **)member = value; break;
    }
    if (strcmp(field->key, "digest") == 0 && (strlen(value) != DIGEST || strspn(value, "0123456789abcdef") != DIGEST))
        return "64 hexadecimal digits";
    int precision;
    if (strcmp(field->key, "precision") == 0 && !vgg_names_find(&precision, VGG_NAMES_PRECISION, value))
        return "fp32 or bf16";
    if (strcmp(field->key, "arch") == 0 && vgg_arch_id(value) == VGG_ARCH_NONE) {
        *list = vgg_names_list(VGG_NAMES_ARCH);
        return list->text;
    }
    return *value ? NULL : "not empty";
}

enum vgg_status vgg_origin_read(struct vgg_origin *origin, bool *found, const struct vgg_st *st, const char *path)
{
    const char *format = vgg_st_meta(st, format_key);
    *origin = (struct vgg_origin) { 0 };
    *found = format && strncmp(format, format_name, strlen(format_name) - 1) == 0;
    if (!*found) return VGG_OK;
    if (strcmp(format, format_name) != 0) {
        return vgg_fail(VGG_ERR_FORMAT, "%s: metadata %s \"%s\" is not known here, only %s; extract it again", path,
                        format_key, format, format_name);
    }
    for (size_t i = 0; i < FIELDS; i++) {
        const char *value = vgg_st_meta(st, fields[i].key);
        struct vgg_names_list list;
        if (!value && fields[i].key == decode_key) value = exact_name;
        if (!value) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: metadata %s is missing from the record of its features; extract again",
                            path, fields[i].key);
        }
        const char *rule = read_value(origin, &fields[i], value, &list);
        if (rule) {
            return vgg_fail(VGG_ERR_FORMAT, "%s: metadata %s \"%.80s\" must be %s%s; extract again", path,
                            fields[i].key, value, fields[i].kind == NAME ? "one of " : "", rule);
        }
    }
    return VGG_OK;
}

/* ---- comparing ---- */

/* A field's value for a message: a size whole, a digest short. */
static void show(struct vgg_origin_value *value, const struct vgg_origin *origin, const struct field *field)
{
    if (field->kind == NUMBER) {
        snprintf(value->text, sizeof value->text, "%dx%d", origin->height, origin->width);
    } else {
        int most = field->offset == offsetof(struct vgg_origin, digest) ? DIGEST_SHOWN : 63;
        snprintf(value->text, sizeof value->text, "%.*s", most, text_of(origin, field));
    }
}

const char *vgg_origin_differ(struct vgg_origin_value *have, struct vgg_origin_value *want, const struct vgg_origin *a,
                              const struct vgg_origin *b)
{
    /* From the last: of all that other weights or another layer bring with them, the digest is the least telling. */
    for (size_t i = FIELDS; i-- > 0;) {
        const struct field *field = &fields[i];
        if (!field->compared) continue;
        bool same = field->kind == TEXT ? strcmp(text_of(a, field), text_of(b, field)) == 0
                                        : number_of(a, field) == number_of(b, field);
        if (same) continue;
        show(have, a, field);
        show(want, b, field);
        return field->kind == NUMBER ? "size" : field->key;
    }
    return NULL;
}
