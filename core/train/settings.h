/* settings.h: what a run was told, as text that can be compared item by item: a line "KEY: VALUE" each. */
#ifndef CORE_TRAIN_SETTINGS_H
#define CORE_TRAIN_SETTINGS_H

#include "core/vgg16.h"

/* Zeroed: empty. */
struct vgg_settings {
    char *text; /* NULL while empty */
    size_t used, room;
    bool incomplete; /* memory ran out */
};

/* One more line; printf makes its value, of any length. A key has no ": " and comes once. Control characters and
 * backslashes in values are written as \xHH, so that a value is one line and lines stay apart. */
void vgg_settings_add(struct vgg_settings *settings, const char *key, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
/* Nothing where `value` is what a text without the key says: precision fp32, no augmentation vflip, the last epoch
 * kept. So checkpoints of before there was such a thing may be gone on with. */
void vgg_settings_add_unless_implied(struct vgg_settings *settings, const char *key, const char *value);
/* The shortest number that reads back as the same float. */
void vgg_settings_add_number(struct vgg_settings *settings, const char *key, float value);
/* VGG_ERR_MEMORY when a line is missing. */
enum vgg_status vgg_settings_check(const struct vgg_settings *settings);
void vgg_settings_finish(struct vgg_settings *settings);

enum { VGG_SETTINGS_DIFFERENCE = 256 };
/* Do two texts say the same? If not, the first difference in the order of `now`: "KEY VALUE then, VALUE now", the parts
 * around it of long values. A key that only one of them has is what is implied in the other, else "none". */
bool vgg_settings_same(char difference[VGG_SETTINGS_DIFFERENCE], const char *then, const char *now);

#endif
