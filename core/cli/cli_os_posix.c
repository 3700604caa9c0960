#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/cli_os.h"
#include "core/vgg16.h"

/* ---- the terminal ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool cli_os_is_terminal(void)
{
    return isatty(STDERR_FILENO);
}

int cli_os_columns(void)
{
    struct winsize window;
    bool told = ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    return told ? window.ws_col : 80;
}

void cli_os_lock(void)
{
    pthread_mutex_lock(&lock);
}

void cli_os_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

double cli_os_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- signals ---- */

static const double repeat_interval = 0.5; /* seconds: one request may arrive twice, as `timeout` sends it */

static volatile sig_atomic_t stop;
static double stop_time;

static void on_signal(int number)
{
    if (!stop) {
        stop_time = cli_os_seconds();
        stop = 1;
    } else if (cli_os_seconds() - stop_time > repeat_interval) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

void cli_signals_ignore(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Only what POSIX allows in a handler. The faulting instruction of others runs again, and ends the program. */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    const char *path = vgg_mapped_file(info->si_addr);
    if (!path) {
        signal(number, SIG_DFL);
        return;
    }
    const char *const words[] = { "vgg16: ", path, ": was cut short, or its disk failed, while it was read\n" };
    for (int i = 0; i < 3; i++) {
        ssize_t written = write(STDERR_FILENO, words[i], strlen(words[i]));
        (void)written;
    }
    _exit(1);
}

void cli_signals_explain(void)
{
    struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

void cli_signals_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaddset(&action.sa_mask, SIGHUP);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);
}

bool cli_signals_stop(void)
{
    return stop;
}

void cli_os_end_within(int seconds)
{
    alarm((unsigned)seconds);
}

/* ---- files ---- */

enum cli_os_kind cli_os_kind(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return CLI_OS_MISSING;
    return S_ISREG(info.st_mode) ? CLI_OS_FILE : S_ISDIR(info.st_mode) ? CLI_OS_FOLDER : CLI_OS_OTHER;
}

const char *cli_os_temporary(int i)
{
    return i == 0 ? getenv("TMPDIR") : "/tmp";
}

bool cli_os_writable(const char *folder)
{
    return access(folder, W_OK | X_OK) == 0;
}

bool cli_os_new_folder(char *path)
{
    return mkdtemp(path) != NULL;
}

void cli_os_remove_folder(const char *path)
{
    rmdir(path);
}
