/* Bars, one bar in parts, heat maps. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/page/axis.h"
#include "core/page/chart.h"

enum { COLOURS = 8, NARROW = 520, WIDE = 1080 };

static const double letter = 8.5; /* a letter's width on a narrow screen, in units of the drawing */

/* Letters (not bytes) of UTF-8. */
static size_t letters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

/* At most `most` letters of the text; the pointer tells the rest. */
static void write_short(struct vgg_html *page, const char *text, size_t most)
{
    char cut[256];
    if (letters(text) <= most) {
        vgg_html_text(page, text);
        return;
    }
    size_t bytes = 0, n = 0;
    for (; text[bytes] && bytes < sizeof cut - 5; bytes++) {
        n += ((unsigned char)text[bytes] & 0xC0) != 0x80;
        if (n == most) break;
    }
    memcpy(cut, text, bytes);
    memcpy(cut + bytes, "\xE2\x80\xA6", 4);
    vgg_html_text(page, cut);
    vgg_html_markup(page, "<title>");
    vgg_html_text(page, text);
    vgg_html_markup(page, "</title>");
}

static void write_keys(struct vgg_html *page, const struct vgg_chart_key *keys, size_t count)
{
    if (!count) return;
    vgg_html_markup(page, "<ul class=\"key\">\n");
    for (size_t i = 0; i < count; i++) {
        vgg_html_markup(page,
                        "<li class=\"c%d\"><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\"><rect class=\"b\" x=\"6\" "
                        "width=\"10\" height=\"10\" rx=\"2\"/></svg>",
                        keys[i].colour % COLOURS);
        vgg_html_text(page, keys[i].name);
        vgg_html_markup(page, "</li>\n");
    }
    vgg_html_markup(page, "</ul>\n");
}

/* least: the width below which the drawing scrolls, 0 for none; such a drawing is not enlarged either. On a phone the
 * style sheet lets it shrink further, to be seen whole, and zoomed into. */
static void begin_drawing(struct vgg_html *page, const char *title, double width, double height, double least)
{
    vgg_html_markup(page, "<div class=\"scroll\"><svg class=\"chart%s\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" ",
                    least > 0.0 ? " fixed" : "", width, height);
    if (least > 0.0) vgg_html_markup(page, "style=\"--least:%.0fpx;--most:%.0fpx\" ", least, width);
    vgg_html_markup(page, "aria-label=\"");
    vgg_html_text(page, title ? title : "chart");
    vgg_html_markup(page, "\">\n");
}

static void end_drawing(struct vgg_html *page)
{
    vgg_html_markup(page, "</svg></div>\n");
}

/* ---- bars ---- */

static const char *bar_label(const struct vgg_chart_bar *bar)
{
    return bar->label ? bar->label : "";
}

static void bar_text(char *text, size_t size, const struct vgg_chart_bars *chart, const struct vgg_chart_bar *bar)
{
    char number[VGG_AXIS_TEXT] = "";
    if (!bar->text && isfinite(bar->value)) vgg_axis_number(number, bar->value, 3);
    bool unit = !bar->text && chart->unit && isfinite(bar->value);
    snprintf(text, size, "%s%s%s", bar->text ? bar->text : number, unit ? " " : "", unit ? chart->unit : "");
}

/* Room that labels and texts want, and what a full bar is worth. */
struct bars_room {
    double width, left, right, full;
    size_t label; /* letters that fit */
};

static struct bars_room bars_measure(const struct vgg_chart_bars *chart)
{
    struct bars_room room = { .width = chart->wide ? WIDE : NARROW, .full = chart->max };
    size_t label = 0, longest = 0;
    for (size_t i = 0; i < chart->count; i++) {
        const struct vgg_chart_bar *bar = &chart->bars[i];
        char text[128];
        bar_text(text, sizeof text, chart, bar);
        if (letters(bar_label(bar)) > label) label = letters(bar_label(bar));
        if (letters(text) > longest) longest = letters(text);
        if (chart->max <= 0.0 && isfinite(bar->value)) room.full = fmax(room.full, bar->value + bar->spread);
    }
    room.left = fmin((double)label * letter + 12.0, 0.36 * room.width);
    room.label = (size_t)((room.left - 10.0) / letter);
    room.right = room.width - fmin((double)longest * letter + 12.0, 0.4 * room.width);
    return room;
}

static void write_bar(struct vgg_html *page, const struct vgg_chart_bars *chart, const struct vgg_chart_bar *bar,
                      const struct bars_room *room, double y, double height)
{
    double middle = y + height / 2.0, end = room->left, scale = room->full > 0.0 ? 1.0 / room->full : 0.0;
    char text[128];
    bar_text(text, sizeof text, chart, bar);
    if (*bar_label(bar)) {
        vgg_html_markup(page, "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", room->left - 8.0,
                        middle + 4.0);
        write_short(page, bar_label(bar), room->label);
        vgg_html_markup(page, "</text>\n");
    }
    if (isfinite(bar->value)) {
        double length = fmin(fmax(bar->value * scale, 0.0), 1.0) * (room->right - room->left);
        double whisker = fmin(bar->spread * scale, 1.0) * (room->right - room->left);
        end += length;
        vgg_html_markup(page,
                        "<rect class=\"b c%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\"><title>",
                        bar->colour % COLOURS, room->left, y, fmax(length, 1.0), height);
        vgg_html_words(page, "%s%s%s", bar_label(bar), *bar_label(bar) ? ": " : "", text);
        vgg_html_markup(page, "</title></rect>\n");
        if (whisker > 0.5) {
            vgg_html_markup(page, "<path class=\"w\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>\n",
                            fmax(end - whisker, room->left), middle, end + whisker, fmax(end - whisker, room->left),
                            middle - 3.0, end + whisker, middle - 3.0);
            end += whisker;
        }
    }
    vgg_html_markup(page, "<text x=\"%.1f\" y=\"%.1f\">", end + 7.0, middle + 4.0);
    vgg_html_text(page, text);
    vgg_html_markup(page, "</text>\n");
}

void vgg_chart_bars(struct vgg_html *page, const struct vgg_chart_bars *chart)
{
    static const double bar = 16.0, near_gap = 3.0, far_gap = 10.0;
    struct bars_room room = bars_measure(chart);
    double height = 2.0;
    for (size_t i = 0; i < chart->count; i++)
        height += bar + (i == 0 ? 0.0 : *bar_label(&chart->bars[i]) ? far_gap : near_gap);
    vgg_html_card_begin(page, chart->title, chart->wide);
    write_keys(page, chart->keys, chart->key_count);
    begin_drawing(page, chart->title, room.width, height + 2.0, 0.0);
    double y = 2.0;
    for (size_t i = 0; i < chart->count; i++) {
        if (i > 0) y += *bar_label(&chart->bars[i]) ? far_gap : near_gap;
        write_bar(page, chart, &chart->bars[i], &room, y, bar);
        y += bar;
    }
    end_drawing(page);
    vgg_html_card_end(page);
}

/* ---- parts ---- */

void vgg_chart_parts(struct vgg_html *page, const char *title, const struct vgg_chart_part *parts, size_t count)
{
    double sum = 0.0, x = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += parts[i].value;
    vgg_html_card_begin(page, title, false);
    begin_drawing(page, title, NARROW, 30.0, 0.0);
    for (size_t i = 0; i < count && sum > 0.0; i++) {
        double length = parts[i].value / sum * NARROW;
        if (length <= 0.0) continue;
        vgg_html_markup(page, "<rect class=\"b c%d\" x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"24\" rx=\"2\"><title>",
                        parts[i].colour % COLOURS, x, fmax(length - 1.5, 0.5));
        vgg_html_words(page, "%s: %s", parts[i].name, parts[i].text);
        vgg_html_markup(page, "</title></rect>\n");
        x += length;
    }
    end_drawing(page);
    vgg_html_markup(page, "<ul class=\"parts\">\n");
    for (size_t i = 0; i < count; i++) {
        vgg_html_markup(page, "<li class=\"c%d\"><i></i><span>", parts[i].colour % COLOURS);
        vgg_html_text(page, parts[i].name);
        vgg_html_markup(page, "</span><b>");
        vgg_html_text(page, parts[i].text);
        vgg_html_markup(page, "</b></li>\n");
    }
    vgg_html_markup(page, "</ul>\n");
    vgg_html_card_end(page);
}

/* ---- heat maps ---- */

/* Where the cells of a heat map stand. */
struct heat_room {
    double width, height, left, top, cell_width, cell_height;
    size_t row_label, column_label; /* letters that fit */
    bool slanted, texts;            /* column names stand on the slant; cells are wide enough for words */
};

static size_t longest_name(const char *const *names, int count)
{
    size_t longest = 0;
    for (int i = 0; i < count; i++) {
        if (letters(names[i]) > longest) longest = letters(names[i]);
    }
    return longest;
}

static struct heat_room heat_measure(const struct vgg_chart_heat *chart)
{
    static const size_t longest = 18;
    struct heat_room room = { .width = chart->wide ? WIDE : NARROW };
    size_t rows = longest_name(chart->row_names, chart->rows);
    size_t columns = longest_name(chart->column_names, chart->columns);
    room.row_label = rows < longest ? rows : longest;
    room.column_label = columns < longest ? columns : longest;
    room.left = (double)room.row_label * letter + 12.0;
    room.cell_width = fmax(fmin((room.width - room.left) / chart->columns, 150.0), 14.0);
    room.cell_height = fmax(fmin(room.cell_width * 0.62, 48.0), chart->texts ? 22.0 : 14.0);
    room.texts = chart->texts && room.cell_width >= 34.0;
    room.slanted = (double)room.column_label * letter > room.cell_width - 4.0;
    room.top = room.slanted ? (double)room.column_label * letter * 0.72 + 14.0 : 20.0;
    if (chart->column_title) room.top += 18.0;
    double slant = room.slanted ? (double)room.column_label * letter * 0.72 - room.cell_width / 2.0 : 0.0;
    room.width = room.left + room.cell_width * chart->columns + fmax(slant, 0.0) + 2.0;
    room.height = room.top + room.cell_height * chart->rows + 2.0;
    return room;
}

static void write_heat_names(struct vgg_html *page, const struct vgg_chart_heat *chart, const struct heat_room *room)
{
    double name_y = room->top - 7.0;
    if (chart->column_title) {
        vgg_html_markup(page, "<text x=\"%.1f\" y=\"12\">", room->left);
        vgg_html_text(page, chart->column_title);
        vgg_html_markup(page, "</text>\n");
    }
    if (chart->row_title) {
        vgg_html_markup(page, "<text x=\"0\" y=\"%.1f\">", name_y);
        vgg_html_text(page, chart->row_title);
        vgg_html_markup(page, "</text>\n");
    }
    for (int k = 0; k < chart->columns; k++) {
        double x = room->left + (k + 0.5) * room->cell_width;
        if (room->slanted) {
            vgg_html_markup(page, "<text class=\"ink\" transform=\"translate(%.1f %.1f)rotate(-45)\">", x, name_y);
        } else {
            vgg_html_markup(page, "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x, name_y);
        }
        write_short(page, chart->column_names[k], room->column_label);
        vgg_html_markup(page, "</text>\n");
    }
    for (int k = 0; k < chart->rows; k++) {
        vgg_html_markup(page, "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", room->left - 8.0,
                        room->top + (k + 0.5) * room->cell_height + 4.0);
        write_short(page, chart->row_names[k], room->row_label);
        vgg_html_markup(page, "</text>\n");
    }
}

static void write_heat_cell(struct vgg_html *page, const struct vgg_chart_heat *chart, const struct heat_room *room,
                            int row, int column, double depth)
{
    size_t at = (size_t)row * (size_t)chart->columns + (size_t)column;
    double x = room->left + column * room->cell_width, y = room->top + row * room->cell_height;
    const char *text = chart->texts && chart->texts[at] ? chart->texts[at] : "";
    vgg_html_markup(page,
                    "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" "
                    "fill-opacity=\"%.3f\"><title>",
                    isnan(depth) ? "e" : "h", x + 1.0, y + 1.0, room->cell_width - 2.0, room->cell_height - 2.0,
                    isnan(depth) ? 1.0 : 0.05 + 0.95 * depth);
    vgg_html_words(page, "%s, %s", chart->row_names[row], chart->column_names[column]);
    if (*text) vgg_html_words(page, ": %s", text);
    vgg_html_markup(page, "</title></rect>\n");
    if (!room->texts || !*text) return;
    vgg_html_markup(page, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                    depth > 0.55 ? "onheat" : "ink", x + room->cell_width / 2.0, y + room->cell_height / 2.0 + 4.0);
    vgg_html_text(page, text);
    vgg_html_markup(page, "</text>\n");
}

void vgg_chart_heat(struct vgg_html *page, const struct vgg_chart_heat *chart)
{
    struct heat_room room = heat_measure(chart);
    double min = chart->min, max = chart->max;
    size_t cells = (size_t)chart->rows * (size_t)chart->columns;
    if (!(min < max)) {
        min = max = 0.0;
        for (size_t i = 0; i < cells; i++) {
            if (chart->values[i] > max) max = chart->values[i];
        }
    }
    vgg_html_card_begin(page, chart->title, chart->wide);
    begin_drawing(page, chart->title, room.width, room.height, 0.85 * room.width);
    write_heat_names(page, chart, &room);
    for (int row = 0; row < chart->rows; row++) {
        for (int column = 0; column < chart->columns; column++) {
            double value = chart->values[(size_t)row * (size_t)chart->columns + (size_t)column];
            double depth = max > min ? fmin(fmax((value - min) / (max - min), 0.0), 1.0) : 0.0;
            write_heat_cell(page, chart, &room, row, column, isnan(value) ? (double)NAN : depth);
        }
    }
    end_drawing(page);
    vgg_html_card_end(page);
}
