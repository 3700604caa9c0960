#include "core/page/html.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/mem.h"

enum { WORDS = 1024 }; /* longest text through printf */

struct vgg_html {
    struct vgg_file *file;
    enum vgg_status status; /* the first failure */
    bool section;           /* one is open */
    const struct vgg_html_column *columns;
    int column_count, column; /* of the open table; the next cell's */
};

static void write_bytes(struct vgg_html *page, const void *bytes, size_t size)
{
    if (page->status == VGG_OK) page->status = vgg_file_write(page->file, bytes, size);
}

static void put(struct vgg_html *page, const char *markup)
{
    write_bytes(page, markup, strlen(markup));
}

/* ---- text ---- */

/* Bytes of the UTF-8 sequence at `s`, 0 where there is none (overlong forms and surrogates are none).
 * Source: RFC 3629, section 4. */
static size_t sequence(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    size_t n = s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) return 0;
    }
    bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool outside = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return overlong || outside ? 0 : n;
}

void vgg_html_text(struct vgg_html *page, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        size_t n = sequence(s);
        switch (*s) {
        case '&': put(page, "&amp;"); break;
        case '<': put(page, "&lt;"); break;
        case '>': put(page, "&gt;"); break;
        case '"': put(page, "&quot;"); break;
        case '\'': put(page, "&#39;"); break;
        default:
            if (n == 0 || (*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7F) {
                put(page, "\xEF\xBF\xBD");
            } else {
                write_bytes(page, s, n);
            }
        }
        s += n ? n : 1;
    }
}

static void words(struct vgg_html *page, const char *format, va_list args) VGG_PRINTF(2, 0);

static void words(struct vgg_html *page, const char *format, va_list args)
{
    char text[WORDS];
    vsnprintf(text, sizeof text, format, args);
    vgg_html_text(page, text);
}

void vgg_html_words(struct vgg_html *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    words(page, format, args);
    va_end(args);
}

void vgg_html_markup(struct vgg_html *page, const char *format, ...)
{
    char text[WORDS];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    write_bytes(page, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- the page ---- */

enum vgg_status vgg_html_create(struct vgg_html **out, const char *path, const char *title, const char *lead)
{
    *out = NULL;
    struct vgg_html *page = vgg_mem_calloc(1, sizeof *page);
    if (!page) return vgg_fail_memory("a report", sizeof *page);
    enum vgg_status status = vgg_file_create(&page->file, path);
    if (status != VGG_OK) {
        free(page);
        return status;
    }
    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
              "img-src data:\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    vgg_html_text(page, title);
    put(page, "</title>\n<style>\n");
    for (const char *const *piece = vgg_html_style; *piece; piece++)
        put(page, *piece);
    put(page, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>");
    vgg_html_text(page, title);
    put(page, "</h1>\n");
    if (lead) {
        put(page, "<p class=\"lead\">");
        vgg_html_text(page, lead);
        put(page, "</p>\n");
    }
    put(page, "</header>\n");
    *out = page;
    return VGG_OK;
}

static void end_section(struct vgg_html *page)
{
    if (page->section) put(page, "</div>\n</section>\n");
    page->section = false;
}

enum vgg_status vgg_html_commit(struct vgg_html *page)
{
    end_section(page);
    put(page, "<footer>Written by vgg16 ");
    vgg_html_text(page, vgg_version());
    put(page, "</footer>\n</main>\n</body>\n</html>\n");
    enum vgg_status status = page->status;
    if (status == VGG_OK) {
        status = vgg_file_commit(page->file);
    } else {
        vgg_file_abort(page->file);
    }
    free(page);
    return status;
}

void vgg_html_abort(struct vgg_html *page)
{
    if (!page) return;
    vgg_file_abort(page->file);
    free(page);
}

/* ---- layout ---- */

void vgg_html_section(struct vgg_html *page, const char *title, const char *note)
{
    end_section(page);
    put(page, "<section>\n<h2>");
    vgg_html_text(page, title);
    put(page, "</h2>\n");
    if (note) {
        put(page, "<p class=\"note\">");
        vgg_html_text(page, note);
        put(page, "</p>\n");
    }
    put(page, "<div class=\"grid\">\n");
    page->section = true;
}

void vgg_html_card_begin(struct vgg_html *page, const char *title, bool wide)
{
    put(page, wide ? "<figure class=\"card wide\">\n" : "<figure class=\"card\">\n");
    if (!title) return;
    put(page, "<figcaption>");
    vgg_html_text(page, title);
    put(page, "</figcaption>\n");
}

void vgg_html_card_end(struct vgg_html *page)
{
    put(page, "</figure>\n");
}

/* ---- content ---- */

void vgg_html_paragraph(struct vgg_html *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put(page, "<p>");
    words(page, format, args);
    put(page, "</p>\n");
    va_end(args);
}

/* Pairs as a definition list of the given class. */
static void write_pairs(struct vgg_html *page, const char *class, const struct vgg_html_pair *pairs, size_t count)
{
    vgg_html_markup(page, "<dl class=\"%s\">\n", class);
    for (size_t i = 0; i < count; i++) {
        put(page, "<div><dt>");
        vgg_html_text(page, pairs[i].name);
        put(page, "</dt><dd>");
        vgg_html_text(page, pairs[i].value);
        put(page, "</dd></div>\n");
    }
    put(page, "</dl>\n");
}

void vgg_html_tiles(struct vgg_html *page, const struct vgg_html_pair *pairs, size_t count)
{
    write_pairs(page, "tiles", pairs, count);
}

void vgg_html_pairs(struct vgg_html *page, const struct vgg_html_pair *pairs, size_t count)
{
    write_pairs(page, "pairs", pairs, count);
}

void vgg_html_table_begin(struct vgg_html *page, const struct vgg_html_column *columns, int count)
{
    page->columns = columns, page->column_count = count, page->column = 0;
    put(page, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (int k = 0; k < count; k++) {
        put(page, columns[k].number ? "<th class=\"n\">" : "<th>");
        vgg_html_text(page, columns[k].title);
        put(page, "</th>");
    }
    put(page, "</tr></thead>\n<tbody>\n");
}

void vgg_html_cell(struct vgg_html *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (page->column == 0) put(page, "<tr>");
    put(page, page->columns[page->column].number ? "<td class=\"n\">" : "<td>");
    words(page, format, args);
    put(page, "</td>");
    if (++page->column == page->column_count) {
        put(page, "</tr>\n");
        page->column = 0;
    }
    va_end(args);
}

void vgg_html_table_end(struct vgg_html *page)
{
    if (page->column) put(page, "</tr>\n");
    page->column = 0;
    put(page, "</tbody>\n</table></div>\n");
}

/* Source: RFC 4648, section 4. */
static void write_base64(struct vgg_html *page, const unsigned char *bytes, size_t size)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        unsigned long group = (unsigned long)bytes[i] << 16;
        if (i + 1 < size) group |= (unsigned long)bytes[i + 1] << 8;
        if (i + 2 < size) group |= bytes[i + 2];
        char four[4] = { digit[group >> 18], digit[group >> 12 & 63], i + 1 < size ? digit[group >> 6 & 63] : '=',
                         i + 2 < size ? digit[group & 63] : '=' };
        write_bytes(page, four, sizeof four);
    }
}

void vgg_html_image(struct vgg_html *page, const char *mime, const void *bytes, size_t size, const char *alt)
{
    put(page, "<img alt=\"");
    vgg_html_text(page, alt);
    vgg_html_markup(page, "\" src=\"data:%s;base64,", mime);
    write_base64(page, bytes, size);
    put(page, "\">");
}
