/* json.h: JSON, read and written by cJSON, which no other room of the library knows. */
#ifndef CORE_FORMAT_JSON_H
#define CORE_FORMAT_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* A value with all below it. Whatever is asked or added may be NULL: what a file lacks, what memory was missing for. */
struct vgg_json;

void vgg_json_destroy(struct vgg_json *json);

/* ---- writing ---- */

/* An empty object; NULL without memory. */
struct vgg_json *vgg_json_object(void);
/* Each adds a member of that name to an object, or an element to an array where `name` is NULL; texts are copied. NULL
 * or false without memory. text NULL is null, and so is a number that is not finite. */
struct vgg_json *vgg_json_add_object(struct vgg_json *to, const char *name);
struct vgg_json *vgg_json_add_array(struct vgg_json *to, const char *name);
bool vgg_json_add_text(struct vgg_json *to, const char *name, const char *text);
bool vgg_json_add_number(struct vgg_json *to, const char *name, double value);
bool vgg_json_add_bool(struct vgg_json *to, const char *name, bool value);
/* As text by malloc, on one line or indented; NULL without memory. */
char *vgg_json_print(const struct vgg_json *json, bool indented);
/* An array of texts on one line, by malloc; NULL without memory. */
char *vgg_json_print_texts(const char *const *texts, size_t count);

/* ---- reading ---- */

/* The value that `length` bytes begin with; NULL: they are no JSON, or without memory. */
struct vgg_json *vgg_json_parse(const char *text, size_t length);

enum vgg_json_kind {
    VGG_JSON_NONE,
    VGG_JSON_NULL,
    VGG_JSON_BOOL,
    VGG_JSON_NUMBER,
    VGG_JSON_TEXT,
    VGG_JSON_ARRAY,
    VGG_JSON_OBJECT
};
enum vgg_json_kind vgg_json_kind(const struct vgg_json *json);
/* A text; NULL: it is none. A number; 0: it is none. */
const char *vgg_json_text(const struct vgg_json *json);
double vgg_json_number(const struct vgg_json *json);
bool vgg_json_is_true(const struct vgg_json *json);
/* A member of an object, of exactly that name. */
const struct vgg_json *vgg_json_member(const struct vgg_json *object, const char *name);
/* The elements of an array or the members of an object, one after the other, NULL behind the last; how many there are.
 */
const struct vgg_json *vgg_json_first(const struct vgg_json *json);
const struct vgg_json *vgg_json_next(const struct vgg_json *json);
size_t vgg_json_count(const struct vgg_json *json);

#endif
