#include "core/cli/cli_curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROWS = 9, MOST_COLUMNS = 100, LEAST_COLUMNS = 16, LABEL = 8, GAP = 3, WIDE = 96 };

enum { TRAINING, VALIDATION, SERIES };

/* One plot; a cell has 2 x 4 dots for each series, bits as in the Unicode block U+2800. */
struct plot {
    const char *title;
    int columns;
    double min, max;
    unsigned char cell[SERIES][ROWS][MOST_COLUMNS];
};

/* How it is drawn. */
struct look {
    bool braille, colour;
};

static double value(const struct vgg_epoch *e, bool accuracy, int series)
{
    if (series == TRAINING) return accuracy ? e->accuracy : e->loss;
    return accuracy ? e->val_accuracy : e->val_loss;
}

static void set_dot(struct plot *plot, int series, int x, int y)
{
    static const unsigned char bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    plot->cell[series][y / 4][x / 2] |= bit[y % 4][x % 2];
}

/* The dot of one value; false: it cannot be shown. */
static bool place(const struct plot *plot, const struct vgg_history *history, size_t i, double y, int *px, int *py)
{
    if (!isfinite(y)) return false;
    double across = (double)i / (double)(history->count - 1), up = (y - plot->min) / (plot->max - plot->min);
    *px = (int)lround(across * (2 * plot->columns - 1));
    *py = (int)lround((1.0 - up) * (4 * ROWS - 1));
    return true;
}

static void draw_line(struct plot *plot, int series, int x0, int y0, int x1, int y1)
{
    int steps = abs(x1 - x0) > abs(y1 - y0) ? abs(x1 - x0) : abs(y1 - y0);
    for (int k = 1; k <= steps; k++) {
        double part = (double)k / steps;
        set_dot(plot, series, x0 + (int)lround(part * (x1 - x0)), y0 + (int)lround(part * (y1 - y0)));
    }
}

static void draw(struct plot *plot, const struct vgg_history *history, bool accuracy)
{
    plot->min = (double)INFINITY, plot->max = -(double)INFINITY;
    for (size_t i = 0; i < history->count; i++) {
        for (int series = 0; series < SERIES; series++) {
            double y = value(&history->epochs[i], accuracy, series);
            if (isfinite(y)) plot->min = fmin(plot->min, y), plot->max = fmax(plot->max, y);
        }
    }
    if (!(plot->max - plot->min > 1e-9 * fabs(plot->max))) plot->min -= 0.5, plot->max += 0.5;
    for (int series = 0; series < SERIES; series++) {
        int x = 0, y = 0, last_x = 0, last_y = 0;
        bool joined = false;
        for (size_t i = 0; i < history->count; i++) {
            bool shown = place(plot, history, i, value(&history->epochs[i], accuracy, series), &x, &y);
            if (shown) set_dot(plot, series, x, y);
            if (shown && joined && series == VALIDATION) draw_line(plot, series, last_x, last_y, x, y);
            joined = shown, last_x = x, last_y = y;
        }
    }
}

/* ---- printing ---- */

/* One cell: what is validation's has its sign or colour. */
static void print_cell(const struct plot *plot, const struct look *look, int row, int column)
{
    unsigned char training = plot->cell[TRAINING][row][column], validation = plot->cell[VALIDATION][row][column];
    unsigned dots = training | validation;
    if (!dots) {
        putc(' ', stderr);
        return;
    }
    if (!look->braille) {
        putc(validation ? '*' : '.', stderr);
        return;
    }
    if (look->colour) fputs(validation ? "\033[33m" : "\033[34m", stderr);
    fprintf(stderr, "\xE2%c%c", (int)(0xA0 + (dots >> 6)), (int)(0x80 + (dots & 0x3F)));
    if (look->colour) fputs("\033[0m", stderr);
}

static void print_row(const struct plot *plot, const struct look *look, int row)
{
    char label[24] = "";
    double y = row == 0 ? plot->max : row == ROWS - 1 ? plot->min : (plot->min + plot->max) / 2.0;
    bool named = row == 0 || row == ROWS / 2 || row == ROWS - 1;
    if (named) snprintf(label, sizeof label, "%.3g", y);
    fprintf(stderr, "%*s %s", LABEL - 1, label, !look->braille ? "|" : named ? "\xE2\x94\xA4" : "\xE2\x94\x82");
    for (int column = 0; column < plot->columns; column++)
        print_cell(plot, look, row, column);
}

static void print_axis(const struct plot *plot, const struct look *look)
{
    fprintf(stderr, "%*s%s", LABEL, "", look->braille ? "\xE2\x94\x94" : "+");
    for (int column = 0; column < plot->columns; column++)
        fputs(look->braille ? "\xE2\x94\x80" : "-", stderr);
}

static void print_epochs(const struct plot *plot, const struct vgg_history *history)
{
    char first[16], last[16];
    int n = snprintf(first, sizeof first, "%d", history->epochs[0].epoch);
    snprintf(last, sizeof last, "%d", history->epochs[history->count - 1].epoch);
    fprintf(stderr, "%*s%s%*s", LABEL + 1, "", first, plot->columns - n, last);
}

static void print_title(const struct plot *plot, const struct look *look, bool validation)
{
    char line[128];
    int n = snprintf(line, sizeof line, "%s: training %s%s%s", plot->title, look->braille ? "dots" : ".",
                     validation ? ", validation " : "",
                     !validation     ? ""
                     : look->braille ? "line"
                                     : "*");
    fprintf(stderr, "%*s%s%*s", LABEL + 1, "", line, plot->columns > n ? plot->columns - n : 0, "");
}

/* Plots side by side. */
static void print_plots(const struct plot *plots, int count, const struct look *look, const struct vgg_history *history,
                        bool validation)
{
    for (int line = -1; line < ROWS + 2; line++) {
        for (int k = 0; k < count; k++) {
            if (k > 0) fprintf(stderr, "%*s", GAP, "");
            if (line < 0) {
                print_title(&plots[k], look, validation);
            } else if (line < ROWS) {
                print_row(&plots[k], look, line);
            } else if (line == ROWS) {
                print_axis(&plots[k], look);
            } else {
                print_epochs(&plots[k], history);
            }
        }
        putc('\n', stderr);
    }
}

/* "en_GB.UTF-8", "C.utf8" and the like. */
static bool names_utf8(const char *locale)
{
    for (; *locale; locale++) {
        if (strncasecmp(locale, "utf-8", 5) == 0 || strncasecmp(locale, "utf8", 4) == 0) return true;
    }
    return false;
}

static bool has_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *locale = getenv(names[i]);
        if (locale && *locale) return names_utf8(locale);
    }
    return false;
}

void cli_curves_print(struct cli *cli, const struct vgg_history *history)
{
    if (cli->common.quiet || !cli->progress.terminal || history->count < 2) return;
    struct look look = { has_utf8(), cli->progress.colour };
    int width = cli_os_columns();
    int across = width >= WIDE ? 2 : 1;
    int columns = (width - GAP * (across - 1)) / across - LABEL - 2;
    bool validation = false;
    if (columns > MOST_COLUMNS) columns = MOST_COLUMNS;
    if (columns < LEAST_COLUMNS) return;
    for (size_t i = 0; i < history->count; i++)
        validation = validation || isfinite(history->epochs[i].val_loss);
    struct plot plots[2] = { { .title = "loss", .columns = columns }, { .title = "accuracy", .columns = columns } };
    draw(&plots[0], history, false);
    draw(&plots[1], history, true);
    putc('\n', stderr);
    for (int k = 0; k < 2; k += across)
        print_plots(&plots[k], across, &look, history, validation);
    fflush(stderr);
}
