/* match.h: which of a model's classes the classes of a data set are. */
#ifndef CORE_INFER_MATCH_H
#define CORE_INFER_MATCH_H

#include "core/model/model.h"

struct vgg_data;

/* Which of the model's classes each class of `data` is; *out by malloc, one number a class, NULL for data without
 * labels. The first of these rules that applies:
 *   - the data has just the model's names in just its order: each class is itself, even where a name stands twice;
 *   - the data has words and the model has names: by name, of several of one name the first. A thousand WordNet numbers
 *     (n01440764 ...) in their order are ImageNet's classes in theirs;
 *   - the data has numbers alone (arrays and IDX files): by name where the model's are numbers too, else the number
 *     that the name is;
 *   - the model has no names: by the data's own numbers, with a warning where there are not as many as the model's.
 * A class that the model does not have is VGG_ERR_ARGUMENT, with its first item; -1 where it has no item. */
enum vgg_status vgg_match_labels(int **out, const struct vgg_model *model, const struct vgg_data *data);

#endif
