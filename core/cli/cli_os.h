/* cli_os.h: what the program itself asks of the operating system; cli_os_posix.c and
 * cli_os_windows.c answer. There main() gets its arguments in UTF-8. */
#ifndef CORE_CLI_CLI_OS_H
#define CORE_CLI_CLI_OS_H

#include <stdbool.h>

/* ---- the terminal behind stderr ---- */

bool cli_os_is_terminal(void);
/* Its width; 80 where it cannot be told. */
int cli_os_columns(void);
/* Between these the calling thread has stderr for itself. Not recursive. */
void cli_os_lock(void);
void cli_os_unlock(void);

/* Seconds since some fixed moment, that only go forward. */
double cli_os_seconds(void);

/* ---- signals ---- */

/* A closed pipe and a limit on files show as errors of writing instead of ending the program. */
void cli_signals_ignore(void);
/* When a file is cut short while the library has it mapped, one line says so and the program ends with CLI_EXIT_FAILED.
 * By then nothing has been written but beside the outputs. */
void cli_signals_explain(void);
/* From here on the first SIGINT, SIGTERM or SIGHUP (unless it is ignored, as by nohup) asks to stop, and one that comes
 * later than half a second after it kills. */
void cli_signals_catch(void);
bool cli_signals_stop(void);
/* Ends the program so many seconds from now, whatever it waits for. */
void cli_os_end_within(int seconds);

/* ---- files ---- */

/* MISSING: also what may not be seen. OTHER: a device, a pipe, a socket. */
enum cli_os_kind { CLI_OS_MISSING, CLI_OS_FILE, CLI_OS_FOLDER, CLI_OS_OTHER };

/* What a path leads to. */
enum cli_os_kind cli_os_kind(const char *path);
/* Makes a folder that nobody else can have made, by replacing the XXXXXX at the end of `path`. */
bool cli_os_new_folder(char *path);
void cli_os_remove_folder(const char *path); /* an empty one */
/* The folders for temporary files, 0 and 1; NULL or "": none. */
const char *cli_os_temporary(int i);
/* Can names be added to a folder? False: errno says why. */
bool cli_os_writable(const char *folder);

#endif
