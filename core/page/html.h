/* html.h: a self-contained HTML page, written from top to bottom.
 *
 * The page is one file: style inside, pictures as data URIs, no script, nothing from the network (a content security
 * policy in it forbids both). It is light or dark as the reader's system is, fits a phone, and prints. Text from
 * outside (file names, class names) goes through vgg_html_text, vgg_html_words, vgg_html_cell and pairs, which escape
 * it; bytes that are not UTF-8 become U+FFFD.
 *
 * Errors are kept in the page: writing functions return nothing, the first failure is logged once, later calls do
 * nothing, and vgg_html_commit returns it. A page that is not committed leaves no file.
 *
 *   struct vgg_html *page;
 *   CHECK(vgg_html_create(&page, "bench.html", "Benchmark", "Zen 3, two cores"));
 *   vgg_html_section(page, "Whole network", NULL);
 *   vgg_chart_bars(page, &chart);                       // report_chart.h; a card of its own
 *   vgg_html_card_begin(page, "Layers", true);          // a card with anything in it
 *   vgg_html_table_begin(page, columns, 2);
 *   vgg_html_cell(page, "%s", name), vgg_html_cell(page, "%.1f", ms);
 *   vgg_html_table_end(page);
 *   vgg_html_card_end(page);
 *   return vgg_html_commit(page);
 */
#ifndef CORE_PAGE_HTML_H
#define CORE_PAGE_HTML_H

#include "core/base/log.h"

struct vgg_html;

/* Begins the page written aside of `path`. lead: a line below the title, or NULL. */
enum vgg_status vgg_html_create(struct vgg_html **out, const char *path, const char *title, const char *lead);
/* Ends the page and puts it in its place; frees it whatever comes of it. */
enum vgg_status vgg_html_commit(struct vgg_html *page);
void vgg_html_abort(struct vgg_html *page); /* accepts NULL */

/* ---- layout: sections hold cards, cards hold everything else ---- */

/* Ends the section before and begins one whose cards stand side by side where there is room. note: a sentence below
 * the heading, or NULL. */
void vgg_html_section(struct vgg_html *page, const char *title, const char *note);
/* A card takes one column, or the whole width when it is `wide`. title may be NULL. */
void vgg_html_card_begin(struct vgg_html *page, const char *title, bool wide);
void vgg_html_card_end(struct vgg_html *page);

/* ---- content ---- */

/* A paragraph inside a card. */
void vgg_html_paragraph(struct vgg_html *page, const char *format, ...) VGG_PRINTF(2, 3);

/* Names with values. */
struct vgg_html_pair {
    const char *name;
    char value[200];
};
/* Large numbers in a row, a card each; not inside a card. */
void vgg_html_tiles(struct vgg_html *page, const struct vgg_html_pair *pairs, size_t count);
/* A list inside a card. */
void vgg_html_pairs(struct vgg_html *page, const struct vgg_html_pair *pairs, size_t count);

struct vgg_html_column {
    const char *title;
    bool number; /* set to the right */
};
/* A table inside a card; it scrolls sideways where it is too wide. Then one vgg_html_cell after the other, row by row;
 * vgg_html_table_end closes the last row. */
void vgg_html_table_begin(struct vgg_html *page, const struct vgg_html_column *columns, int count);
void vgg_html_cell(struct vgg_html *page, const char *format, ...) VGG_PRINTF(2, 3);
void vgg_html_table_end(struct vgg_html *page);

/* An <img> with the encoded picture inside. mime: "image/png" or "image/jpeg". alt: what it shows, in words. */
void vgg_html_image(struct vgg_html *page, const char *mime, const void *bytes, size_t size, const char *alt);

/* ---- for authors of new marks ---- */

/* Escaped text, and the same with a format. Every text made from a format holds at most 1023 bytes. */
void vgg_html_text(struct vgg_html *page, const char *text);
void vgg_html_words(struct vgg_html *page, const char *format, ...) VGG_PRINTF(2, 3);
/* As it stands: tags. Classes of the style: c0 ... c7 set the colour `var(--c)` of what is inside. */
void vgg_html_markup(struct vgg_html *page, const char *format, ...) VGG_PRINTF(2, 3);

/* The style sheet, in pieces; ended by NULL. */
extern const char *const vgg_html_style[];

#endif
