#include "core/infer/sink_json.h"

#include <cJSON.h>

char *vgg_sink_classes(const struct vgg_sink *sink)
{
    cJSON *array = cJSON_CreateArray();
    bool good = array;
    for (int i = 0; good && i < vgg_data_class_count(sink->data); i++) {
        cJSON *name = cJSON_CreateString(vgg_data_class_name(sink->data, i));
        good = name && cJSON_AddItemToArray(array, name);
    }
    char *text = good ? cJSON_PrintUnformatted(array) : NULL;
    cJSON_Delete(array);
    return text;
}

bool vgg_sink_add_origin(cJSON *object, const struct vgg_sink *sink)
{
    struct vgg_origin_text text;
    bool good = true;
    if (!sink->origin) return true;
    vgg_origin_write(&text, sink->origin);
    for (size_t i = 0; good && i < VGG_ORIGIN_PAIRS; i++)
        good = cJSON_AddStringToObject(object, text.pair[i].key, text.pair[i].value);
    return good;
}
