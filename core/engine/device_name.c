#include "core/engine/device_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/log.h"
#include "core/base/text.h"

/* ---- taking a name apart ---- */

/* Does `text` begin with the word, and does the word end there or at a colon? What follows the colon, "" for nothing
 * (*rest NULL: no colon). */
static bool begins(const char *text, const char *word, const char **rest)
{
    size_t n = strlen(word);
    *rest = NULL;
    if (strncmp(text, word, n) != 0 || (text[n] && text[n] != ':')) return false;
    if (text[n]) *rest = text + n + 1;
    return true;
}

static enum vgg_status wrong(const char *text)
{
    return vgg_fail(VGG_ERR_ARGUMENT,
                    "device \"%s\": must be a number, cpu, cpu:LEVEL, vulkan:NUMBER, part of a name, or UUID", text);
}

enum vgg_status vgg_device_name_parse(struct vgg_device_name *name, const char *text, const char *backend)
{
    const char *rest, *conv;
    if (backend && strcmp(backend, "auto") == 0) backend = NULL;
    *name = (struct vgg_device_name) { .text = text };
    if (begins(text, "cpu", &rest)) {
        snprintf(name->backend, sizeof name->backend, "cpu");
        conv = rest ? strchr(rest, ':') : NULL;
        if (rest) snprintf(name->isa, sizeof name->isa, "%.*s", (int)strcspn(rest, ":"), rest);
        if (conv) snprintf(name->conv, sizeof name->conv, "%s", conv + 1);
        if ((rest && !name->isa[0]) || (conv && !name->conv[0])) return wrong(text);
    } else if (begins(text, "vulkan", &rest)) {
        snprintf(name->backend, sizeof name->backend, "vulkan");
        name->which = rest;
    } else {
        name->which = text;
    }
    if (name->which && !name->which[0]) return wrong(text);
    if (!backend) return VGG_OK;
    if (name->backend[0] && strcmp(name->backend, backend) != 0)
        return vgg_fail(VGG_ERR_ARGUMENT, "device \"%s\" is none of backend %s; give one of them", text, backend);
    snprintf(name->backend, sizeof name->backend, "%s", backend);
    return VGG_OK;
}

/* ---- finding it ---- */

int vgg_device_own_index(const struct vgg_device_info *devices, const struct vgg_device_info *device)
{
    int own = 0;
    for (const struct vgg_device_info *d = devices; d < device; d++)
        own += strcmp(d->backend, device->backend) == 0;
    return own;
}

/* How well a device fits a name. */
enum fit { NOT, PART, WHOLE };

/* Are these the same hex digits, wherever dashes stand? */
static bool same_uuid(const char *a, const char *b)
{
    if (!*a) return false;
    for (;; a++, b++) {
        a += strspn(a, "-"), b += strspn(b, "-");
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

static enum fit fit_of(const struct vgg_device_name *name, const struct vgg_device_info *devices,
                       const struct vgg_device_info *device)
{
    const char *which = name->which;
    size_t digits = strspn(which, "0123456789");
    if (name->backend[0] && strcmp(device->backend, name->backend) != 0) return NOT;
    if (!which[digits] && digits < 6) {
        int own = name->backend[0] ? vgg_device_own_index(devices, device) : device->index;
        return strtol(which, NULL, 10) == own ? WHOLE : NOT;
    }
    if (same_uuid(device->uuid, which) || strcasecmp(device->name, which) == 0) return WHOLE;
    return vgg_text_contains(device->name, which) ? PART : NOT;
}

/* Devices as a user may name them: "cpu (Xeon), vulkan:0 (Radeon)"; as many as there is room for. */
struct names {
    char text[640];
    size_t used, count;
};

static void names_add(struct names *names, const struct vgg_device_info *devices, const struct vgg_device_info *device)
{
    char number[16] = "";
    bool cpu = strcmp(device->backend, "cpu") == 0;
    if (!cpu) snprintf(number, sizeof number, ":%d", vgg_device_own_index(devices, device));
    const char *comma = names->count++ ? ", " : "";
    if (names->used + strlen(device->name) + 40 > sizeof names->text) return;
    names->used += (size_t)snprintf(names->text + names->used, sizeof names->text - names->used, "%s%s%s (%s)", comma,
                                    device->backend, number, device->name);
}

enum vgg_status vgg_device_name_find(const struct vgg_device_info **out, const struct vgg_device_name *name,
                                     const struct vgg_device_info *devices, size_t count)
{
    struct names all = { .count = 0 }, fitting = { .count = 0 };
    enum fit best = NOT;
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        enum fit fit = fit_of(name, devices, &devices[i]);
        if (!name->backend[0] || strcmp(devices[i].backend, name->backend) == 0) names_add(&all, devices, &devices[i]);
        if (fit > best) fitting = (struct names) { .count = 0 };
        if (fit > best) best = fit, *out = &devices[i];
        if (fit == best && fit != NOT) names_add(&fitting, devices, &devices[i]);
    }
    if (fitting.count == 1) return VGG_OK;
    *out = NULL;
    if (fitting.count > 1)
        return vgg_fail(VGG_ERR_ARGUMENT, "device \"%s\" could be %s; take one of these", name->text, fitting.text);
    char word[32];
    struct vgg_nearest nearest = { .text = word };
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name->text, ":"), name->text);
    if (strlen(name->text) < sizeof word && !name->backend[0]) {
        vgg_nearest_try(&nearest, "cpu");
        vgg_nearest_try(&nearest, "vulkan");
    }
    bool narrowed = name->backend[0] && name->which == name->text;
    if (!all.count)
        return vgg_fail(VGG_ERR_MISSING, "no device \"%s\": backend %s finds none here", name->text, name->backend);
    return vgg_fail(VGG_ERR_MISSING, "no device \"%s\"%s%s; there %s %s%s", name->text, narrowed ? " on backend " : "",
                    narrowed ? name->backend : "", all.count == 1 ? "is" : "are", all.text,
                    vgg_nearest_hint(&nearest, ""));
}
