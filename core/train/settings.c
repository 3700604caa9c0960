#include "core/train/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"

/* Longest value shown whole, what is shown of a longer one, and how much of that stands before the difference. */
enum { WHOLE = 72, PART = 64, BEFORE = 24 };

/* ---- writing ---- */

static void put(struct vgg_settings *s, const char *bytes, size_t count)
{
    if (s->room - s->used <= count) {
        size_t room = vgg_mem_mul(2, vgg_mem_add(s->used, count + 1));
        char *text = s->incomplete ? NULL : realloc(s->text, room);
        if (!text) {
            s->incomplete = true;
            return;
        }
        s->text = text, s->room = room;
    }
    memcpy(s->text + s->used, bytes, count);
    s->used += count;
    s->text[s->used] = '\0';
}

void vgg_settings_add(struct vgg_settings *settings, const char *key, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *value = vgg_mem_calloc((size_t)(length < 0 ? 0 : length) + 1, 1);
    if (!value || length < 0) settings->incomplete = true;
    if (value && length > 0) vsnprintf(value, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    put(settings, key, strlen(key));
    put(settings, ": ", 2);
    for (const char *c = value; c && *c; c++) {
        char escaped[8];
        bool plain = (unsigned char)*c >= ' ' && *c != '\\' && *c != 0x7f;
        if (!plain) snprintf(escaped, sizeof escaped, "\\x%02x", (unsigned char)*c);
        put(settings, plain ? c : escaped, plain ? 1 : 4);
    }
    put(settings, "\n", 1);
    free(value);
}

/* What a text without the key says, where that is not "none". */
static const char *const implied[][2] = {
    { "precision", "fp32" },
    { "augmentation vflip", "no" },
    { "epoch kept", "the last" },
};

static const char *implied_value(const char *key, size_t length)
{
    for (size_t i = 0; i < sizeof implied / sizeof *implied; i++)
        if (strlen(implied[i][0]) == length && memcmp(implied[i][0], key, length) == 0) return implied[i][1];
    return "none";
}

void vgg_settings_add_unless_implied(struct vgg_settings *settings, const char *key, const char *value)
{
    if (strcmp(implied_value(key, strlen(key)), value) != 0) vgg_settings_add(settings, key, "%s", value);
}

void vgg_settings_add_number(struct vgg_settings *settings, const char *key, float value)
{
    char text[32];
    int digits = 6; /* fewer would write 20 as 2e+01 */
    do {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
    } while (digits++ < 9 && strtof(text, NULL) != value);
    vgg_settings_add(settings, key, "%s", text);
}

enum vgg_status vgg_settings_check(const struct vgg_settings *settings)
{
    return settings->incomplete ? vgg_fail_memory("the settings", settings->room) : VGG_OK;
}

void vgg_settings_finish(struct vgg_settings *settings)
{
    free(settings->text);
    *settings = (struct vgg_settings) { 0 };
}

/* ---- comparing ---- */

/* A line taken apart; not terminated. */
struct item {
    const char *key, *value;
    size_t key_length, value_length;
};

/* Takes the line at *at and goes to the next. A line without ": " is all key. */
static bool next(struct item *item, const char **at)
{
    if (!**at) return false;
    const char *line = *at;
    size_t length = strcspn(line, "\n");
    const char *colon = vgg_text_find(line, length, ": "), *end = line + length;
    *item = (struct item) { line, colon ? colon + 2 : end, (size_t)((colon ? colon : end) - line), 0 };
    item->value_length = (size_t)(end - item->value);
    *at = *end ? end + 1 : end;
    return true;
}

static bool same_key(const struct item *a, const struct item *b)
{
    return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

/* The line of `text` with the same key, else what is implied as its value. It is first looked for at *hint, which goes
 * on: texts mostly have the same keys in the same order, and there may be many. */
static bool find(struct item *out, const char *text, const char **hint, const struct item *like)
{
    if (next(out, hint) && same_key(out, like)) return true;
    while (next(out, &text)) {
        if (same_key(out, like)) return true;
    }
    const char *value = implied_value(like->key, like->key_length);
    *out = (struct item) { like->key, value, like->key_length, strlen(value) };
    return false;
}

static bool inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* A value from byte `from` on, which is 0 unless there is too much to show. */
static void show(char out[PART + 32], const struct item *item, size_t from)
{
    size_t count = item->value_length - from, most = from ? PART : WHOLE;
    bool cut = count > most;
    if (cut) count = most;
    while (cut && count && inside_character(item->value[from + count]))
        count--;
    snprintf(out, PART + 32, "%s%.*s%s", from ? "..." : "", (int)count, item->value + from, cut ? "..." : "");
}

static void tell(char difference[VGG_SETTINGS_DIFFERENCE], const struct item *then, const struct item *now)
{
    char before[PART + 32], after[PART + 32];
    size_t same = 0, from = 0;
    while (same < then->value_length && same < now->value_length && then->value[same] == now->value[same])
        same++;
    if ((then->value_length > WHOLE || now->value_length > WHOLE) && same > BEFORE) from = same - BEFORE;
    while (from && from < same && inside_character(now->value[from]))
        from++;
    show(before, then, from);
    show(after, now, from);
    snprintf(difference, VGG_SETTINGS_DIFFERENCE, "%.*s %s then, %s now", (int)now->key_length, now->key, before,
             after);
}

static bool same_value(const struct item *a, const struct item *b)
{
    return a->value_length == b->value_length && memcmp(a->value, b->value, a->value_length) == 0;
}

bool vgg_settings_same(char difference[VGG_SETTINGS_DIFFERENCE], const char *then, const char *now)
{
    struct item a, b;
    const char *hint = then;
    for (const char *at = now; next(&b, &at);) {
        find(&a, then, &hint, &b);
        if (same_value(&a, &b)) continue;
        tell(difference, &a, &b);
        return false;
    }
    hint = now;
    for (const char *at = then; next(&a, &at);) {
        if (find(&b, now, &hint, &a) || same_value(&a, &b)) continue;
        tell(difference, &a, &b);
        return false;
    }
    return true;
}
