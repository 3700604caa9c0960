/* Parts of data sets whose classes come in no order, and have none, one, two and more items. */
#include "data_files.h"

#include "core/data/data.h"

enum { MIXED = 17, MIXED_CLASSES = 6 };
static const uint8_t mixed_labels[MIXED] = { 3, 0, 4, 3, 0, 5, 1, 3, 0, 3, 5, 4, 0, 3, 4, 3, 5 };

static int mixed_red(int i)
{
    return 250 - 13 * i;
}

/* Item i has the label mixed_labels[i], or none, and the grey mixed_red(i). */
static struct vgg_data *open_mixed(const char *folder, bool labelled, const char *options)
{
    uint8_t images[16 + MIXED] = { 0, 0, 8, 3, 0, 0, 0, MIXED, 0, 0, 0, 1, 0, 0, 0, 1 };
    uint8_t labels[8 + MIXED] = { 0, 0, 8, 1, 0, 0, 0, MIXED };
    char format[64], source[512];
    struct vgg_data *data;
    for (int i = 0; i < MIXED; i++)
        images[16 + i] = (uint8_t)mixed_red(i);
    memcpy(labels + 8, mixed_labels, MIXED);
    write_file(folder, "i", images, sizeof images);
    write_file(folder, "l", labels, sizeof labels);
    snprintf(format, sizeof format, "idx:%%s/i%s%s", labelled ? ",%s/l" : "", options);
    snprintf(source, sizeof source, format, folder, folder);
    capture_log();
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK, "%s: %s", source, logged);
    return data;
}

static const char *base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int red(const struct vgg_data *data, size_t index)
{
    static const struct vgg_image_options one_pixel = { .height = 1, .width = 1, .preprocess = VGG_PREPROCESS_NONE };
    float x[3] = { -1, -1, -1 };
    cr_assert_eq(vgg_data_fetch(data, index, &one_pixel, NULL, 0, 0, x), VGG_OK);
    return (int)x[0];
}

/* Are these the items of `data`, by their numbers in the file, each with its own image, label and path? class_of: the
 * class that stands at each label; NULL: no labels. */
static void check_items(const struct vgg_data *data, const int *items, size_t count, const int *class_of)
{
    char path[16];
    cr_assert_eq(vgg_data_count(data), count, "%zu items, not %zu", vgg_data_count(data), count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(red(data, i), mixed_red(items[i]), "place %zu: not item %d", i, items[i]);
        int label = vgg_data_label(data, i);
        cr_assert_eq(class_of && label >= 0 ? class_of[label] : label, class_of ? mixed_labels[items[i]] : -1);
        snprintf(path, sizeof path, "i#%d", items[i]);
        cr_assert_str_eq(base(vgg_data_path(data, i)), path);
    }
}

static const int themselves[MIXED_CLASSES] = { 0, 1, 2, 3, 4, 5 };

/* Splits, and compares with the items that are to be held out; the rest has all others in their order. */
static void check_split(struct vgg_data **rest, const struct vgg_data *data, double fraction, const int *held,
                        size_t count, const int *class_of)
{
    struct vgg_data *out;
    int others[MIXED];
    size_t left = 0;
    for (int i = 0; i < MIXED; i++) {
        bool is_held = false;
        for (size_t k = 0; k < count; k++)
            is_held = is_held || held[k] == i;
        if (!is_held) others[left++] = i;
    }
    cr_assert_eq(vgg_data_split(rest, &out, data, fraction, 5), VGG_OK);
    check_items(out, held, count, class_of);
    check_items(*rest, others, left, class_of);
    cr_assert_eq(vgg_data_class_count(out), class_of ? MIXED_CLASSES : 0);
    cr_assert_eq(vgg_data_class_count(*rest), class_of ? MIXED_CLASSES : 0);
    for (int i = 0; class_of && i < MIXED_CLASSES; i++) {
        cr_assert_str_eq(vgg_data_class_name(out, i), vgg_data_class_name(data, i));
        cr_assert_str_eq(vgg_data_class_name(*rest, i), vgg_data_class_name(data, i));
    }
    vgg_data_destroy(out);
}

/* Which items a seed holds out is part of the format: a model that was trained on a split is judged on the same one by
 * later versions. The lists come from another implementation of Philox4x32-10 and Fisher-Yates, in Python. */
Test(parts, split_of_mixed_labels)
{
    char *folder = make_folder();
    struct vgg_data *data = open_mixed(folder, true, ""), *unlabelled = open_mixed(folder, false, ""), *rest, *rest2,
                    *held;
    /* Class 0 has 4 items, 1 has 1 (never held out), 2 none, 3 has 6, 4 has 3 and 5 has 3. */
    check_split(&rest, data, 0.2, (int[]) { 1, 5, 9, 14 }, 4, themselves);
    /* A part is split again, by other numbers than its places. */
    cr_assert_eq(vgg_data_split(&rest2, &held, rest, 0.5, 6), VGG_OK);
    check_items(held, (int[]) { 0, 4, 8, 11, 13, 15, 16 }, 7, themselves);
    check_items(rest2, (int[]) { 2, 3, 6, 7, 10, 12 }, 6, themselves);
    vgg_data_destroy(rest);
    vgg_data_destroy(rest2);
    vgg_data_destroy(held);
    check_split(&rest, data, 0.5, (int[]) { 1, 3, 5, 9, 11, 12, 14, 15, 16 }, 9, themselves);
    vgg_data_destroy(rest);
    check_split(&rest, data, 0.9, (int[]) { 0, 1, 3, 5, 8, 9, 11, 12, 13, 14, 15, 16 }, 12, themselves);
    vgg_data_destroy(rest);
    check_split(&rest, data, 0.01, (int[]) { 1, 5, 9, 14 }, 4, themselves);
    vgg_data_destroy(rest);
    check_split(&rest, unlabelled, 0.3, (int[]) { 0, 2, 3, 5, 16 }, 5, NULL);
    vgg_data_destroy(rest);
    vgg_data_destroy(data);
    vgg_data_destroy(unlabelled);
    /* One class of two items: one on each side, whatever the fraction. */
    static const double fractions[] = { 0.01, 0.5, 0.99 };
    data = open_mixed(folder, true, "?classes=4&per_class=2");
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(vgg_data_split(&rest, &held, data, fractions[i], 1), VGG_OK);
        cr_assert_eq(vgg_data_count(rest), 1);
        cr_assert_eq(vgg_data_count(held), 1);
        cr_assert_neq(red(rest, 0), red(held, 0));
        vgg_data_destroy(rest);
        vgg_data_destroy(held);
    }
    vgg_data_destroy(data);
    data = open_mixed(folder, true, "?per_class=1");
    EXPECT_FAILURE(vgg_data_split(&rest, &held, data, 0.5, 1), VGG_ERR_ARGUMENT, "5 items is too small");
    vgg_data_destroy(data);
    remove_folder(folder);
}

static void refuse(const char *folder, const char *options, enum vgg_status status, const char *text)
{
    char source[512];
    struct vgg_data *data;
    snprintf(source, sizeof source, "idx:%s/i,%s/l?%s", folder, folder, options);
    EXPECT_FAILURE(vgg_data_open(&data, source), status, text);
    cr_assert_null(data);
}

Test(parts, chosen_classes_of_mixed_labels)
{
    char *folder = make_folder();
    struct vgg_data *data = open_mixed(folder, true, "?classes=5,0,2");
    check_items(data, (int[]) { 1, 4, 5, 8, 10, 12, 16 }, 7, (int[]) { 0, 2, 5 });
    cr_assert_eq(vgg_data_class_count(data), 3);
    cr_assert_str_eq(vgg_data_class_name(data, 1), "2");
    cr_assert_str_eq(vgg_data_class_name(data, 2), "5");
    vgg_data_destroy(data);
    data = open_mixed(folder, true, "?per_class=2");
    check_items(data, (int[]) { 0, 1, 2, 3, 4, 5, 6, 10, 11 }, 9, themselves);
    vgg_data_destroy(data);
    data = open_mixed(folder, true, "?per_class=4&classes=4,3");
    check_items(data, (int[]) { 0, 2, 3, 7, 9, 11, 14 }, 7, (int[]) { 3, 4 });
    vgg_data_destroy(data);
    refuse(folder, "classes=2", VGG_ERR_MISSING, "leaves no items");
    refuse(folder, "classes=3000000000", VGG_ERR_ARGUMENT, "class numbers");
    refuse(folder, "per_class=2147483648", VGG_ERR_ARGUMENT, "number of items");
    remove_folder(folder);
}
