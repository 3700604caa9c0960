#include "core/cli/cli_progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cli/cli_os.h"

static const double bar_interval = 0.1, line_interval = 5.0; /* seconds */

void cli_progress_init(struct cli_progress *progress, bool quiet)
{
    const char *term = getenv("TERM"), *no_colour = getenv("NO_COLOR");
    memset(progress, 0, sizeof *progress);
    progress->quiet = quiet;
    progress->terminal = cli_os_is_terminal() && (!term || strcmp(term, "dumb") != 0);
    progress->colour = progress->terminal && (!no_colour || !*no_colour);
}

static void erase(struct cli_progress *progress)
{
    if (progress->drawn) fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void cli_progress_clear(struct cli_progress *progress)
{
    cli_os_lock();
    erase(progress);
    fflush(stderr);
    cli_os_unlock();
}

void cli_progress_log(void *user, enum vgg_log_level level, const char *line)
{
    struct cli_progress *progress = user;
    cli_os_lock();
    if (level == VGG_LOG_ERROR) progress->errors++;
    if (level == VGG_LOG_ERROR && (progress->held || progress->silent)) {
        snprintf(progress->reason, sizeof progress->reason, "%s", line);
    } else if (!progress->silent) {
        erase(progress);
        fprintf(stderr, "vgg16: %s%s\n", level == VGG_LOG_WARNING ? "warning: " : "", line);
    }
    cli_os_unlock();
}

/* "1.5 GB" for bytes, "1500" for anything else. */
static void amount(char *text, size_t size, double value, const char *unit)
{
    static const char *const prefix[] = { "", "k", "M", "G", "T" };
    if (strcmp(unit, "bytes") != 0) {
        snprintf(text, size, "%.*f", value < 10 && value != floor(value) ? 2 : value < 100 && value != floor(value),
                 value);
        return;
    }
    int k = 0;
    for (; value >= 1000 && k < 4; k++)
        value /= 1000;
    snprintf(text, size, "%.*f %sB", k > 0, value, prefix[k]);
}

/* "12 s", "3:05", "1:02:03". */
static void duration(char *text, size_t size, double seconds)
{
    long s = seconds < 1e7 ? lround(seconds) : 10000000;
    if (s < 60) {
        snprintf(text, size, "%ld s", s);
    } else if (s < 3600) {
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
    } else {
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    }
}

/* The words of one report: what stands left and right of the bar. */
static void describe(const struct cli_progress *progress, const struct vgg_progress *report, double time, char *left,
                     size_t left_size, char *right, size_t right_size)
{
    char done[24], total[24], rate[24], rest[24];
    int used = snprintf(left, left_size, "%s", report->phase);
    if (report->epoch > 0) snprintf(left + used, left_size - (size_t)used, " %d/%d", report->epoch, report->epochs);

    amount(done, sizeof done, (double)report->done, report->unit);
    bool bytes = strcmp(report->unit, "bytes") == 0;
    used = snprintf(right, right_size, "%s", done);
    if (report->total) {
        amount(total, sizeof total, (double)report->total, report->unit);
        used += snprintf(right + used, right_size - (size_t)used, "/%s", total);
    }
    used += snprintf(right + used, right_size - (size_t)used, "%s%s", bytes ? "" : " ", bytes ? "" : report->unit);
    double elapsed = time - progress->start, per_second = 0;
    if (elapsed > 0 && report->done > progress->first) per_second = (double)(report->done - progress->first) / elapsed;
    if (per_second > 0) {
        amount(rate, sizeof rate, per_second, report->unit);
        used += snprintf(right + used, right_size - (size_t)used, "  %s/s", rate);
        if (report->total > report->done) {
            duration(rest, sizeof rest, (double)(report->total - report->done) / per_second);
            used += snprintf(right + used, right_size - (size_t)used, "  %s left", rest);
        }
    }
    if (!isnan(report->loss)) {
        used += snprintf(right + used, right_size - (size_t)used, "  loss %.4f", report->loss);
    }
    if (!isnan(report->accuracy))
        snprintf(right + used, right_size - (size_t)used, "  accuracy %.4f", report->accuracy);
}

static void draw_bar(struct cli_progress *progress, const struct vgg_progress *report, const char *left,
                     const char *right)
{
    int columns = cli_os_columns();
    int width = columns - 6 - (int)strlen(left) - (int)strlen(right);
    if (width > 30) width = 30;
    erase(progress);
    if (report->total && width >= 6) {
        int full = (int)((double)width * (double)report->done / (double)report->total);
        if (full > width) full = width;
        fprintf(stderr, "%s [%s%.*s%s%*s] %s", left, progress->colour ? "\033[32m" : "", full,
                "##############################", progress->colour ? "\033[0m" : "", width - full, "", right);
    } else {
        fprintf(stderr, "%.*s", columns - 1, left);
        int room = columns - 3 - (int)strlen(left);
        if (room > 0) fprintf(stderr, "  %.*s", room, right);
    }
    fflush(stderr);
    progress->drawn = true;
}

static void show(struct cli_progress *progress, const struct vgg_progress *report)
{
    double time = cli_os_seconds();
    if (strncmp(progress->phase, report->phase, sizeof progress->phase - 1) != 0 || progress->epoch != report->epoch ||
        report->done < progress->last) {
        snprintf(progress->phase, sizeof progress->phase, "%s", report->phase);
        progress->epoch = report->epoch;
        progress->start = time;
        progress->first = report->done;
        if (progress->shown == 0) progress->shown = time; /* the first line comes after a while */
    }
    progress->last = report->done;
    if (progress->quiet || time - progress->shown < (progress->terminal ? bar_interval : line_interval)) return;
    progress->shown = time;
    char left[48], right[160];
    describe(progress, report, time, left, sizeof left, right, sizeof right);
    if (progress->terminal) {
        draw_bar(progress, report, left, right);
    } else {
        fprintf(stderr, "%s: %s\n", left, right);
    }
}

bool cli_progress_report(void *user, const struct vgg_progress *report)
{
    struct cli_progress *progress = user;
    cli_os_lock();
    show(progress, report);
    bool stop = cli_signals_stop();
    if (stop && !progress->stopping) {
        progress->stopping = true;
        erase(progress);
        if (!progress->quiet) fputs("vgg16: stopping after this step; a second signal ends at once\n", stderr);
    }
    cli_os_unlock();
    return !stop;
}
