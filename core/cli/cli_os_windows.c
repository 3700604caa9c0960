/* The console, and what a program is told from outside, as Windows has them. Source: Microsoft, Windows API reference.
 */
#define _CRT_RAND_S /* rand_s */
#include <windows.h>

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_os.h"
#include "core/vgg16.h"

/* ---- arguments, and streams ---- */

/* The system's C library expands * and ? in arguments, which its shells leave as they are. */
extern int _dowildcard;
int _dowildcard = -1;

static UINT old_code_page;

static void restore_code_page(void)
{
    SetConsoleOutputCP(old_code_page);
}

/* An argument in UTF-8, by malloc; '/' for '\', of which no file's name and no word of an option has one. */
static char *argument_of(const wchar_t *wide)
{
    int n = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = n > 0 ? malloc((size_t)n) : NULL;
    if (text) WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, n, NULL, NULL);
    for (char *at = text; at && (at = strchr(at, '\\'));)
        *at = '/';
    return text;
}

/* Variables that are not ASCII, as UTF-8, too. */
static void take_environment(void)
{
    for (wchar_t **entry = _wenviron; entry && *entry; entry++) {
        size_t name = wcscspn(*entry, L"=");
        bool ascii = true;
        for (const wchar_t *at = *entry; *at && ascii; at++)
            ascii = *at < 0x80;
        if (ascii || name == 0 || wcsncmp(*entry, L"VGG16_", 6) != 0) continue;
        char *text = argument_of(*entry);
        if (text) (void)_putenv(text);
        free(text);
    }
}

int main(int argc, char **argv);

/* Where the program begins; the arguments live as long as it. Everything that it writes are bytes, and UTF-8. */
int wmain(int argc, wchar_t **wide)
{
    char **argv = calloc((size_t)argc + 1, sizeof *argv);
    bool good = argv != NULL;
    for (int i = 0; good && i < argc; i++) {
        argv[i] = argument_of(wide[i]);
        good = argv[i] != NULL;
    }
    if (!good) {
        fputs("vgg16: no memory for its arguments\n", stderr);
        return 1;
    }
    take_environment();
    for (int stream = 0; stream < 3; stream++)
        _setmode(stream, _O_BINARY);
    old_code_page = GetConsoleOutputCP();
    if (old_code_page && SetConsoleOutputCP(CP_UTF8)) atexit(restore_code_page);
    return main(argc, argv);
}

/* ---- the terminal ---- */

static SRWLOCK lock = SRWLOCK_INIT;

static HANDLE console(void)
{
    return GetStdHandle(STD_ERROR_HANDLE);
}

/* A console that knows the escape sequences of terminals, as those since Windows 10 do. */
bool cli_os_is_terminal(void)
{
    DWORD mode;
    return GetConsoleMode(console(), &mode) &&
           SetConsoleMode(console(), mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

int cli_os_columns(void)
{
    CONSOLE_SCREEN_BUFFER_INFO info;
    int columns = GetConsoleScreenBufferInfo(console(), &info) ? info.srWindow.Right - info.srWindow.Left + 1 : 0;
    return columns > 0 ? columns : 80;
}

void cli_os_lock(void)
{
    AcquireSRWLockExclusive(&lock);
}

void cli_os_unlock(void)
{
    ReleaseSRWLockExclusive(&lock);
}

double cli_os_seconds(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

/* ---- signals ---- */

static const double repeat_interval = 0.5; /* seconds: one request may arrive twice */

static volatile LONG stop;
static double stop_time;

/* A box that asks for a disk is an error of reading. */
void cli_signals_ignore(void)
{
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX);
}

static LONG CALLBACK on_page_error(EXCEPTION_POINTERS *pointers)
{
    const EXCEPTION_RECORD *record = pointers->ExceptionRecord;
    if (record->ExceptionCode != EXCEPTION_IN_PAGE_ERROR || record->NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH;
    const char *path = vgg_mapped_file((const void *)record->ExceptionInformation[1]);
    if (!path) return EXCEPTION_CONTINUE_SEARCH;
    const char *const words[] = { "vgg16: ", path, ": was cut short, or its disk failed, while it was read\n" };
    for (int i = 0; i < 3; i++) {
        DWORD written;
        (void)WriteFile(console(), words[i], (DWORD)strlen(words[i]), &written, NULL);
    }
    TerminateProcess(GetCurrentProcess(), 1);
    return EXCEPTION_CONTINUE_SEARCH;
}

void cli_signals_explain(void)
{
    AddVectoredExceptionHandler(1, on_page_error);
}

/* In a thread of its own. After a closed window, a log-off or a shutdown the process lives no longer than this function
 * takes, and some seconds: what is to be saved is saved meanwhile. */
static BOOL WINAPI on_event(DWORD event)
{
    if (InterlockedCompareExchange(&stop, 1, 0) == 0) {
        stop_time = cli_os_seconds();
    } else if (cli_os_seconds() - stop_time > repeat_interval) {
        TerminateProcess(GetCurrentProcess(), (UINT)STATUS_CONTROL_C_EXIT); /* what the system does, but for Wine */
    }
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) Sleep(INFINITE);
    return TRUE;
}

void cli_signals_catch(void)
{
    SetConsoleCtrlHandler(on_event, TRUE);
}

bool cli_signals_stop(void)
{
    return stop;
}

static void CALLBACK end_now(void *unused, BOOLEAN fired)
{
    (void)unused, (void)fired;
    ExitProcess(1);
}

void cli_os_end_within(int seconds)
{
    HANDLE timer;
    CreateTimerQueueTimer(&timer, NULL, end_now, NULL, 1000 * (DWORD)seconds, 0, WT_EXECUTEDEFAULT);
}

/* ---- files ---- */

/* A path for Windows, by malloc; NULL with errno. */
static wchar_t *wide_path(const char *path)
{
    int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    wchar_t *wide = n > 0 ? malloc((size_t)n * sizeof *wide) : NULL;
    if (wide) MultiByteToWideChar(CP_UTF8, 0, path, -1, wide, n);
    if (!wide) errno = n > 0 ? ENOMEM : EILSEQ;
    return wide;
}

enum cli_os_kind cli_os_kind(const char *path)
{
    enum cli_os_kind kind = CLI_OS_MISSING;
    wchar_t *wide = wide_path(path);
    HANDLE handle =
        wide ? CreateFileW(wide, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
             : INVALID_HANDLE_VALUE;
    free(wide);
    if (handle == INVALID_HANDLE_VALUE) return kind;
    BY_HANDLE_FILE_INFORMATION info;
    if (GetFileType(handle) != FILE_TYPE_DISK) {
        kind = CLI_OS_OTHER;
    } else if (GetFileInformationByHandle(handle, &info)) {
        kind = info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? CLI_OS_FOLDER : CLI_OS_FILE;
    }
    CloseHandle(handle);
    return kind;
}

/* Rights are lists that only the system weighs: it is asked for the one to add a file. */
bool cli_os_writable(const char *folder)
{
    wchar_t *wide = wide_path(folder);
    if (!wide) return false;
    HANDLE handle = CreateFileW(wide, FILE_ADD_FILE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    errno = GetLastError() == ERROR_ACCESS_DENIED ? EACCES : ENOENT;
    free(wide);
    if (handle == INVALID_HANDLE_VALUE) return false;
    CloseHandle(handle);
    return true;
}

bool cli_os_new_folder(char *path)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    enum { PLACES = 6, TRIES = 100 };
    char *end = path + strlen(path) - PLACES;
    for (int i = 0; i < TRIES; i++) {
        unsigned word;
        for (int k = 0; k < PLACES; k++)
            end[k] = rand_s(&word) == 0 ? letters[word % (sizeof letters - 1)] : letters[i % 36];
        wchar_t *wide = wide_path(path);
        bool made = wide && CreateDirectoryW(wide, NULL), taken = !made && GetLastError() == ERROR_ALREADY_EXISTS;
        free(wide);
        if (made) return true;
        if (!taken) break;
    }
    return false;
}

void cli_os_remove_folder(const char *path)
{
    wchar_t *wide = wide_path(path);
    if (wide) RemoveDirectoryW(wide);
    free(wide);
}

const char *cli_os_temporary(int i)
{
    static char folder[3 * MAX_PATH + 1];
    wchar_t wide[MAX_PATH + 1];
    char *text = i == 0 && GetTempPathW(MAX_PATH, wide) ? argument_of(wide) : NULL;
    snprintf(folder, sizeof folder, "%s", text ? text : "");
    free(text);
    return folder;
}
