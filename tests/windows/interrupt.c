/* interrupt.c: presses Ctrl-C: interrupt.exe PATTERN TIMES PROGRAM ARGUMENT... runs a program in a console of its own,
 * waits until a file whose name matches PATTERN is there, presses TIMES times, a second apart, and ends with the
 * program's exit code. */
#include <windows.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT = 100000 /* ms for the file, and for the end */, NEVER_THERE = 99, NEVER_ENDED = 98 };

/* The pattern is not expanded. */
extern int _dowildcard;
int _dowildcard = 0;

/* This program shares the console, and is told, too. */
static BOOL WINAPI pass(DWORD event)
{
    (void)event;
    return TRUE;
}

/* Arguments hold neither '"' nor a '\' at their end. By malloc. */
static wchar_t *command_line(wchar_t **argv)
{
    size_t room = 1, length = 0;
    for (int i = 0; argv[i]; i++)
        room += wcslen(argv[i]) + 3;
    wchar_t *line = calloc(room, sizeof *line);
    for (int i = 0; line && argv[i]; i++)
        length += (size_t)swprintf(line + length, room - length, L"\"%ls\" ", argv[i]);
    return line;
}

/* A console that no terminal has; streams stay what they are. */
static bool own_console(STARTUPINFOW *start)
{
    *start = (STARTUPINFOW) {
        .cb = sizeof *start,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
        .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
        .hStdError = GetStdHandle(STD_ERROR_HANDLE),
    };
    FreeConsole();
    return AllocConsole() && SetConsoleCtrlHandler(pass, TRUE);
}

static bool wait_for(const wchar_t *pattern, HANDLE process)
{
    for (int waited = 0; waited < WAIT; waited += 10) {
        WIN32_FIND_DATAW found;
        HANDLE search = FindFirstFileW(pattern, &found);
        if (search != INVALID_HANDLE_VALUE) {
            FindClose(search);
            return true;
        }
        if (WaitForSingleObject(process, 10) == WAIT_OBJECT_0) return false;
    }
    return false;
}

int wmain(int argc, wchar_t **argv)
{
    STARTUPINFOW start;
    PROCESS_INFORMATION made;
    wchar_t *line = argc > 3 ? command_line(argv + 3) : NULL;
    if (!line || !own_console(&start) || !CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &made)) {
        fprintf(stderr, "interrupt.exe: usage, or error %lu\n", GetLastError());
        return 2;
    }
    bool there = wait_for(argv[1], made.hProcess);
    for (int i = 0; there && i < _wtoi(argv[2]); i++) {
        if (i > 0) Sleep(1000);
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) fprintf(stderr, "interrupt.exe: error %lu\n", GetLastError());
    }
    DWORD code = NEVER_ENDED;
    if (there && WaitForSingleObject(made.hProcess, WAIT) == WAIT_OBJECT_0) {
        GetExitCodeProcess(made.hProcess, &code);
    } else {
        TerminateProcess(made.hProcess, 1);
    }
    free(line);
    return there ? (int)code : NEVER_THERE;
}
