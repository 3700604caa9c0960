/* os_windows.h: what the seam's files for Windows share: names, errors and handles. */
#ifndef CORE_BASE_OS_WINDOWS_H
#define CORE_BASE_OS_WINDOWS_H

#include <windows.h>

#include "core/base/os.h"

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

/* How files are opened: others may do with them what they like. */
enum { VGG_OS_SHARE = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };
/* CreateFileW, inherited by no program; INVALID_HANDLE_VALUE with errno. */
HANDLE vgg_os_open_handle(const char *path, DWORD access, DWORD how, DWORD flags);
/* A descriptor of the C library for a handle, which closes it; closed at once where there is none. -1: failed. */
int vgg_os_descriptor_for(HANDLE handle, int flags);
HANDLE vgg_os_handle_of(int file);
bool vgg_os_info_of(struct vgg_os_info *info, HANDLE handle);
/* Of a path; flags: FILE_FLAG_OPEN_REPARSE_POINT, where links are not to be followed. */
bool vgg_os_look_at(struct vgg_os_info *info, const char *path, DWORD flags);
/* The descriptor of this process that a path stands for; -1: none. */
int vgg_os_own_descriptor(const char *path);

#endif
