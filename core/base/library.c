#include "core/base/library.h"

#include <string.h>

#include "core/base/log.h"
#include "core/base/os.h"

static bool open_all(const char *file, const struct vgg_library_entry *entries, size_t count, bool variables)
{
    void *library = vgg_os_library_open(file);
    if (!library) {
        vgg_log(VGG_LOG_DEBUG, "%s cannot be opened", file);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        void *symbol = variables ? vgg_os_program_symbol(entries[i].name) : NULL;
        if (!symbol) symbol = vgg_os_library_symbol(library, entries[i].name);
        if (!symbol) {
            vgg_log(VGG_LOG_DEBUG, "%s lacks %s", file, entries[i].name);
            vgg_os_library_close(library);
            return false;
        }
        memcpy(entries[i].pointer, &symbol, sizeof symbol);
    }
    return true;
}

bool vgg_library_open(const char *file, const struct vgg_library_entry *entries, size_t count)
{
    return open_all(file, entries, count, false);
}

bool vgg_library_variables(const char *file, const struct vgg_library_entry *entries, size_t count)
{
    return open_all(file, entries, count, true);
}
