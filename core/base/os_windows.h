/* os_windows.h: what the seam's files for Windows share: names and errors. */
#ifndef CORE_BASE_OS_WINDOWS_H
#define CORE_BASE_OS_WINDOWS_H

#include <windows.h>

#include <stdbool.h>
#include <stddef.h>

/* errno for what Windows has failed by. */
void vgg_os_set_errno(void);
/* False, with errno, unless `good`. */
bool vgg_os_check(bool good);
/* UTF-16 as UTF-8, '/' for '\'. False: it does not fit, and is empty. */
bool vgg_os_narrow(char *text, size_t size, const wchar_t *wide);
/* The same by malloc; NULL without memory. */
char *vgg_os_narrow_copy(const wchar_t *wide);
/* A path for Windows, by malloc; NULL with errno. */
wchar_t *vgg_os_wide_path(const char *path);

#endif
