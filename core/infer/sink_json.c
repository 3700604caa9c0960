#include "core/infer/sink_json.h"

#include <stdlib.h>

#include "core/base/mem.h"

char *vgg_sink_classes(const struct vgg_sink *sink)
{
    size_t count = (size_t)vgg_data_class_count(sink->data);
    const char **names = vgg_mem_calloc(count, sizeof *names);
    for (size_t i = 0; names && i < count; i++)
        names[i] = vgg_data_class_name(sink->data, (int)i);
    char *text = names ? vgg_json_print_texts(names, count) : NULL;
    free(names);
    return text;
}

bool vgg_sink_add_origin(struct vgg_json *object, const struct vgg_sink *sink)
{
    struct vgg_origin_text text;
    bool good = true;
    if (!sink->origin) return true;
    vgg_origin_write(&text, sink->origin);
    for (size_t i = 0; good && i < VGG_ORIGIN_PAIRS; i++)
        good = vgg_json_add_text(object, text.pair[i].key, text.pair[i].value);
    return good;
}
