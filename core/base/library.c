#include "core/base/library.h"

#include <string.h>

#include "core/base/log.h"
#include "core/base/os.h"

bool vgg_library_open(const char *file, const struct vgg_library_entry *entries, size_t count)
{
    void *library = vgg_os_library_open(file);
    if (!library) {
        vgg_log(VGG_LOG_DEBUG, "%s cannot be opened", file);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        void *symbol = vgg_os_library_symbol(library, entries[i].name);
        if (!symbol) {
            vgg_log(VGG_LOG_DEBUG, "%s lacks %s", file, entries[i].name);
            vgg_os_library_close(library);
            return false;
        }
        memcpy(entries[i].function, &symbol, sizeof symbol);
    }
    return true;
}
