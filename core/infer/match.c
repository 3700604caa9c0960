#include "core/infer/match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/data/data.h"

enum { WORDNET_DIGITS = 8, IMAGENET_CLASSES = 1000, LONGEST_NUMBER = 9 };

static bool is_number(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits > 0 && digits <= LONGEST_NUMBER && name[digits] == '\0';
}

static bool is_wordnet(const char *name)
{
    return name[0] == 'n' && strspn(name + 1, "0123456789") == WORDNET_DIGITS && name[1 + WORDNET_DIGITS] == '\0';
}

/* Are all names of that kind? */
static bool all(const struct vgg_data *data, bool (*kind)(const char *name))
{
    for (int i = 0; i < vgg_data_class_count(data); i++)
        if (!kind(vgg_data_class_name(data, i))) return false;
    return true;
}

static bool has_names(const struct vgg_model *model)
{
    return vgg_model_class_name(model, 0) != NULL;
}

static bool names_are_numbers(const struct vgg_model *model)
{
    for (int i = 0; i < vgg_model_class_count(model); i++)
        if (!is_number(vgg_model_class_name(model, i))) return false;
    return true;
}

static bool same_names(const struct vgg_model *model, const struct vgg_data *data)
{
    int count = vgg_data_class_count(data);
    if (count != vgg_model_class_count(model)) return false;
    for (int i = 0; i < count; i++)
        if (strcmp(vgg_model_class_name(model, i), vgg_data_class_name(data, i)) != 0) return false;
    return true;
}

/* The model's class of that name; -1: none. */
static int by_name(const struct vgg_model *model, const char *name)
{
    for (int i = 0; i < vgg_model_class_count(model); i++)
        if (strcmp(vgg_model_class_name(model, i), name) == 0) return i;
    return -1;
}

enum rule { ITSELF, BY_NAME, BY_NUMBER };

static enum rule choose(const struct vgg_model *model, const struct vgg_data *data)
{
    bool numbers = all(data, is_number);
    if (!has_names(model)) return numbers ? BY_NUMBER : ITSELF;
    if (same_names(model, data)) return ITSELF;
    if (numbers) return names_are_numbers(model) ? BY_NAME : BY_NUMBER;
    bool imagenet = vgg_model_class_count(model) == IMAGENET_CLASSES && !model->class_names;
    return imagenet && vgg_data_class_count(data) == IMAGENET_CLASSES && all(data, is_wordnet) ? ITSELF : BY_NAME;
}

/* The first item of a class, which shows where a wrong label stands; NULL: the class is empty. */
static const char *first_of(const struct vgg_data *data, int label)
{
    for (size_t i = 0; i < vgg_data_count(data); i++)
        if (vgg_data_label(data, i) == label) return vgg_data_path(data, i);
    return NULL;
}

static enum vgg_status refuse(const struct vgg_model *model, const char *item, int label, const char *name)
{
    int last = vgg_model_class_count(model) - 1;
    if (!has_names(model))
        return vgg_fail(VGG_ERR_ARGUMENT, "%s: class %d (%s) is out of range: the model knows the classes 0 to %d",
                        item, label, name, last);
    for (int i = 0; i <= last; i++) {
        if (strcasecmp(vgg_model_class_name(model, i), name) == 0)
            return vgg_fail(VGG_ERR_ARGUMENT, "%s: class %d (%s) is none of the model's; call it %s", item, label, name,
                            vgg_model_class_name(model, i));
    }
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "%s: class %d (%s) is none of the model's %d, %s to %s; give it the model's name or leave it out",
                    item, label, name, last + 1, vgg_model_class_name(model, 0), vgg_model_class_name(model, last));
}

enum vgg_status vgg_match_labels(int **out, const struct vgg_model *model, const struct vgg_data *data)
{
    int have = vgg_model_class_count(model), count = vgg_data_class_count(data);
    *out = NULL;
    if (count == 0) return VGG_OK;
    int *map = vgg_mem_calloc((size_t)count, sizeof *map);
    if (!map) return vgg_fail_memory("class numbers", (size_t)count * sizeof *map);
    enum rule rule = choose(model, data);
    for (int i = 0; i < count; i++) {
        const char *name = vgg_data_class_name(data, i), *item;
        map[i] = rule == ITSELF ? i : rule == BY_NAME ? by_name(model, name) : atoi(name);
        if (map[i] >= 0 && map[i] < have) continue;
        map[i] = -1;
        if (!(item = first_of(data, i))) continue;
        free(map);
        return refuse(model, item, i, name);
    }
    if (rule == ITSELF && !has_names(model) && count != have) {
        vgg_log(VGG_LOG_WARNING,
                "the model has %d classes without names and the data has %d: they are taken by their numbers", have,
                count);
    }
    *out = map;
    return VGG_OK;
}
