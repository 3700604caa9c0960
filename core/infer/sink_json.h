/* sink_json.h: what features say of themselves, as JSON. */
#ifndef CORE_INFER_SINK_JSON_H
#define CORE_INFER_SINK_JSON_H

#include "core/format/json.h"
#include "core/infer/sink_format.h"

/* The data set's class names as a JSON array, by malloc; NULL without memory. */
char *vgg_sink_classes(const struct vgg_sink *sink);
/* Adds the record, if there is one, to a JSON object as strings. False without memory. */
bool vgg_sink_add_origin(struct vgg_json *object, const struct vgg_sink *sink);

#endif
