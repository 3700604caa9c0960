/* Parts of data sets, each item known by its value: chosen classes, the first of each, splits. */
#include "data_files.h"

#include <math.h>

#include "core/data/select.h"

enum { MOST = 64 };

/* `count` items whose values are their numbers. labels NULL: none. */
static struct vgg_data *make_data(const int *labels, size_t count)
{
    static float x[MOST];
    struct vgg_data *data;
    for (size_t i = 0; i < MOST; i++)
        x[i] = (float)i;
    capture_log();
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, labels, count, 1, 1, 1), VGG_OK, "%s", logged);
    return data;
}

/* Are these the items, in this order? */
static void expect_items(const struct vgg_data *data, const int *wanted, size_t count)
{
    cr_assert_eq(vgg_data_count(data), count, "%zu items", vgg_data_count(data));
    for (size_t i = 0; i < count; i++) {
        float x = -1;
        cr_assert_eq(vgg_data_fetch(data, i, NULL, NULL, 0, 0, &x), VGG_OK);
        cr_expect_eq((int)x, wanted[i], "item %zu is %d, not %d", i, (int)x, wanted[i]);
    }
}

static void expect_labels(const struct vgg_data *data, const int *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(vgg_data_label(data, i), wanted[i], "item %zu", i);
}

/* ---- options behind the question mark ---- */

static const int labels[10] = { 2, 0, 1, 2, 0, 3, 1, 2, 0, 3 };

Test(data_select, classes_are_numbered_anew)
{
    static const struct {
        const char *options;
        size_t count;
        int items[10], labels[10], classes;
        const char *names[4];
    } cases[] = {
        { "classes=0", 3, { 1, 4, 8 }, { 0 }, 1, { "0" } },
        { "classes=3", 2, { 5, 9 }, { 0 }, 1, { "3" } },
        { "classes=3,1", 4, { 2, 5, 6, 9 }, { 0, 1, 0, 1 }, 2, { "1", "3" } },
        { "classes=0,1,2,3",
          10,
          { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 },
          { 2, 0, 1, 2, 0, 3, 1, 2, 0, 3 },
          4,
          { "0", "1", "2", "3" } },
        { "per_class=1", 4, { 0, 1, 2, 5 }, { 2, 0, 1, 3 }, 4, { "0", "1", "2", "3" } },
        { "per_class=2", 8, { 0, 1, 2, 3, 4, 5, 6, 9 }, { 2, 0, 1, 2, 0, 3, 1, 3 }, 4, { "0" } },
        { "per_class=2147483647", 10, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, { 2, 0, 1, 2, 0, 3, 1, 2, 0, 3 }, 4, { "0" } },
        { "per_class=2&classes=2,0", 4, { 0, 1, 3, 4 }, { 1, 0, 1, 0 }, 2, { "0", "2" } },
        { "classes=2,0&per_class=2", 4, { 0, 1, 3, 4 }, { 1, 0, 1, 0 }, 2, { "0", "2" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_data *data = make_data(labels, 10);
        cr_assert_eq(vgg_data_select(data, cases[i].options, "x"), VGG_OK, "%s: %s", cases[i].options, logged);
        expect_items(data, cases[i].items, cases[i].count);
        expect_labels(data, cases[i].labels, cases[i].count);
        cr_assert_eq(vgg_data_class_count(data), cases[i].classes, "%s", cases[i].options);
        for (int k = 0; k < cases[i].classes && cases[i].names[k]; k++)
            cr_expect_str_eq(vgg_data_class_name(data, k), cases[i].names[k]);
        vgg_data_destroy(data);
    }
}

/* A part of a part points to the same items. */
Test(data_select, again)
{
    struct vgg_data *data = make_data(labels, 10);
    cr_assert_eq(vgg_data_select(data, "classes=1,2,3", "x"), VGG_OK);
    cr_assert_eq(vgg_data_select(data, "classes=1,2&per_class=2", "x"), VGG_OK);
    expect_items(data, (const int[]) { 0, 3, 5, 9 }, 4);
    expect_labels(data, (const int[]) { 0, 0, 1, 1 }, 4);
    cr_expect_str_eq(vgg_data_class_name(data, 1), "3");
    vgg_data_destroy(data);
}

Test(data_select, refused)
{
    static const char *const cases[][2] = {
        { "classes=4", "only classes 0 to 3" },
        { "classes=0,2,0", "names class 0 twice" },
        { "classes=", "class numbers" },
        { "classes=,1", "class numbers" },
        { "classes=1,", "class numbers" },
        { "classes=-1", "class numbers" },
        { "classes=+1", "class numbers" },
        { "classes= 1", "class numbers" },
        { "classes=1;2", "class numbers" },
        { "classes=2147483648", "class numbers" },
        { "classes=2147483647", "only classes 0 to 3" },
        { "classes=99999999999999999999", "class numbers" },
        { "classes=:", "class numbers" },
        { "classes=/", "class numbers" },
        { "classes=1&classes=2", "once each" },
        { "per_class=1&per_class=1", "once each" },
        { "per_class=1&", "joined by &" },
        { "per_class=1x", "joined by &" },
        { "per_class=1&x", "joined by &" },
        { "&", "joined by &" },
        { "per_class=0", "number of items" },
        { "per_class=2147483648", "number of items" },
        { "per_class=", "number of items" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct vgg_data *data = make_data(labels, 10);
        EXPECT_FAILURE(vgg_data_select(data, cases[i][0], "x"), VGG_ERR_ARGUMENT, cases[i][1]);
        vgg_data_destroy(data);
    }
    struct vgg_data *data = make_data((const int[]) { 0, 2 }, 2);
    EXPECT_FAILURE(vgg_data_select(data, "classes=1", "x"), VGG_ERR_MISSING, "leaves no items");
    vgg_data_destroy(data);
    data = make_data(NULL, 3);
    EXPECT_FAILURE(vgg_data_select(data, "per_class=1", "x"), VGG_ERR_ARGUMENT, "no labels");
    vgg_data_destroy(data);
}

/* ---- splits ---- */

/* The same items for ever: a training that goes on by --resume must hold out what it held out. Source of the numbers:
 * Philox4x32-10 and Fisher-Yates by Python's whole numbers. */
Test(data_select, a_split_is_these_items)
{
    static const int held[] = { 3, 4, 7, 12, 14, 22 },
                     others[] = { 0, 1, 2, 5, 6, 8, 9, 10, 11, 13, 15, 16, 17, 18, 19, 20, 21, 23 };
    int of[24], wanted[18];
    struct vgg_data *rest, *part;
    for (int i = 0; i < 24; i++)
        of[i] = (i * 7 + i / 3) % 3;
    struct vgg_data *data = make_data(of, 24);
    cr_assert_eq(vgg_data_split(&rest, &part, data, 0.25, 11), VGG_OK);
    expect_items(part, held, 6);
    expect_items(rest, others, 18);
    for (int i = 0; i < 18; i++)
        wanted[i] = of[others[i]];
    expect_labels(rest, wanted, 18);
    for (int i = 0; i < 6; i++)
        wanted[i] = of[held[i]];
    expect_labels(part, wanted, 6);
    struct vgg_data *parts[] = { rest, part };
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(vgg_data_class_count(parts[i]), 3);
        for (int k = 0; k < 3; k++)
            cr_expect_str_eq(vgg_data_class_name(parts[i], k), vgg_data_class_name(data, k));
        vgg_data_destroy(parts[i]);
    }
    vgg_data_destroy(data);
    data = make_data(NULL, 9);
    cr_assert_eq(vgg_data_split(&rest, &part, data, 0.5, (UINT64_C(1) << 40) + 3), VGG_OK);
    expect_items(part, (const int[]) { 1, 2, 3, 7, 8 }, 5);
    expect_items(rest, (const int[]) { 0, 4, 5, 6 }, 4);
    cr_expect_eq(vgg_data_label(rest, 0), -1);
    cr_expect_eq(vgg_data_class_count(part), 0);
    vgg_data_destroy(part);
    /* Of a part: its items, not its places. */
    struct vgg_data *rest2, *part2;
    cr_assert_eq(vgg_data_split(&rest2, &part2, rest, 0.25, 1), VGG_OK);
    bool seen[9] = { false };
    for (int i = 0; i < 2; i++) {
        const struct vgg_data *of_rest = i ? part2 : rest2;
        for (size_t k = 0; k < vgg_data_count(of_rest); k++) {
            float x;
            cr_assert_eq(vgg_data_fetch(of_rest, k, NULL, NULL, 0, 0, &x), VGG_OK);
            seen[(int)x] = true;
        }
    }
    cr_expect(seen[0] && seen[4] && seen[5] && seen[6]);
    struct vgg_data *all[] = { rest2, part2, rest, data };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        vgg_data_destroy(all[i]);
}

/* Of each class the nearest number of items, halves up, at least one and never the last. */
Test(data_select, a_split_holds_out_so_many)
{
    static const struct {
        int n[2]; /* of both classes */
        double fraction;
        int held[2];
    } cases[] = {
        { { 10, 5 }, 0.2, { 2, 1 } },   { { 10, 5 }, 0.5, { 5, 3 } },      { { 3, 7 }, 0.5, { 2, 4 } },
        { { 2, 2 }, 0.01, { 1, 1 } },   { { 2, 2 }, 0.99, { 1, 1 } },      { { 1, 2 }, 0.9, { 0, 1 } },
        { { 1, 20 }, 0.1, { 0, 2 } },   { { 20, 20 }, 0.975, { 19, 19 } }, { { 20, 3 }, 0.999, { 19, 2 } },
        { { 4, 40 }, 0.125, { 1, 5 } }, { { 0, 6 }, 0.3, { 0, 2 } },       { { 20, 12 }, 0.024, { 1, 1 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int of[MOST], found[2] = { 0 }, n = 0;
        for (int k = 0; k < 2; k++)
            for (int j = 0; j < cases[i].n[k]; j++)
                of[n++] = k;
        struct vgg_data *data = make_data(of, (size_t)n), *rest, *held;
        cr_assert_eq(vgg_data_split(&rest, &held, data, cases[i].fraction, i), VGG_OK, "%s", logged);
        for (size_t k = 0; k < vgg_data_count(held); k++)
            found[vgg_data_label(held, k)]++;
        cr_expect_arr_eq(found, cases[i].held, sizeof found, "case %zu: %d and %d", i, found[0], found[1]);
        cr_expect_eq(vgg_data_count(rest) + vgg_data_count(held), (size_t)n);
        vgg_data_destroy(rest);
        vgg_data_destroy(held);
        vgg_data_destroy(data);
    }
}

Test(data_select, no_split)
{
    static const double fractions[] = { 0.0, 1.0, -0.5, 1.5, NAN };
    struct vgg_data *data = make_data(labels, 10), *rest, *held;
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++) {
        EXPECT_FAILURE(vgg_data_split(&rest, &held, data, fractions[i], 1), VGG_ERR_ARGUMENT, "between 0 and 1");
        cr_expect(!rest && !held);
    }
    vgg_data_destroy(data);
    data = make_data((const int[]) { 0, 1, 2 }, 3); /* one of each: nothing can be held out */
    EXPECT_FAILURE(vgg_data_split(&rest, &held, data, 0.9, 1), VGG_ERR_ARGUMENT, "of 3 items is too small");
    cr_expect(!rest && !held);
    vgg_data_destroy(data);
}
