/* chart.h: charts for reports, as plain SVG inside the page.
 *
 * Why plain SVG and no chart library: a page stays at some kilobytes of text (libraries add 50 kB to 1 MB of script to
 * each), needs no script, so that it also opens where scripts are blocked, in mail, and in the preview of a file
 * manager; it prints sharply; nothing has to be fetched, pinned or bundled when the program is built; and colours come
 * from the page's style sheet, so that light and dark cost nothing. Values show when the pointer rests on a mark
 * (<title>).
 *
 * Each function writes one card (report_html.h) and neither keeps nor changes what it is given. Colours are 0 ... 7 of
 * the page's palette and come again after that. Marks carry classes that tests and scripts can count: <path class="l">
 * a line, <circle class="d"> a dot, <rect class="b"> a bar or share, <rect class="h"> a cell of a heat map.
 */
#ifndef CORE_PAGE_CHART_H
#define CORE_PAGE_CHART_H

#include "core/page/html.h"

/* ---- lines and dots: curves, scatter plots, rooflines ---- */

enum vgg_chart_mark { VGG_CHART_LINE, VGG_CHART_DOTS, VGG_CHART_DASHES /* a dashed line */ };

struct vgg_chart_series {
    const char *name; /* in the legend; NULL: not listed */
    enum vgg_chart_mark mark;
    int colour;
    bool faint; /* drawn palely, behind what matters */
    size_t count;
    const double *x, *y;      /* NAN: a gap; what a log axis cannot show is left out too */
    const char *const *label; /* of each dot: told when the pointer rests on it; NULL: its numbers are told */
    bool named;               /* labels also stand beside their dots (few dots) */
};

struct vgg_chart_axis {
    const char *title; /* may be NULL */
    double min, max;   /* of the data shown; equal: what the data has, made round */
    bool log;
    bool whole;   /* ticks at whole numbers only: epochs, steps */
    bool percent; /* 0.93 is shown as 93 % */
    bool zero;    /* starts at 0 even when the data does not */
};

struct vgg_chart {
    const char *title;
    struct vgg_chart_axis x, y;
    const struct vgg_chart_series *series; /* drawn in order, the last on top */
    size_t count;
    bool wide; /* over the whole width of the page, flat */
};
void vgg_chart_plot(struct vgg_html *page, const struct vgg_chart *chart);

/* ---- horizontal bars ---- */

struct vgg_chart_bar {
    const char *label; /* left of the bar; NULL or "": belongs to the label above */
    double value;      /* NAN: no bar, only the text */
    double spread;     /* half the length of a whisker around the end; 0: none */
    int colour;
    const char *text; /* right of the bar; NULL: the value */
};

/* Names of colours. */
struct vgg_chart_key {
    const char *name;
    int colour;
};

struct vgg_chart_bars {
    const char *title;
    const char *unit; /* after the values, or NULL */
    const struct vgg_chart_bar *bars;
    size_t count;
    const struct vgg_chart_key *keys; /* a legend, or NULL */
    size_t key_count;
    double max; /* the value of a full bar; 0: the largest there is */
    bool wide;
};
void vgg_chart_bars(struct vgg_html *page, const struct vgg_chart_bars *chart);

/* ---- one bar in parts ---- */

struct vgg_chart_part {
    const char *name;
    double value; /* not negative */
    int colour;
    const char *text; /* in the legend after the name, such as "12 s, 40 %" */
};
void vgg_chart_parts(struct vgg_html *page, const char *title, const struct vgg_chart_part *parts, size_t count);

/* ---- heat maps ---- */

struct vgg_chart_heat {
    const char *title;
    const char *row_title, *column_title; /* what rows and columns are, or NULL */
    int rows, columns;
    const char *const *row_names, *const *column_names;
    const double *values;     /* rows x columns; NAN: an empty cell */
    const char *const *texts; /* rows x columns, in the cells (7 characters fit) and told by the pointer; NULL: none */
    double min, max;          /* no colour and full colour; equal: 0 and the largest value */
    bool wide;
};
void vgg_chart_heat(struct vgg_html *page, const struct vgg_chart_heat *chart);

#endif
