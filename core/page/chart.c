/* Lines and dots: curves, scatter plots, rooflines. */
#include "core/page/chart.h"

#include <math.h>

#include "core/page/axis.h"

enum { COLOURS = 8 };

/* Places in the drawing, in units of its view box. */
struct frame {
    int width, height;
    double left, right, top, bottom; /* of the plotting area */
};

static void find_range(const struct vgg_chart *chart, bool vertical, double *min, double *max)
{
    const struct vgg_chart_axis *axis = vertical ? &chart->y : &chart->x;
    *min = (double)INFINITY, *max = -(double)INFINITY;
    for (size_t s = 0; s < chart->count; s++) {
        const struct vgg_chart_series *series = &chart->series[s];
        const double *values = vertical ? series->y : series->x, *other = vertical ? series->x : series->y;
        for (size_t i = 0; i < series->count; i++) {
            if (!isfinite(values[i]) || !isfinite(other[i]) || (axis->log && values[i] <= 0.0)) continue;
            *min = fmin(*min, values[i]);
            *max = fmax(*max, values[i]);
        }
    }
}

static void write_grid(struct vgg_html *page, const struct vgg_chart *chart, const struct frame *f,
                       const struct vgg_axis *x, const struct vgg_axis *y)
{
    for (int i = 0; i < y->ticks; i++) {
        double at = vgg_axis_at(y, y->tick[i]);
        vgg_html_markup(page, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", f->left, at, f->right);
        vgg_html_markup(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", f->left - 7.0, at + 4.0);
        vgg_html_text(page, y->text[i]);
        vgg_html_markup(page, "</text>\n");
    }
    for (int i = 0; i < x->ticks; i++) {
        double at = vgg_axis_at(x, x->tick[i]);
        vgg_html_markup(page, "<path class=\"%s\" d=\"M%.1f %.1fV%.1f\"/>", x->log ? "g" : "a", at, f->bottom,
                        x->log ? f->top : f->bottom + 4.0);
        vgg_html_markup(page, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at, f->bottom + 18.0);
        vgg_html_text(page, x->text[i]);
        vgg_html_markup(page, "</text>\n");
    }
    vgg_html_markup(page, "<path class=\"a\" d=\"M%.1f %.1fH%.1f\"/>\n", f->left, f->bottom, f->right);
    if (chart->x.title) {
        vgg_html_markup(page, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", (f->left + f->right) / 2.0,
                        f->height - 4);
        vgg_html_text(page, chart->x.title);
        vgg_html_markup(page, "</text>\n");
    }
    if (chart->y.title) {
        vgg_html_markup(page, "<text x=\"4\" y=\"12\">");
        vgg_html_text(page, chart->y.title);
        vgg_html_markup(page, "</text>\n");
    }
}

/* A path with a gap wherever a point cannot be shown; a point alone between gaps becomes a round end. */
static void write_line(struct vgg_html *page, const struct vgg_chart_series *series, const struct vgg_axis *x,
                       const struct vgg_axis *y)
{
    size_t run = 0; /* points since the last gap */
    vgg_html_markup(page, "<path class=\"l c%d%s%s\" d=\"", series->colour % COLOURS, series->faint ? " faint" : "",
                    series->mark == VGG_CHART_DASHES ? " dash" : "");
    for (size_t i = 0; i <= series->count; i++) {
        double px = i < series->count ? vgg_axis_at(x, series->x[i]) : (double)NAN;
        double py = i < series->count ? vgg_axis_at(y, series->y[i]) : (double)NAN;
        if (isnan(px) || isnan(py)) {
            if (run == 1) vgg_html_markup(page, "h.01");
            run = 0;
            continue;
        }
        vgg_html_markup(page, "%c%.1f %.1f", run ? 'L' : 'M', px, py);
        run++;
    }
    vgg_html_markup(page, "\">");
    if (series->name) {
        vgg_html_markup(page, "<title>");
        vgg_html_text(page, series->name);
        vgg_html_markup(page, "</title>");
    }
    vgg_html_markup(page, "</path>\n");
}

static void write_dots(struct vgg_html *page, const struct vgg_chart_series *series, const struct frame *f,
                       const struct vgg_axis *x, const struct vgg_axis *y, bool percent)
{
    double radius = series->count <= 60 ? 3.4 : series->count <= 200 ? 2.5 : 1.7;
    vgg_html_markup(page, "<g class=\"c%d%s\">\n", series->colour % COLOURS, series->faint ? " faint" : "");
    for (size_t i = 0; i < series->count; i++) {
        double px = vgg_axis_at(x, series->x[i]), py = vgg_axis_at(y, series->y[i]);
        if (isnan(px) || isnan(py)) continue;
        vgg_html_markup(page, "<circle class=\"d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>", px, py, radius);
        if (series->label) {
            vgg_html_text(page, series->label[i]);
        } else {
            char tx[VGG_AXIS_TEXT], ty[VGG_AXIS_TEXT];
            vgg_axis_number(tx, series->x[i], 4);
            vgg_axis_number(ty, series->y[i] * (percent ? 100.0 : 1.0), 4);
            vgg_html_words(page, "%s%s%s: %s%s", series->name ? series->name : "", series->name ? ", " : "", tx, ty,
                           percent ? " %" : "");
        }
        vgg_html_markup(page, "</title></circle>\n");
        if (!series->named || !series->label) continue;
        bool left = px > f->left + 0.7 * (f->right - f->left);
        vgg_html_markup(page, "<text class=\"ink\" x=\"%.1f\" y=\"%.1f\"%s>", px + (left ? -7.0 : 7.0), py + 4.0,
                        left ? " text-anchor=\"end\"" : "");
        vgg_html_text(page, series->label[i]);
        vgg_html_markup(page, "</text>\n");
    }
    vgg_html_markup(page, "</g>\n");
}

static void write_legend(struct vgg_html *page, const struct vgg_chart *chart)
{
    bool any = false;
    for (size_t s = 0; s < chart->count; s++) {
        const struct vgg_chart_series *series = &chart->series[s];
        if (!series->name) continue;
        if (!any) vgg_html_markup(page, "<ul class=\"key\">\n");
        any = true;
        vgg_html_markup(page, "<li class=\"c%d\"><svg viewBox=\"0 0 22 10\" aria-hidden=\"true\">",
                        series->colour % COLOURS);
        if (series->mark == VGG_CHART_DOTS) {
            vgg_html_markup(page, "<circle class=\"d\" cx=\"11\" cy=\"5\" r=\"3.6\"/>");
        } else {
            vgg_html_markup(page, "<path class=\"l%s\" d=\"M1.5 5H20.5\"/>",
                            series->mark == VGG_CHART_DASHES ? " dash" : "");
        }
        vgg_html_markup(page, "</svg>");
        vgg_html_text(page, series->name);
        vgg_html_markup(page, "</li>\n");
    }
    if (any) vgg_html_markup(page, "</ul>\n");
}

void vgg_chart_plot(struct vgg_html *page, const struct vgg_chart *chart)
{
    struct frame f = { .width = chart->wide ? 1080 : 520, .height = chart->wide ? 330 : 290 };
    struct vgg_axis x, y;
    double min, max;
    f.left = 56.0, f.right = f.width - 14.0;
    f.top = chart->y.title ? 26.0 : 10.0, f.bottom = f.height - (chart->x.title ? 42.0 : 24.0);
    find_range(chart, false, &min, &max);
    vgg_axis_init(&x, &chart->x, min, max, chart->wide ? 14 : 7);
    find_range(chart, true, &min, &max);
    vgg_axis_init(&y, &chart->y, min, max, 5);
    x.from = f.left + 9.0, x.to = f.right - 9.0;
    y.from = f.bottom, y.to = f.top;

    vgg_html_card_begin(page, chart->title, chart->wide);
    write_legend(page, chart);
    vgg_html_markup(page, "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", f.width, f.height);
    vgg_html_text(page, chart->title ? chart->title : "chart");
    vgg_html_markup(page, "\">\n");
    write_grid(page, chart, &f, &x, &y);
    for (size_t s = 0; s < chart->count; s++) {
        const struct vgg_chart_series *series = &chart->series[s];
        if (series->mark == VGG_CHART_DOTS) {
            write_dots(page, series, &f, &x, &y, chart->y.percent);
        } else {
            write_line(page, series, &x, &y);
        }
    }
    vgg_html_markup(page, "</svg>\n");
    vgg_html_card_end(page);
}
