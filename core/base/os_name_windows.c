#include "core/base/os_windows.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void vgg_os_set_errno(void)
{
    static const struct {
        DWORD theirs;
        int ours;
    } known[] = {
        { ERROR_FILE_NOT_FOUND, ENOENT },
        { ERROR_PATH_NOT_FOUND, ENOENT },
        { ERROR_INVALID_NAME, ENOENT },
        { ERROR_BAD_NETPATH, ENOENT },
        { ERROR_BAD_NET_NAME, ENOENT },
        { ERROR_INVALID_DRIVE, ENOENT },
        { ERROR_BAD_PATHNAME, ENOENT },
        { ERROR_MOD_NOT_FOUND, ENOENT },
        { ERROR_ACCESS_DENIED, EACCES },
        { ERROR_SHARING_VIOLATION, EACCES },
        { ERROR_LOCK_VIOLATION, EACCES },
        { ERROR_USER_MAPPED_FILE, EACCES },
        { ERROR_WRITE_PROTECT, EROFS },
        { ERROR_FILE_EXISTS, EEXIST },
        { ERROR_ALREADY_EXISTS, EEXIST },
        { ERROR_DISK_FULL, ENOSPC },
        { ERROR_HANDLE_DISK_FULL, ENOSPC },
        { ERROR_DIR_NOT_EMPTY, ENOTEMPTY },
        { ERROR_DIRECTORY, ENOTDIR },
        { ERROR_NOT_ENOUGH_MEMORY, ENOMEM },
        { ERROR_OUTOFMEMORY, ENOMEM },
        { ERROR_COMMITMENT_LIMIT, ENOMEM },
        { ERROR_BROKEN_PIPE, EPIPE },
        { ERROR_NO_DATA, EPIPE },
        { ERROR_TOO_MANY_OPEN_FILES, EMFILE },
        { ERROR_NOT_SAME_DEVICE, EXDEV },
        { ERROR_NOT_SUPPORTED, ENOSYS },
        { ERROR_INVALID_FUNCTION, ENOSYS },
        { ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG },
    };
    DWORD error = GetLastError();
    errno = EIO;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].theirs == error) errno = known[i].ours;
}

bool vgg_os_check(bool good)
{
    if (!good) vgg_os_set_errno();
    return good;
}

/* UTF-8 as UTF-16 by malloc. NULL with errno: no memory, or no UTF-8. */
static wchar_t *widen(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof *wide) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    if (!wide) errno = n > 0 ? ENOMEM : EILSEQ;
    return wide;
}

bool vgg_os_narrow(char *text, size_t size, const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size < INT_MAX ? (int)size : INT_MAX, NULL, NULL);
    if (n <= 0 && size > 0) text[0] = '\0';
    for (char *at = n > 0 ? text : NULL; at && (at = strchr(at, '\\'));)
        *at = '/';
    return n > 0;
}

char *vgg_os_narrow_copy(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = n > 0 ? malloc((size_t)n) : NULL;
    if (text) vgg_os_narrow(text, (size_t)n, wide);
    return text;
}

/* A long one becomes absolute, which lifts the bound on its length. */
wchar_t *vgg_os_wide_path(const char *path)
{
    static const wchar_t plain[] = L"\\\\?\\", share[] = L"\\\\?\\UNC\\";
    enum { SHORT = 240, ROOM = sizeof share / sizeof *share - 1 };
    wchar_t *wide = widen(path);
    if (!wide || wcslen(wide) < SHORT || wcsncmp(wide, plain, 4) == 0) return wide;
    DWORD n = GetFullPathNameW(wide, 0, NULL, NULL);
    wchar_t *full = n > 0 ? malloc((ROOM + n) * sizeof *full) : NULL;
    if (full && GetFullPathNameW(wide, n, full + ROOM, NULL) < n) {
        bool network = full[ROOM] == L'\\' && full[ROOM + 1] == L'\\';
        const wchar_t *prefix = network ? share : plain;
        size_t length = wcslen(prefix);
        wchar_t *rest = full + ROOM + (network ? 2 : 0), *begin = rest - length;
        memcpy(begin, prefix, length * sizeof *prefix);
        memmove(full, begin, (length + wcslen(rest) + 1) * sizeof *full);
    } else {
        errno = full ? ENOENT : ENOMEM;
        free(full);
        full = NULL;
    }
    free(wide);
    return full;
}
