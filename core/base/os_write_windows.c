/* Windows: writing, replacing, removing, and locks. Source: Microsoft, Windows API reference. */
#define _CRT_RAND_S /* rand_s */
#include <errno.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/os_windows.h"

static FILE *writer_of(int fd)
{
    FILE *stream = fd < 0 ? NULL : _fdopen(fd, "wb");
    if (!stream && fd >= 0) _close(fd);
    return stream;
}

/* Opened for removal, too: a rename by the handle, and a name that goes at once, need it. */
FILE *vgg_os_create(const char *path)
{
    return writer_of(vgg_os_descriptor_for(vgg_os_open_handle(path, GENERIC_WRITE | GENERIC_READ, CREATE_NEW, 0), 0));
}

/* A lock of bytes that no file has, so that nobody is kept from reading; of the handle and its copies. */
static bool lock_handle(HANDLE handle)
{
    OVERLAPPED at = { .OffsetHigh = 0x40000000 };
    return LockFileEx(handle, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at);
}

static bool is_taken(void)
{
    return GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING;
}

/* Is `path` itself the open file? */
static bool is_same(const char *path, HANDLE handle)
{
    struct vgg_os_info there, open_one;
    return vgg_os_look_at(&there, path, FILE_FLAG_OPEN_REPARSE_POINT) && vgg_os_info_of(&open_one, handle) &&
           there.volume == open_one.volume && there.number == open_one.number;
}

bool vgg_os_claim(int *lock, FILE *stream, const char *path)
{
    HANDLE copy, self = GetCurrentProcess();
    bool copied =
        DuplicateHandle(self, vgg_os_handle_of(_fileno(stream)), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    *lock = copied ? vgg_os_descriptor_for(copy, 0) : -1;
    if (*lock < 0) return true;
    bool held = lock_handle(vgg_os_handle_of(*lock)), taken = !held && is_taken();
    if (held && is_same(path, vgg_os_handle_of(*lock))) return true;
    _close(*lock);
    *lock = -1;
    return !held && !taken;
}

/* FILE_DISPOSITION_INFO_EX and FILE_RENAME_INFO, of which headers lack parts: POSIX's ways, of Windows 10 on NTFS. */
enum { DISPOSITION_EX = 21, RENAME_EX = 22 };
enum { DELETE_NAME = 1, DELETE_POSIX = 2, DELETE_READ_ONLY = 16 };
enum { RENAME_REPLACE = 1, RENAME_POSIX = 2, RENAME_READ_ONLY = 64 };

/* The name goes at once where the file system can do that, else with the last handle. */
static bool remove_handle(HANDLE handle)
{
    DWORD how = DELETE_NAME | DELETE_POSIX | DELETE_READ_ONLY;
    FILE_DISPOSITION_INFO late = { .DeleteFile = TRUE };
    return SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)DISPOSITION_EX, &how, sizeof how) ||
           SetFileInformationByHandle(handle, FileDispositionInfo, &late, sizeof late);
}

bool vgg_os_remove_abandoned(const char *path)
{
    struct vgg_os_info info;
    HANDLE handle = vgg_os_open_handle(path, GENERIC_WRITE | DELETE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool ours = vgg_os_info_of(&info, handle) && info.kind == VGG_OS_FILE;
    bool gone = ours && lock_handle(handle) && is_same(path, handle) && remove_handle(handle);
    CloseHandle(handle);
    return gone;
}

FILE *vgg_os_open_stream(const char *path)
{
    int own = vgg_os_own_descriptor(path);
    return own < 0 ? vgg_os_fopen(path, "wb") : writer_of(_dup(own));
}

bool vgg_os_seek(FILE *stream, uint64_t offset)
{
    return _fseeki64(stream, (int64_t)offset, SEEK_SET) == 0;
}

int64_t vgg_os_seek_end(FILE *stream)
{
    return _fseeki64(stream, 0, SEEK_END) == 0 ? _ftelli64(stream) : -1;
}

bool vgg_os_empty(FILE *stream)
{
    rewind(stream);
    return _chsize_s(_fileno(stream), 0) == 0;
}

bool vgg_os_sync(FILE *stream)
{
    return vgg_os_check(FlushFileBuffers(vgg_os_handle_of(_fileno(stream))));
}

/* The journal of the file system keeps names. */
void vgg_os_sync_folder(const char *path)
{
    (void)path;
}

/* To a file that nobody sees and that goes with its last handle. */
bool vgg_os_divert(int file)
{
    wchar_t folder[MAX_PATH + 1], path[MAX_PATH + 1];
    if (!GetTempPathW(MAX_PATH, folder) || !GetTempFileNameW(folder, L"vgg", 0, path)) return false;
    int nowhere =
        vgg_os_descriptor_for(CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, VGG_OS_SHARE, NULL,
                                          CREATE_ALWAYS, FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL),
                              0);
    if (nowhere < 0) return false;
    bool good = _dup2(nowhere, file) == 0;
    _close(nowhere);
    return good;
}

/* Gives a file another size. grow: or leaves it as it is where it has so many bytes. */
static bool resize(const char *path, uint64_t size, bool grow)
{
    HANDLE handle = vgg_os_open_handle(path, GENERIC_WRITE | FILE_READ_ATTRIBUTES, OPEN_EXISTING, 0);
    if (handle == INVALID_HANDLE_VALUE) return false;
    LARGE_INTEGER to = { .QuadPart = (LONGLONG)size }, is = { .QuadPart = 0 };
    bool good = !grow || GetFileSizeEx(handle, &is);
    if (!grow || is.QuadPart < to.QuadPart)
        good = good && SetFilePointerEx(handle, to, NULL, FILE_BEGIN) && SetEndOfFile(handle);
    vgg_os_check(good);
    CloseHandle(handle);
    return good;
}

bool vgg_os_reserve(const char *path, uint64_t size)
{
    return resize(path, size, true);
}

bool vgg_os_cut(const char *path, uint64_t size)
{
    return resize(path, size, false);
}

/* As POSIX's rename: who has the old file open keeps it. */
static bool rename_handle(HANDLE handle, const wchar_t *to)
{
    size_t length = wcslen(to) * sizeof *to, size = sizeof(FILE_RENAME_INFO) + length;
    FILE_RENAME_INFO *info = calloc(1, size);
    if (!info) return false;
    DWORD how = RENAME_REPLACE | RENAME_POSIX | RENAME_READ_ONLY;
    memcpy(info, &how, sizeof how); /* where older headers have ReplaceIfExists alone */
    info->FileNameLength = (DWORD)length;
    memcpy(info->FileName, to, length);
    bool good = SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)RENAME_EX, info, (DWORD)size);
    free(info);
    return good;
}

/* Where there is no such rename (FAT, Wine 8), an open file steps aside first, under a name that goes when it is
 * closed; for a moment there is none of the right name. */
static bool move_over_open(const wchar_t *from, const wchar_t *to)
{
    size_t room = wcslen(to) + 40;
    wchar_t *aside = malloc(room * sizeof *aside);
    if (!aside) return false;
    swprintf(aside, room, L"%ls.tmp.vgg16-%lx", to, GetCurrentProcessId());
    bool moved = vgg_os_check(MoveFileExW(to, aside, 0));
    bool good = moved && vgg_os_check(MoveFileExW(from, to, MOVEFILE_WRITE_THROUGH));
    if (good) {
        HANDLE old = CreateFileW(aside, DELETE, VGG_OS_SHARE, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
        if (old != INVALID_HANDLE_VALUE) {
            (void)remove_handle(old);
            CloseHandle(old);
        }
    } else if (moved) {
        (void)MoveFileExW(aside, to, 0);
    }
    free(aside);
    return good;
}

/* An absolute path for Windows, by malloc. */
static wchar_t *whole_path(const wchar_t *path)
{
    DWORD n = GetFullPathNameW(path, 0, NULL, NULL);
    wchar_t *whole = n > 0 ? malloc(n * sizeof *whole) : NULL;
    if (whole && GetFullPathNameW(path, n, whole, NULL) < n) return whole;
    free(whole);
    return NULL;
}

bool vgg_os_replace(const char *from, const char *to)
{
    wchar_t *old = vgg_os_wide_path(from), *new = old ? vgg_os_wide_path(to) : NULL,
            *whole = new ? whole_path(new) : NULL;
    HANDLE handle = whole ? vgg_os_open_handle(from, DELETE | SYNCHRONIZE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT)
                          : INVALID_HANDLE_VALUE;
    bool good = handle != INVALID_HANDLE_VALUE && rename_handle(handle, whole);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    if (!good && new) good = vgg_os_check(MoveFileExW(old, new, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
    if (!good && new &&errno == EACCES) good = move_over_open(old, new);
    int cause = errno;
    free(old);
    free(new);
    free(whole);
    errno = cause;
    return good;
}

bool vgg_os_remove(const char *path)
{
    HANDLE handle = vgg_os_open_handle(path, DELETE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool good = vgg_os_check(remove_handle(handle));
    int cause = errno;
    CloseHandle(handle);
    errno = cause;
    return good;
}

/* A drive, or the first three parts of //HOST/SHARE, can be there without being made. */
static bool is_root(const char *path)
{
    if (path[0] && path[1] == ':') return path[2] == '\0' || (path[2] == '/' && path[3] == '\0');
    if (path[0] != '/' || path[1] != '/') return false;
    const char *share = strchr(path + 2, '/');
    return !share || !strchr(share + 1, '/');
}

bool vgg_os_make_folder(bool *made, const char *path)
{
    wchar_t *wide = vgg_os_wide_path(path);
    bool new = wide &&vgg_os_check(CreateDirectoryW(wide, NULL));
    int cause = errno;
    struct vgg_os_info info;
    free(wide);
    if (made) *made = new;
    bool there = new || is_root(path) || vgg_os_look(&info, path);
    errno = cause;
    return there;
}

bool vgg_os_random(void *bytes, size_t size)
{
    for (size_t done = 0, n; done < size; done += n) {
        unsigned word;
        n = size - done < sizeof word ? size - done : sizeof word;
        if (rand_s(&word) != 0) return false;
        memcpy((char *)bytes + done, &word, n);
    }
    return true;
}

/* ---- locks ---- */

static void write_holder(HANDLE handle)
{
    char text[VGG_OS_HOLDER];
    int n = snprintf(text, sizeof text, "%ld\n", vgg_os_process());
    OVERLAPPED at = { 0 };
    LARGE_INTEGER begin = { .QuadPart = 0 };
    DWORD written;
    if (SetFilePointerEx(handle, begin, NULL, FILE_BEGIN) && SetEndOfFile(handle))
        (void)WriteFile(handle, text, (DWORD)n, &written, &at);
}

enum vgg_os_lock vgg_os_lock(int *lock, char holder[VGG_OS_HOLDER], const char *path)
{
    holder[0] = '\0';
    HANDLE handle = vgg_os_open_handle(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, 0);
    *lock = vgg_os_descriptor_for(handle, 0);
    if (*lock < 0) return VGG_OS_LOCK_FAILED;
    if (lock_handle(handle)) {
        write_holder(handle);
        return VGG_OS_LOCK_HELD;
    }
    bool taken = is_taken();
    vgg_os_check(false);
    int cause = errno;
    if (taken) {
        OVERLAPPED at = { 0 };
        DWORD n = 0;
        if (!ReadFile(handle, holder, VGG_OS_HOLDER - 1, &n, &at)) n = 0;
        holder[n] = '\0';
        holder[strspn(holder, "0123456789")] = '\0';
    }
    _close(*lock);
    *lock = -1;
    errno = cause;
    return taken ? VGG_OS_LOCK_TAKEN : VGG_OS_LOCK_UNSUPPORTED;
}

void vgg_os_unlock(int lock)
{
    if (lock >= 0) _close(lock);
}
