/* Folders, memory and libraries as Windows has them. Source: Microsoft, Windows API reference. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/os.h"
#include "core/base/os_windows.h"

#include <psapi.h>

/* ---- folders ---- */

struct vgg_os_folder {
    HANDLE search;
    bool found; /* `next` is yet to be told */
    WIN32_FIND_DATAW next;
    char name[3 * MAX_PATH + 1];
};

struct vgg_os_folder *vgg_os_folder_open(const char *path)
{
    struct vgg_os_folder *folder = calloc(1, sizeof *folder);
    size_t length = strlen(path);
    char *pattern = folder ? malloc(length + 3) : NULL;
    if (pattern) snprintf(pattern, length + 3, "%s%s*", path, length && path[length - 1] == '/' ? "" : "/");
    wchar_t *wide = pattern ? vgg_os_wide_path(pattern) : NULL;
    int cause = errno;
    if (wide) {
        folder->search = FindFirstFileW(wide, &folder->next);
        folder->found = folder->search != INVALID_HANDLE_VALUE;
        if (!folder->found) vgg_os_set_errno();
        cause = errno;
    }
    bool good = folder && folder->found;
    free(wide);
    free(pattern);
    if (!good) free(folder);
    errno = cause;
    return good ? folder : NULL;
}

static bool is_link(const WIN32_FIND_DATAW *entry)
{
    return entry->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT &&
           (entry->dwReserved0 == IO_REPARSE_TAG_SYMLINK || entry->dwReserved0 == IO_REPARSE_TAG_MOUNT_POINT);
}

bool vgg_os_folder_next(struct vgg_os_folder *folder, struct vgg_os_entry *entry)
{
    const WIN32_FIND_DATAW *next = &folder->next;
    for (;; folder->found = false) {
        if (!folder->found && !FindNextFileW(folder->search, &folder->next)) {
            bool end = GetLastError() == ERROR_NO_MORE_FILES;
            vgg_os_set_errno();
            if (end) errno = 0;
            return false;
        }
        folder->found = false;
        if (wcscmp(next->cFileName, L".") == 0 || wcscmp(next->cFileName, L"..") == 0) continue;
        if (!vgg_os_narrow(folder->name, sizeof folder->name, next->cFileName)) continue;
        entry->name = folder->name;
        entry->kind = is_link(next)                                       ? VGG_OS_OTHER
                      : next->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? VGG_OS_FOLDER
                                                                          : VGG_OS_FILE;
        return true;
    }
}

void vgg_os_folder_close(struct vgg_os_folder *folder)
{
    if (!folder) return;
    FindClose(folder->search);
    free(folder);
}

/* A variable as a path, kept until the process ends: there are few. */
static const char *path_variable(const wchar_t *name)
{
    static char kept[4][3 * MAX_PATH];
    static const wchar_t *of[4];
    static SRWLOCK lock = SRWLOCK_INIT;
    const char *value = NULL;
    const wchar_t *wide = _wgetenv(name);
    AcquireSRWLockExclusive(&lock);
    for (size_t i = 0; wide && !value && i < sizeof kept / sizeof *kept; i++) {
        if (of[i] && wcscmp(of[i], name) != 0) continue;
        of[i] = name;
        if (vgg_os_narrow(kept[i], sizeof kept[i], wide)) value = kept[i];
    }
    ReleaseSRWLockExclusive(&lock);
    return value;
}

const char *vgg_os_home(void)
{
    return path_variable(L"USERPROFILE");
}

bool vgg_os_cache_folder(char *path, size_t size)
{
    const char *cache = path_variable(L"XDG_CACHE_HOME");
    if (!cache || !*cache) cache = path_variable(L"LOCALAPPDATA");
    int n = cache ? snprintf(path, size, "%s", cache) : -1;
    return n > 0 && (size_t)n < size;
}

/* ---- memory ---- */

void *vgg_os_aligned(size_t align, size_t size)
{
    return _aligned_malloc(size, align);
}

void vgg_os_aligned_free(void *memory)
{
    _aligned_free(memory);
}

void vgg_os_discard(void *memory, size_t size)
{
    enum { PAGE = 4096 };
    size_t before = (size_t)(-(uintptr_t)memory % PAGE);
    if (size >= before + PAGE)
        VirtualAlloc((char *)memory + before, (size - before) / PAGE * PAGE, MEM_RESET, PAGE_READWRITE);
}

/* Its large pages are a privilege. */
void vgg_os_prefer_huge(void *memory, size_t size)
{
    (void)memory, (void)size;
}

/* ---- libraries and programs ---- */

static void *load(const char *name, DWORD how)
{
    wchar_t *wide = vgg_os_wide_path(name);
    for (wchar_t *at = wide; at && (at = wcschr(at, L'/'));)
        *at = L'\\';
    HMODULE library = wide ? LoadLibraryExW(wide, NULL, how) : NULL;
    free(wide);
    return library;
}

/* A bare name: beside this library, which a program may have opened from anywhere, beside the program and in the
 * system's folder, never in the present one. */
void *vgg_os_library_open(const char *name)
{
    static const char here;
    if (strpbrk(name, "/\\")) return load(name, LOAD_WITH_ALTERED_SEARCH_PATH);
    char *own = vgg_os_module(&here), *folder = own ? strrchr(own, '/') : NULL;
    size_t room = folder ? (size_t)(folder + 1 - own) + strlen(name) + 1 : 0;
    char *beside = folder ? malloc(room) : NULL;
    if (beside) snprintf(beside, room, "%.*s%s", (int)(folder + 1 - own), own, name);
    void *library = beside ? load(beside, LOAD_WITH_ALTERED_SEARCH_PATH) : NULL;
    free(beside);
    free(own);
    return library ? library : load(name, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS);
}

void vgg_os_library_close(void *library)
{
    FreeLibrary(library);
}

/* A function's address as an object's, which Windows allows and ISO C does not know. */
static void *symbol_of(HMODULE module, const char *name)
{
    FARPROC function = GetProcAddress(module, name);
    void *symbol;
    _Static_assert(sizeof symbol == sizeof function, "addresses");
    memcpy(&symbol, &function, sizeof symbol);
    return symbol;
}

void *vgg_os_library_symbol(void *library, const char *name)
{
    return symbol_of(library, name);
}

void *vgg_os_program_symbol(const char *name)
{
    HMODULE modules[512];
    DWORD bytes;
    void *symbol = NULL;
    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &bytes)) return NULL;
    if (bytes > sizeof modules) bytes = sizeof modules;
    for (size_t i = 0; i < bytes / sizeof *modules && !symbol; i++)
        symbol = symbol_of(modules[i], name);
    return symbol;
}

/* The file of a module; NULL: the program's. */
static char *file_of(HMODULE module)
{
    enum { LONGEST = 32768 };
    wchar_t *path = malloc(LONGEST * sizeof *path);
    DWORD n = path ? GetModuleFileNameW(module, path, LONGEST) : 0;
    char *file = n > 0 && n < LONGEST ? vgg_os_narrow_copy(path) : NULL;
    free(path);
    return file;
}

char *vgg_os_module(const void *address)
{
    HMODULE module;
    DWORD how = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    return GetModuleHandleExW(how, address, &module) ? file_of(module) : NULL;
}

char *vgg_os_program(void)
{
    return file_of(NULL);
}
