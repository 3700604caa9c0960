/* Reports: axes against ticks worked out by hand, pages that are well-formed, escaped and whole or not there. */
#include <math.h>

#include "core/format/tensorboard.h"
#include "core/page/axis.h"
#include "core/page/chart.h"
#include "tests/data_files.h"

/* ---- axes ---- */

static struct vgg_axis axis_of(const struct vgg_chart_axis *wanted, double min, double max, int ticks)
{
    struct vgg_axis axis;
    vgg_axis_init(&axis, wanted, min, max, ticks);
    axis.from = 0.0, axis.to = 100.0;
    return axis;
}

static void expect_ticks(const struct vgg_axis *axis, const char *words)
{
    char all[512] = "";
    size_t used = 0;
    for (int i = 0; i < axis->ticks; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? "|" : "", axis->text[i]);
    cr_assert_str_eq(all, words);
}

Test(report_axis, ticks_are_round)
{
    struct vgg_axis a = axis_of(&(struct vgg_chart_axis) { 0 }, 0.13, 0.87, 5);
    expect_ticks(&a, "0|0.2|0.4|0.6|0.8|1.0");
    cr_assert_float_eq(a.min, 0.0, 1e-12);
    cr_assert_float_eq(a.max, 1.0, 1e-12);
    a = axis_of(&(struct vgg_chart_axis) { .percent = true }, 0.52, 0.99, 5);
    expect_ticks(&a, "50 %|60 %|70 %|80 %|90 %|100 %");
    a = axis_of(&(struct vgg_chart_axis) { .percent = true }, 0.965, 0.991, 5);
    expect_ticks(&a, "96 %|97 %|98 %|99 %|100 %");
    a = axis_of(&(struct vgg_chart_axis) { .whole = true }, 1, 3, 7);
    expect_ticks(&a, "1|2|3");
    a = axis_of(&(struct vgg_chart_axis) { .whole = true }, 1, 100, 7);
    expect_ticks(&a, "20|40|60|80|100");
    a = axis_of(&(struct vgg_chart_axis) { .zero = true }, 1e-5, 2e-5, 4);
    expect_ticks(&a, "0|5e-6|1e-5|1.5e-5|2e-5");
    a = axis_of(&(struct vgg_chart_axis) { 0 }, -30, 10, 4);
    expect_ticks(&a, "-30|-20|-10|0|10");
    a = axis_of(&(struct vgg_chart_axis) { .zero = true }, 3, 123456, 4);
    expect_ticks(&a, "0|50 k|100 k|150 k");
    a = axis_of(&(struct vgg_chart_axis) { .log = true }, 3, 8000, 6);
    expect_ticks(&a, "1|10|100|1000|10 k");
    a = axis_of(&(struct vgg_chart_axis) { .log = true }, 3, 80, 6);
    expect_ticks(&a, "2|5|10|20|50|100");
    a = axis_of(&(struct vgg_chart_axis) { .log = true }, 1e-3, 1e9, 6);
    expect_ticks(&a, "0.001|0.1|10|1000|100 k|10 M|1 G");
}

Test(report_axis, places)
{
    struct vgg_axis a = axis_of(&(struct vgg_chart_axis) { .min = 2, .max = 4 }, 0, 9, 5);
    cr_assert_float_eq(vgg_axis_at(&a, 2.5), 25.0, 1e-9);
    cr_assert(isnan(vgg_axis_at(&a, 1.9)));
    cr_assert(isnan(vgg_axis_at(&a, NAN)));
    a = axis_of(&(struct vgg_chart_axis) { .log = true }, 1, 10000, 6);
    cr_assert_float_eq(vgg_axis_at(&a, 10), 25.0, 1e-9);
    cr_assert(isnan(vgg_axis_at(&a, 0.0)));
}

Test(report_axis, copes_with_any_data)
{
    static const double ends[][2] = { { INFINITY, -INFINITY }, { 0, 0 },          { 5, 5 },        { -2, -2 },
                                      { 1e-300, 1e-299 },      { -1e300, 1e300 }, { 1, 1 + 1e-9 }, { 1e6, 1e6 + 1 } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (int k = 0; k < 8; k++) {
            struct vgg_chart_axis wanted = { .whole = k & 1, .zero = k & 2, .log = k & 4 };
            if (wanted.log && ends[i][0] <= 0) continue;
            struct vgg_axis a = axis_of(&wanted, ends[i][0], ends[i][1], 5);
            cr_assert_lt(a.min, a.max, "case %zu, %d: %g to %g", i, k, a.min, a.max);
            cr_assert(isfinite(a.min) && isfinite(a.max));
            for (int t = 0; t < a.ticks; t++)
                cr_assert(isfinite(vgg_axis_at(&a, a.tick[t])), "case %zu, %d: tick %g", i, k, a.tick[t]);
        }
    }
}

/* ---- pages ---- */

static char *folder, page_path[128];

static void set_up(void)
{
    folder = make_folder();
    snprintf(page_path, sizeof page_path, "%s/page.html", folder);
}

static void tear_down(void)
{
    remove_folder(folder);
}

TestSuite(report_page, .init = set_up, .fini = tear_down);

static char *read_page(void)
{
    FILE *f = fopen(page_path, "rb");
    cr_assert_not_null(f);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = calloc((size_t)size + 1, 1);
    cr_assert_eq(fread(text, 1, (size_t)size, f), (size_t)size);
    fclose(f);
    return text;
}

static size_t count_text(const char *page, const char *text)
{
    size_t n = 0;
    while ((page = strstr(page, text)))
        n++, page++;
    return n;
}

/* Every tag is closed in order, but those that HTML leaves open. */
static void expect_balanced(const char *page)
{
    static const char *const open[] = { "!DOCTYPE", "meta", "link", "img" };
    char stack[32][16];
    int depth = 0;
    const char *style = strstr(page, "<style>");
    for (const char *at = page; (at = strchr(at, '<')); at++) {
        if (at == style) at = strstr(at, "</style>");
        bool end = at[1] == '/', alone = false;
        const char *name = at + 1 + end, *close = strchr(at, '>');
        size_t n = strcspn(name, " >/");
        cr_assert_not_null(close);
        cr_assert_lt(n, sizeof stack[0]);
        for (size_t i = 0; i < sizeof open / sizeof *open; i++)
            alone = alone || (strlen(open[i]) == n && strncmp(open[i], name, n) == 0);
        if (alone || close[-1] == '/') continue;
        if (end) {
            if (at == style || strncmp(name, "style", n) == 0) continue;
            cr_assert_gt(depth, 0);
            depth--;
            cr_assert(strlen(stack[depth]) == n && strncmp(stack[depth], name, n) == 0, "</%.*s> closes <%s>", (int)n,
                      name, stack[depth]);
        } else {
            cr_assert_lt(depth, 32);
            snprintf(stack[depth++], sizeof stack[0], "%.*s", (int)n, name);
        }
    }
    cr_assert_eq(depth, 0, "<%s> is not closed", depth ? stack[depth - 1] : "");
}

static void write_charts(struct vgg_html *page)
{
    static const double x[] = { 1, 2, 3, 4 }, y[] = { 0.5, NAN, 0.75, 0.875 }, z[] = { 4, 3, 2, 1 };
    const struct vgg_chart_series series[] = {
        { .name = "dots <&>", .mark = VGG_CHART_DOTS, .count = 4, .x = x, .y = y },
        { .name = "line", .mark = VGG_CHART_LINE, .colour = 1, .count = 4, .x = x, .y = z },
        { .mark = VGG_CHART_DASHES, .colour = 2, .count = 4, .x = x, .y = z },
    };
    vgg_chart_plot(page, &(struct vgg_chart) { .title = "plot", .x.log = true, .series = series, .count = 3 });
    const struct vgg_chart_bar bars[] = { { .label = "one", .value = 3, .spread = 1 },
                                          { .value = 1, .colour = 1 },
                                          { .label = "none \"here\"", .value = NAN, .text = "not there" } };
    vgg_chart_bars(page, &(struct vgg_chart_bars) { .title = "bars", .bars = bars, .count = 3, .unit = "ms" });
    const struct vgg_chart_part parts[] = { { "a", 3, 0, "3 s" }, { "b", 0, 1, "0 s" }, { "c", 1, 2, "1 s" } };
    vgg_chart_parts(page, "parts", parts, 3);
    static const char *const rows[] = { "cat", "dog" }, *const columns[] = { "a", "b", "a rather long column name" };
    static const double values[] = { 1, 2, 3, 4, NAN, 6 };
    static const char *const texts[] = { "1", "2", "3", "4", NULL, "6" };
    vgg_chart_heat(page, &(struct vgg_chart_heat) { .title = "heat",
                                                    .rows = 2,
                                                    .columns = 3,
                                                    .row_names = rows,
                                                    .column_names = columns,
                                                    .values = values,
                                                    .texts = texts });
}

Test(report_page, charts_have_their_marks)
{
    struct vgg_html *page;
    cr_assert_eq(vgg_html_create(&page, page_path, "Title", "lead"), VGG_OK);
    vgg_html_section(page, "Section", "note");
    write_charts(page);
    cr_assert_eq(vgg_html_commit(page), VGG_OK);
    char *text = read_page(), *first = strstr(text, "aria-label=\"plot\""),
         *second = strstr(text, "aria-label=\"bars\"");
    cr_assert(first && second);
    expect_balanced(text);
    cr_assert_eq(count_text(text, "<circle class=\"d\" cx="), 1 + 3, "a legend's and three dots: one is no number");
    cr_assert_eq(count_text(first, "<path class=\"l c1\""), 1);
    cr_assert_eq(count_text(first, "<path class=\"l c2 dash\""), 1);
    cr_assert_eq(count_text(text, "class=\"b c"), 2 + 2, "two bars, two parts");
    cr_assert_eq(count_text(text, "class=\"h\""), 5);
    cr_assert_eq(count_text(text, "class=\"e\""), 1);
    cr_assert_not_null(strstr(second, ">3 ms</text>"));
    cr_assert_not_null(strstr(second, "not there"));
    cr_assert_not_null(strstr(text, "2:"));
    cr_assert_null(strstr(text, "nan"));
    cr_assert_null(strstr(text, "<script"));
    cr_assert_null(strstr(text, "http:"));
    cr_assert_null(strstr(text, "https:"));
    free(text);
}

Test(report_page, text_is_escaped)
{
    struct vgg_html *page;
    cr_assert_eq(vgg_html_create(&page, page_path, "<b>&\"'", NULL), VGG_OK);
    vgg_html_section(page, "a", NULL);
    vgg_html_card_begin(page, "caf\xC3\xA9 \xFF \xC0\xAF \xED\xA0\x80 \xF0\x9F\x90\xB1 \x01", false);
    static const struct vgg_html_column columns[] = { { "<i>", false }, { "n", true } };
    vgg_html_table_begin(page, columns, 2);
    vgg_html_cell(page, "%s", "</td>"), vgg_html_cell(page, "%d", 7), vgg_html_cell(page, "short row");
    vgg_html_table_end(page);
    vgg_html_pairs(page, (struct vgg_html_pair[]) { { "<n>", "<v>" } }, 1);
    vgg_html_image(page, "image/png", "Man", 3, "\"alt\"");
    vgg_html_image(page, "image/png", "Ma", 2, "");
    vgg_html_image(page, "image/png", "M", 1, "");
    vgg_html_card_end(page);
    cr_assert_eq(vgg_html_commit(page), VGG_OK);
    char *text = read_page();
    expect_balanced(text);
    cr_assert_not_null(strstr(text, "<h1>&lt;b&gt;&amp;&quot;&#39;</h1>"));
    cr_assert_not_null(strstr(text,
                              "caf\xC3\xA9 \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD "
                              "\xF0\x9F\x90\xB1 \xEF\xBF\xBD<"));
    cr_assert_not_null(strstr(text, "<td>&lt;/td&gt;</td><td class=\"n\">7</td></tr>"));
    cr_assert_not_null(strstr(text, "<dt>&lt;n&gt;</dt><dd>&lt;v&gt;</dd>"));
    cr_assert_not_null(strstr(text, "alt=\"&quot;alt&quot;\" src=\"data:image/png;base64,TWFu\""));
    cr_assert_not_null(strstr(text, "base64,TWE=\""));
    cr_assert_not_null(strstr(text, "base64,TQ==\""));
    free(text);
}

Test(report_page, whole_or_not_there)
{
    struct vgg_html *page;
    cr_assert_eq(vgg_html_create(&page, page_path, "kept", NULL), VGG_OK);
    cr_assert_eq(vgg_html_commit(page), VGG_OK);
    cr_assert_eq(vgg_html_create(&page, page_path, "dropped", NULL), VGG_OK);
    vgg_html_abort(page);
    vgg_html_abort(NULL);
    char *text = read_page();
    cr_assert_not_null(strstr(text, "<h1>kept</h1>"));
    free(text);
    EXPECT_FAILURE(vgg_html_create(&page, "/nowhere/page.html", "t", NULL), VGG_ERR_IO, "/nowhere/page.html");
    cr_assert_null(page);
}

/* ---- event files ---- */

/* RFC 3720, appendix B.4. */
Test(report_events, checksums)
{
    uint8_t bytes[32] = { 0 };
    cr_assert_eq(vgg_tensorboard_crc(bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xFF, sizeof bytes);
    cr_assert_eq(vgg_tensorboard_crc(bytes, 32), 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    cr_assert_eq(vgg_tensorboard_crc(bytes, 32), 0x46DD794Eu);
    cr_assert_eq(vgg_tensorboard_crc("123456789", 9), 0xE3069283u);
    cr_assert_eq(vgg_tensorboard_crc("", 0), 0u);
}
