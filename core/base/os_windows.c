/* Windows: files by wide names, made of UTF-8 and not bound to 260 characters, that others may rename, replace and
 * remove while they are open. Source: Microsoft, Windows API reference. */
#define _CRT_RAND_S /* rand_s */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/os_windows.h"

enum { SHARE = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

/* ---- handles ---- */

/* CreateFileW, inherited by no program; INVALID_HANDLE_VALUE with errno. */
static HANDLE open_handle(const char *path, DWORD access, DWORD how, DWORD flags)
{
    wchar_t *wide = vgg_os_wide_path(path);
    if (!wide) return INVALID_HANDLE_VALUE;
    HANDLE handle = CreateFileW(wide, access, SHARE, NULL, how, FILE_ATTRIBUTE_NORMAL | flags, NULL);
    vgg_os_check(handle != INVALID_HANDLE_VALUE);
    free(wide);
    return handle;
}

/* A descriptor of the C library for it, which closes it; closed at once where there is none. */
static int descriptor_for(HANDLE handle, int flags)
{
    int fd = handle == INVALID_HANDLE_VALUE ? -1 : _open_osfhandle((intptr_t)handle, flags | _O_BINARY | _O_NOINHERIT);
    if (fd < 0 && handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    return fd;
}

static HANDLE handle_of(int fd)
{
    return (HANDLE)_get_osfhandle(fd);
}

/* ---- what a path leads to ---- */

static bool info_of(struct vgg_os_info *info, HANDLE handle)
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

/* Of a path; flags: FILE_FLAG_OPEN_REPARSE_POINT, where links are not to be followed. */
static bool look(struct vgg_os_info *info, const char *path, DWORD flags)
{
    HANDLE handle = open_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | flags);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool good = info_of(info, handle);
    int cause = errno;
    CloseHandle(handle);
    errno = cause;
    return good;
}

bool vgg_os_look(struct vgg_os_info *info, const char *path)
{
    return look(info, path, 0);
}

bool vgg_os_readable(const char *path)
{
    HANDLE handle = open_handle(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS);
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
    HANDLE handle = data ? open_handle(path, FILE_READ_ATTRIBUTES, OPEN_EXISTING,
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

/* The descriptor that a path stands for, -1: none; the names that scripts know from other systems. */
static int descriptor_of(const char *path)
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
    return descriptor_of(path) >= 0;
}

/* ---- reading ---- */

FILE *vgg_os_fopen(const char *path, const char *mode)
{
    bool reads = mode[0] == 'r', appends = mode[0] == 'a';
    int fd = descriptor_for(open_handle(path,
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
    return descriptor_for(open_handle(path, GENERIC_READ, OPEN_EXISTING, 0), _O_RDONLY);
}

void vgg_os_close(int file)
{
    _close(file);
}

bool vgg_os_look_open(struct vgg_os_info *info, int file)
{
    return info_of(info, handle_of(file));
}

enum { PIECE = 1 << 30 }; /* bytes of one transfer */

ptrdiff_t vgg_os_read(int file, void *to, size_t size)
{
    DWORD n;
    if (ReadFile(handle_of(file), to, size < PIECE ? (DWORD)size : PIECE, &n, NULL)) return (ptrdiff_t)n;
    if (GetLastError() == ERROR_BROKEN_PIPE) return 0;
    vgg_os_set_errno();
    return -1;
}

bool vgg_os_read_at(int file, void *to, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        OVERLAPPED at = { .Offset = (DWORD)(offset + done), .OffsetHigh = (DWORD)((offset + done) >> 32) };
        DWORD n = 0, wanted = size - done < PIECE ? (DWORD)(size - done) : PIECE;
        bool good = ReadFile(handle_of(file), (char *)to + done, wanted, &n, &at);
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
    HANDLE mapping = CreateFileMappingW(handle_of(file), NULL, PAGE_READONLY, 0, 0, NULL);
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

/* ---- writing ---- */

static FILE *writer_of(int fd)
{
    FILE *stream = fd < 0 ? NULL : _fdopen(fd, "wb");
    if (!stream && fd >= 0) _close(fd);
    return stream;
}

/* Opened for removal, too: a rename by the handle, and a name that goes at once, need it. */
FILE *vgg_os_create(const char *path)
{
    return writer_of(descriptor_for(open_handle(path, GENERIC_WRITE | GENERIC_READ, CREATE_NEW, 0), 0));
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
    return look(&there, path, FILE_FLAG_OPEN_REPARSE_POINT) && info_of(&open_one, handle) &&
           there.volume == open_one.volume && there.number == open_one.number;
}

bool vgg_os_claim(int *lock, FILE *stream, const char *path)
{
    HANDLE copy, self = GetCurrentProcess();
    bool copied = DuplicateHandle(self, handle_of(_fileno(stream)), self, &copy, 0, FALSE, DUPLICATE_SAME_ACCESS);
    *lock = copied ? descriptor_for(copy, 0) : -1;
    if (*lock < 0) return true;
    bool held = lock_handle(handle_of(*lock)), taken = !held && is_taken();
    if (held && is_same(path, handle_of(*lock))) return true;
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
    HANDLE handle = open_handle(path, GENERIC_WRITE | DELETE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
    if (handle == INVALID_HANDLE_VALUE) return false;
    bool ours = info_of(&info, handle) && info.kind == VGG_OS_FILE;
    bool gone = ours && lock_handle(handle) && is_same(path, handle) && remove_handle(handle);
    CloseHandle(handle);
    return gone;
}

FILE *vgg_os_open_stream(const char *path)
{
    int own = descriptor_of(path);
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
    return vgg_os_check(FlushFileBuffers(handle_of(_fileno(stream))));
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
    int nowhere = descriptor_for(CreateFileW(path, GENERIC_READ | GENERIC_WRITE | DELETE, SHARE, NULL, CREATE_ALWAYS,
                                             FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, NULL),
                                 0);
    if (nowhere < 0) return false;
    bool good = _dup2(nowhere, file) == 0;
    _close(nowhere);
    return good;
}

/* Gives a file another size. grow: or leaves it as it is where it has so many bytes. */
static bool resize(const char *path, uint64_t size, bool grow)
{
    HANDLE handle = open_handle(path, GENERIC_WRITE | FILE_READ_ATTRIBUTES, OPEN_EXISTING, 0);
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
        HANDLE old = CreateFileW(aside, DELETE, SHARE, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
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
    HANDLE handle = whole ? open_handle(from, DELETE | SYNCHRONIZE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT)
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
    HANDLE handle = open_handle(path, DELETE, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT);
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
    HANDLE handle = open_handle(path, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, 0);
    *lock = descriptor_for(handle, 0);
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
