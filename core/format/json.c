#include "core/format/json.h"

#include <cjson/cJSON.h>
#include <stdint.h>

/* struct vgg_json is cJSON by another name. */
static cJSON *own(const struct vgg_json *json)
{
    return (cJSON *)(uintptr_t)json;
}

void vgg_json_destroy(struct vgg_json *json)
{
    cJSON_Delete(own(json));
}

/* ---- writing ---- */

struct vgg_json *vgg_json_object(void)
{
    return (struct vgg_json *)cJSON_CreateObject();
}

/* Takes `item` over; NULL where it could not be added. */
static struct vgg_json *add(struct vgg_json *to, const char *name, cJSON *item)
{
    if (name ? cJSON_AddItemToObject(own(to), name, item) : cJSON_AddItemToArray(own(to), item))
        return (struct vgg_json *)item;
    cJSON_Delete(item);
    return NULL;
}

struct vgg_json *vgg_json_add_object(struct vgg_json *to, const char *name)
{
    return add(to, name, cJSON_CreateObject());
}

struct vgg_json *vgg_json_add_array(struct vgg_json *to, const char *name)
{
    return add(to, name, cJSON_CreateArray());
}

bool vgg_json_add_text(struct vgg_json *to, const char *name, const char *text)
{
    return add(to, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

bool vgg_json_add_number(struct vgg_json *to, const char *name, double value)
{
    return add(to, name, cJSON_CreateNumber(value));
}

bool vgg_json_add_bool(struct vgg_json *to, const char *name, bool value)
{
    return add(to, name, cJSON_CreateBool(value));
}

char *vgg_json_print(const struct vgg_json *json, bool indented)
{
    return indented ? cJSON_Print(own(json)) : cJSON_PrintUnformatted(own(json));
}

char *vgg_json_print_texts(const char *const *texts, size_t count)
{
    struct vgg_json *array = (struct vgg_json *)cJSON_CreateArray();
    bool good = array;
    for (size_t i = 0; good && i < count; i++)
        good = vgg_json_add_text(array, NULL, texts[i]);
    char *text = good ? vgg_json_print(array, false) : NULL;
    vgg_json_destroy(array);
    return text;
}

/* ---- reading ---- */

struct vgg_json *vgg_json_parse(const char *text, size_t length)
{
    return (struct vgg_json *)cJSON_ParseWithLength(text, length);
}

enum vgg_json_kind vgg_json_kind(const struct vgg_json *json)
{
    const cJSON *item = own(json);
    return cJSON_IsNumber(item)   ? VGG_JSON_NUMBER
           : cJSON_IsString(item) ? VGG_JSON_TEXT
           : cJSON_IsArray(item)  ? VGG_JSON_ARRAY
           : cJSON_IsObject(item) ? VGG_JSON_OBJECT
           : cJSON_IsBool(item)   ? VGG_JSON_BOOL
           : cJSON_IsNull(item)   ? VGG_JSON_NULL
                                  : VGG_JSON_NONE;
}

const char *vgg_json_text(const struct vgg_json *json)
{
    return cJSON_GetStringValue(own(json));
}

double vgg_json_number(const struct vgg_json *json)
{
    return cJSON_IsNumber(own(json)) ? own(json)->valuedouble : 0;
}

bool vgg_json_is_true(const struct vgg_json *json)
{
    return cJSON_IsTrue(own(json));
}

const struct vgg_json *vgg_json_member(const struct vgg_json *object, const char *name)
{
    return (const struct vgg_json *)cJSON_GetObjectItemCaseSensitive(own(object), name);
}

const struct vgg_json *vgg_json_first(const struct vgg_json *json)
{
    return json ? (const struct vgg_json *)own(json)->child : NULL;
}

const struct vgg_json *vgg_json_next(const struct vgg_json *json)
{
    return json ? (const struct vgg_json *)own(json)->next : NULL;
}

size_t vgg_json_count(const struct vgg_json *json)
{
    return (size_t)cJSON_GetArraySize(own(json));
}
