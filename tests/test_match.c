/* Which of a model's classes the classes of a data set are. */
#include <criterion/criterion.h>

#include "core/base/mem.h"
#include "core/data/store.h"
#include "core/infer/match.h"
#include "data_files.h"

static char *model_names[] = { "fig", "kiwi", "lime", "kiwi", "plum" }, *model_numbers[] = { "4", "7", "1" },
            *model_mixed[] = { "fig", "7", "1" };

static struct vgg_model new_model(const char *head, char **names)
{
    struct vgg_model model = { .head = (char *)(uintptr_t)head, .class_names = names };
    cr_assert_eq(vgg_arch_base(&model.arch, "vgg16", 32, 32, NULL), VGG_OK);
    cr_assert_eq(vgg_arch_head(&model.arch, head), VGG_OK);
    return model;
}

/* Does data with these classes, the item k of class k (of the classes in `items`, a bit each), map to these numbers? */
static void check(const struct vgg_model *model, int count, char **names, unsigned items, const int *expected)
{
    int labels[8], *map;
    char *paths[8];
    struct vgg_data_store store = { .paths = paths };
    struct vgg_data data = { .store = &store, .labels = labels, .classes = names, .class_count = count };
    for (int i = 0; i < count; i++) {
        if (!(items >> i & 1)) continue;
        labels[data.count] = i;
        paths[data.count++] = names[i];
    }
    capture_log();
    enum vgg_status status = vgg_match_labels(&map, model, &data);
    if (!expected) {
        cr_assert_eq(status, VGG_ERR_ARGUMENT);
        cr_assert_null(map);
        cr_assert_eq(logged_lines, 1);
        return;
    }
    cr_assert_eq(status, VGG_OK, "%s", logged);
    for (int i = 0; i < count; i++)
        cr_assert_eq(map[i], expected[i], "class %d (%s) is %d, not %d", i, names[i], map[i], expected[i]);
    free(map);
}

Test(match, by_name)
{
    struct vgg_model model = new_model("flatten,dense:5:softmax", model_names);
    check(&model, 5, model_names, 31, (int[]) { 0, 1, 2, 3, 4 }); /* a name that stands twice */
    check(&model, 3, (char *[]) { "plum", "kiwi", "fig" }, 7, (int[]) { 4, 1, 0 });
    check(&model, 5, (char *[]) { "plum", "kiwi", "lime", "kiwi", "fig" }, 31, (int[]) { 4, 1, 2, 1, 0 });
    check(&model, 3, (char *[]) { "plum", "pear", "fig" }, 5, (int[]) { 4, -1, 0 });
    check(&model, 3, (char *[]) { "plum", "pear", "fig" }, 7, NULL);
    cr_assert_not_null(strstr(logged, "pear: class 1 (pear) is none of the model's 5, fig to plum"));
    check(&model, 1, (char *[]) { "Fig" }, 1, NULL);
    cr_assert_not_null(strstr(logged, "Fig: class 0 (Fig) is none of the model's; call it fig"), "%s", logged);
}

/* Names that differ from the model's in one place, be it the first or the last. */
Test(match, nearly_the_same_names)
{
    struct vgg_model model = new_model("flatten,dense:5:softmax", model_names);
    check(&model, 5, (char *[]) { "plum", "kiwi", "lime", "kiwi", "plum" }, 31, (int[]) { 4, 1, 2, 1, 4 });
    check(&model, 5, (char *[]) { "fig", "kiwi", "lime", "kiwi", "fig" }, 31, (int[]) { 0, 1, 2, 1, 0 });
    check(&model, 4, model_names, 15, (int[]) { 0, 1, 2, 1 });
}

Test(match, by_number)
{
    struct vgg_model words = new_model("flatten,dense:5:softmax", model_names),
                     numbers = new_model("flatten,dense:3:softmax", model_numbers),
                     unnamed = new_model("flatten,dense:5:softmax", NULL);
    check(&words, 2, (char *[]) { "3", "0" }, 3, (int[]) { 3, 0 });
    check(&words, 2, (char *[]) { "3", "5" }, 3, NULL);
    check(&words, 2, (char *[]) { "3", "4x" }, 1, NULL);
    check(&numbers, 3, (char *[]) { "1", "4", "7" }, 7, (int[]) { 2, 0, 1 });
    check(&numbers, 2, (char *[]) { "1", "2" }, 3, NULL);
    struct vgg_model mixed = new_model("flatten,dense:3:softmax", model_mixed);
    check(&mixed, 2, (char *[]) { "1", "0" }, 3, (int[]) { 1, 0 }); /* one name that is a word makes them all words */
    check(&unnamed, 2, (char *[]) { "4", "2" }, 3, (int[]) { 4, 2 });
    check(&unnamed, 2, (char *[]) { "4", "000000002" }, 3, (int[]) { 4, 2 });
    check(&unnamed, 2, (char *[]) { "4", "0000000002" }, 3, (int[]) { 0, 1 });
    check(&unnamed, 2, (char *[]) { "4", "" }, 3, (int[]) { 0, 1 });
    check(&unnamed, 2, (char *[]) { "4", "99999999999999999999" }, 2, (int[]) { 0, 1 });
    cr_assert_eq(logged_lines, 1); /* five classes without names, and two names */
    check(&unnamed, 5, (char *[]) { "a", "b", "c", "d", "e" }, 31, (int[]) { 0, 1, 2, 3, 4 });
    cr_assert_eq(logged_lines, 0);
    check(&unnamed, 6, (char *[]) { "a", "b", "c", "d", "e", "f" }, 31, (int[]) { 0, 1, 2, 3, 4, -1 });
    struct vgg_model sigmoid = new_model("flatten,dense:1:sigmoid", NULL);
    check(&sigmoid, 2, (char *[]) { "1", "0" }, 3, (int[]) { 1, 0 });
}

Test(match, imagenet)
{
    enum { CLASSES = 1000 };
    static char wordnet[CLASSES][16], *names[CLASSES];
    static int labels[CLASSES];
    struct vgg_model model = new_model("top", NULL);
    check(&model, 3, (char *[]) { "tabby", "goldfish", "tench" }, 7, (int[]) { 281, 1, 0 });
    check(&model, 2, (char *[]) { "cat", "dog" }, 3, NULL);
    for (int i = 0; i < CLASSES; i++) {
        snprintf(wordnet[i], sizeof wordnet[i], "n%08d", 1440764 + 7 * i);
        names[i] = wordnet[i];
        labels[i] = i;
    }
    struct vgg_data_store store = { .paths = names };
    struct vgg_data data = {
        .store = &store, .count = CLASSES, .labels = labels, .classes = names, .class_count = CLASSES
    };
    int *map;
    cr_assert_eq(vgg_match_labels(&map, &model, &data), VGG_OK);
    for (int i = 0; i < CLASSES; i++)
        cr_assert_eq(map[i], i);
    free(map);
    /* A model of as many classes with names of its own goes by these. */
    static char *reversed[CLASSES];
    for (int i = 0; i < CLASSES; i++)
        reversed[i] = wordnet[CLASSES - 1 - i];
    struct vgg_model own = new_model("flatten,dense:1000:softmax", reversed);
    cr_assert_eq(vgg_match_labels(&map, &own, &data), VGG_OK);
    for (int i = 0; i < CLASSES; i++)
        cr_assert_eq(map[i], CLASSES - 1 - i);
    free(map);
    data.count = CLASSES - 1, data.class_count = CLASSES - 1; /* which one is missing cannot be known */
    EXPECT_FAILURE(vgg_match_labels(&map, &model, &data), VGG_ERR_ARGUMENT, "n01440764");
    data.count = CLASSES, data.class_count = CLASSES;
    wordnet[999][0] = 'm';
    EXPECT_FAILURE(vgg_match_labels(&map, &model, &data), VGG_ERR_ARGUMENT, "n01440764");
    wordnet[999][0] = 'n';
    strcat(wordnet[999], "x"); /* more than a number */
    EXPECT_FAILURE(vgg_match_labels(&map, &model, &data), VGG_ERR_ARGUMENT, "n01440764");
}
