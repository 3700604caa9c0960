/* Windows: what a path leads to, and reading. Files are opened by wide names, made of UTF-8 and not bound to 260
 * characters, and others may rename, replace and remove them meanwhile. Source: Microsoft, Windows API reference. */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/os_windows.h"

/* ---- handles ---- */

HANDLE vgg_os_open_handle(const char *path, DWORD access, DWORD how, DWORD flags)
{
    wchar_t *wide = vgg_os_wide_path(path);
    if (!wide) return INVALID_HANDLE_VALUE;
    HANDLE handle = CreateFileW(wide, access, VGG_OS_SHARE, NULL, how, FILE_ATTRIBUTE_NORMAL | flags, NULL);
    vgg_os_check(handle != INVALID_HANDLE_VALUE);
    free(wide);
    return handle;
}

int vgg_os_descriptor_for(HANDLE handle, int flags)
{
    int fd = handle == INVALID_HANDLE_VALUE ? -1 : _open_osfhandle((intptr_t)handle, flags | _O_BINARY | _O_NOINHERIT);
    if (fd < 0 && handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    return fd;
}

HANDLE vgg_os_handle_of(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

/* ---- what a path leads to ---- */

bool vgg_os_info_of(struct vgg_os_info *info, HANDLE handle)
{
    BY_HANDLE_FILE_INFORMATION found;
    *info = (struct vgg_os_info) { .kind = VGG_OS_OTHER };
    if (GetFileType(handle) != FILE_TYPE_DISK) return GetFileType(handle) != FILE_TYPE_UNKNOWN;
    if (!GetFileInformationByHandle(handle, &found)) return vgg_os_check(false);
    *info = (struct vgg_os_info) {
        .kind = found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? VGG_OS_FOLDER : VGG_OS_FILE,
        .size = (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow,
        .volume = found.dwVolumeSerialNumber,
        .number = (uint64_t)found.nFileIndexHigh << 32 | found.nFileIndexLow,
    };
    return true;
}

bool vgg_os_look_at(struct vgg_os_info *info, const char *path, DWORD flags)
{
    HANDLE handle = vgg_os_open_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool good = vgg_os_info_of(info, handle);
    int cause = errno;
    CloseHandle(handle);
    errno = cause;
    return good;
}

bool vgg_os_look(struct vgg_os_info *info, const char *path)
{
    return vgg_os_look_at(info, path, 0);
}

bool vgg_os_readable(const char *path)
{
    HANDLE handle = vgg_os_open_handle(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
    if (handle == INVALID_HANDLE_VALUE) return false;
    CloseHandle(handle);
    return true;
}

bool vgg_os_is_absolute(const char *path)
{
    return path[0] == '/' || path[0] == '\\' || (path[0] && path[1] == ':');
}

/* Symbolic links of files alone: their whole target is what Windows makes of the name of what they lead to, be that not
 * there yet or not. */
bool vgg_os_read_link(char *target, size_t size, const char *path)
{
    enum { HEADER = 20 }; /* bytes of a symbolic link's data before its names */
    union {
        unsigned char bytes[MAXIMUM_REPARSE_DATA_BUFFER_SIZE];
        DWORD tag;
        WORD words[MAXIMUM_REPARSE_DATA_BUFFER_SIZE / 2];
        wchar_t wide[MAXIMUM_REPARSE_DATA_BUFFER_SIZE / 2];
    } *data = malloc(sizeof *data);
    HANDLE handle = data ? vgg_os_open_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING,
                                              FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)
                         : INVALID_HANDLE_VALUE;
    DWORD n = 0;
    bool good = handle != INVALID_HANDLE_VALUE &&
                DeviceIoControl(handle, FSCTL_GET_REPARSE_POINT, NULL, 0, data, sizeof *data, &n, NULL) &&
                n >= HEADER && data->tag == IO_REPARSE_TAG_SYMLINK;
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    /* Words 6 and 7: offset and bytes of the name as it was given. */
    size_t offset = good ? HEADER + data->words[6] : 0, length = good ? data->words[7] : 0;
    good = good && offset + length <= n && offset + length + 2 <= sizeof *data;
    if (good) {
        data->wide[(offset + length) / 2] = L'\0';
        good = vgg_os_narrow(target, size, data->wide + offset / 2);
    }
    free(data);
    return good;
}

/* The names that scripts know from other systems. */
int vgg_os_own_descriptor(const char *path)
{
    static const char folder[] = "/dev/fd/";
    if (strcmp(path, "/dev/stdout") == 0) return 1;
    if (strcmp(path, "/dev/stderr") == 0) return 2;
    size_t length = sizeof folder - 1;
    if (strncmp(path, folder, length) != 0) return -1;
    size_t digits = strspn(path + length, "0123456789");
    return digits > 0 && digits < 7 && path[length + digits] == '\0' ? atoi(path + length) : -1;
}

bool vgg_os_is_descriptor(const char *path)
{
    return vgg_os_own_descriptor(path) >= 0;
}

/* ---- reading ---- */

FILE *vgg_os_fopen(const char *path, const char *mode)
{
    bool reads = mode[0] == 'r', appends = mode[0] == 'a';
    int fd = vgg_os_descriptor_for(vgg_os_open_handle(path,
                                                      reads     ? GENERIC_READ
                                                      : appends ? FILE_APPEND_DATA | SYNCHRONIZE
                                                                : GENERIC_WRITE,
                                                      reads     ? OPEN_EXISTING
                                                      : appends ? OPEN_ALWAYS
                                                                : CREATE_ALWAYS,
                                                      0),
                                   reads     ? _O_RDONLY
                                   : appends ? _O_APPEND
                                             : 0);
    FILE *stream = fd < 0 ? NULL : _fdopen(fd, reads ? "rb" : appends ? "ab" : "wb");
    if (!stream && fd >= 0) _close(fd);
    return stream;
}

int vgg_os_open(const char *path)
{
    return vgg_os_descriptor_for(vgg_os_open_handle(path, GENERIC_READ, OPEN_EXISTING, 0), _O_RDONLY);
}

void vgg_os_close(int file)
{
    _close(file);
}

bool vgg_os_look_open(struct vgg_os_info *info, int file)
{
    return vgg_os_info_of(info, vgg_os_handle_of(file));
}

enum { PIECE = 1 << 30 }; /* bytes of one transfer */

ptrdiff_t vgg_os_read(int file, void *to, size_t size)
{
    DWORD n;
    if (ReadFile(vgg_os_handle_of(file), to, size < PIECE ? (DWORD)size : PIECE, &n, NULL)) return (ptrdiff_t)n;
    if (GetLastError() == ERROR_BROKEN_PIPE) return 0;
    vgg_os_set_errno();
    return -1;
}

bool vgg_os_read_at(int file, void *to, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        OVERLAPPED at = { .Offset = (DWORD)(offset + done), .OffsetHigh = (DWORD)((offset + done) >> 32) };
        DWORD n = 0, wanted = size - done < PIECE ? (DWORD)(size - done) : PIECE;
        bool good = ReadFile(vgg_os_handle_of(file), (char *)to + done, wanted, &n, &at);
        bool end = good ? n == 0 : GetLastError() == ERROR_HANDLE_EOF;
        if (!good && !end) vgg_os_set_errno();
        if (end) errno = 0;
        if (!good || end) return false;
        done += n;
    }
    return true;
}

const void *vgg_os_map(int file, size_t size)
{
    HANDLE mapping = CreateFileMappingW(vgg_os_handle_of(file), NULL, PAGE_READONLY, 0, 0, NULL);
    if (!mapping) {
        vgg_os_set_errno();
        return NULL;
    }
    const void *data = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, size);
    vgg_os_check(data);
    CloseHandle(mapping);
    return data;
}

void vgg_os_unmap(const void *data, size_t size)
{
    (void)size;
    UnmapViewOfFile(data);
}

bool vgg_os_read_until(char **text, size_t *room, size_t *length, int end, FILE *stream)
{
    size_t n = 0;
    for (int c = 0; c != end && (c = getc(stream)) != EOF;) {
        if (n + 2 > *room) {
            size_t wanted = *room ? *room * 2 : 128;
            char *more = realloc(*text, wanted);
            if (!more) return false;
            *text = more, *room = wanted;
        }
        (*text)[n++] = (char)c;
    }
    *length = n;
    if (n > 0) (*text)[n] = '\0';
    return n > 0 && !ferror(stream);
}
