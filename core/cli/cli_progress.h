/* cli_progress.h: how long work shows itself, and how it is stopped. */
#ifndef CORE_CLI_CLI_PROGRESS_H
#define CORE_CLI_CLI_PROGRESS_H

#include "core/vgg16.h"

enum { CLI_REASON = 1024 };

/* State of the line that shows progress; under the terminal's lock, for log lines may come from any thread. */
struct cli_progress {
    bool quiet, terminal, colour;
    bool drawn;              /* a bar stands on the last line of the terminal */
    unsigned errors;         /* lines of level error so far */
    bool silent;             /* nothing is printed: another rank does; error lines go to `reason` */
    bool held;               /* error lines go to `reason` instead, but are counted */
    char reason[CLI_REASON]; /* the last of them */
    bool stopping;           /* the user has been told */
    char phase[16];          /* of the last report, with the epoch: a change starts the clock anew */
    int epoch;
    uint64_t first, last; /* `done` when the clock started, and in the last report */
    double start, shown;  /* seconds of the monotonic clock */
};

void cli_progress_init(struct cli_progress *progress, bool quiet);
/* Removes the bar, so that something else can be printed. */
void cli_progress_clear(struct cli_progress *progress);
/* vgg_progress_fn: `user` is a struct cli_progress. A bar with rate and time left on a terminal, else a line every few
 * seconds; false once a signal has asked to stop. */
bool cli_progress_report(void *user, const struct vgg_progress *report);
/* vgg_log_fn: `user` is a struct cli_progress. */
void cli_progress_log(void *user, enum vgg_log_level level, const char *line);

#endif
