/* Criterion runs each test in a process of its own, which is the program started anew. Where programs run under an
 * emulator the system cannot start them: this execve, which the program's own symbols put before the C library's,
 * starts the emulator with the program instead. EMULATOR: its command line as strings, separated by commas. */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int execve(const char *path, char *const argv[], char *const envp[])
{
    static const char *const emulator[] = { EMULATOR };
    enum { WORDS = sizeof emulator / sizeof *emulator };
    size_t count = 0;
    while (argv[count])
        count++;
    const char **line = malloc((WORDS + count + 2) * sizeof *line);
    if (!line) return -1;
    memcpy(line, emulator, sizeof emulator);
    line[WORDS] = path;
    for (size_t i = 1; i <= count; i++) /* with the NULL behind the last word */
        line[WORDS + i] = argv[i];
    return (int)syscall(SYS_execve, emulator[0], line, envp);
}
