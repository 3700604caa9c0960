/* Batches: order, shuffling, resuming, damaged items, shutting down. Run it under ThreadSanitizer too. */
#if defined(__SANITIZE_THREAD__)
#include "plain.h"
#endif

#include "data_files.h"

#include "core/data/loader.h"

enum { ITEMS = 23 };

/* 23 one-pixel IDX images of value 10 * index, without labels of their own. */
static struct vgg_data *open_items(char **folder)
{
    uint8_t idx[16 + ITEMS] = { 0, 0, 8, 3, 0, 0, 0, ITEMS, 0, 0, 0, 1, 0, 0, 0, 1 };
    char source[256];
    struct vgg_data *data;
    for (int i = 0; i < ITEMS; i++)
        idx[16 + i] = (uint8_t)(10 * i);
    *folder = make_folder();
    write_file(*folder, "i", idx, sizeof idx);
    snprintf(source, sizeof source, "idx:%s/i", *folder);
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK);
    return data;
}

static struct vgg_loader_options some_options(int batch, int workers)
{
    return (struct vgg_loader_options) { .images = { .height = 1, .width = 1, .preprocess = VGG_PREPROCESS_NONE },
                                         .batch = batch,
                                         .seed = 11,
                                         .workers = workers };
}

struct trace {
    size_t count;
    size_t index[512];
    uint64_t pass[512], number[512];
    float value[512];
};

/* Up to `most` items of a loader's stream. */
static void run(struct trace *trace, const struct vgg_data *data, const struct vgg_loader_options *options, size_t most)
{
    struct vgg_loader *loader;
    struct vgg_batch batch;
    trace->count = 0;
    cr_assert_eq(vgg_loader_create(&loader, data, options), VGG_OK);
    while (trace->count < most) {
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        if (!batch.count) break;
        for (int i = 0; i < batch.count && trace->count < most; i++, trace->count++) {
            trace->index[trace->count] = batch.index[i];
            trace->pass[trace->count] = batch.pass;
            trace->number[trace->count] = batch.number;
            trace->value[trace->count] = batch.x[i * 3];
        }
    }
    if (!batch.count) { /* the end stays the end */
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        cr_assert_eq(batch.count, 0);
    }
    vgg_loader_destroy(loader);
}

Test(loader, one_pass_in_order)
{
    char *folder;
    struct trace trace;
    struct vgg_data *data = open_items(&folder);
    for (int workers = 0; workers <= 8; workers++) {
        struct vgg_loader_options options = some_options(5, workers);
        run(&trace, data, &options, 512);
        cr_assert_eq(trace.count, ITEMS);
        for (size_t i = 0; i < ITEMS; i++) {
            cr_assert_eq(trace.index[i], i);
            cr_assert_eq(trace.pass[i], 0);
            cr_assert_eq(trace.number[i], i / 5);
            cr_assert_eq(trace.value[i], 10.0f * (float)i);
        }
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(loader, batches)
{
    char *folder;
    struct vgg_data *data = open_items(&folder);
    static const int sizes[][2] = { { 1, 23 }, { 5, 5 }, { 23, 1 }, { 22, 2 }, { 1000, 1 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct vgg_loader_options options = some_options(sizes[i][0], 2);
        struct vgg_loader *loader;
        cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
        cr_assert_eq(vgg_loader_batches(loader), (uint64_t)sizes[i][1]);
        vgg_loader_destroy(loader);
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* The stream of three passes is the same for any number of workers, shuffled anew each pass and complete in each. */
Test(loader, shuffled_passes)
{
    char *folder;
    struct trace first, other;
    struct vgg_data *data = open_items(&folder);
    struct vgg_loader_options options = some_options(4, 1);
    options.shuffle = options.repeat = true;
    options.augment.shift_width = 0.5f;
    run(&first, data, &options, 3 * ITEMS);
    cr_assert_eq(first.count, 3 * ITEMS);
    for (size_t pass = 0; pass < 3; pass++) {
        bool seen[ITEMS] = { false };
        size_t in_place = 0;
        for (size_t i = 0; i < ITEMS; i++) {
            size_t index = first.index[pass * ITEMS + i];
            cr_assert(index < ITEMS && !seen[index]);
            cr_assert_eq(first.pass[pass * ITEMS + i], pass);
            seen[index] = true;
            in_place += index == i;
        }
        cr_assert_lt(in_place, 10);
    }
    cr_assert_neq(memcmp(first.index, first.index + ITEMS, ITEMS * sizeof *first.index), 0);
    for (int workers = 2; workers <= 7; workers += 5) {
        options.workers = workers;
        run(&other, data, &options, 3 * ITEMS);
        cr_assert_arr_eq(other.index, first.index, 3 * ITEMS * sizeof *first.index);
        cr_assert_arr_eq(other.value, first.value, 3 * ITEMS * sizeof *first.value);
    }
    options.seed++;
    run(&other, data, &options, ITEMS);
    cr_assert_neq(memcmp(other.index, first.index, ITEMS * sizeof *first.index), 0);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Starting at (pass, batch) goes on exactly as the stream from the beginning does there. */
Test(loader, resumes)
{
    char *folder;
    struct trace whole, part;
    struct vgg_data *data = open_items(&folder);
    struct vgg_loader_options options = some_options(4, 3);
    options.shuffle = options.repeat = true;
    run(&whole, data, &options, 4 * ITEMS);
    for (uint64_t pass = 0; pass < 2; pass++) {
        for (uint64_t start = 0; start < 6; start++) {
            options.pass = pass, options.start = start;
            size_t skip = pass * ITEMS + start * 4;
            run(&part, data, &options, 30);
            cr_assert_arr_eq(part.index, whole.index + skip, 30 * sizeof *part.index);
            cr_assert_eq(part.pass[0], pass);
            cr_assert_eq(part.number[0], start);
        }
    }
    options.repeat = false, options.pass = 1, options.start = 4;
    run(&part, data, &options, 512);
    cr_assert_eq(part.count, ITEMS - 16);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* The order of a seed is part of the format, as a checkpoint goes on within it. These come from another implementation
 * of Philox4x32-10 and Fisher-Yates, in Python. */
Test(loader, orders_of_a_seed)
{
    static const size_t order[3][ITEMS] = {
        { 15, 17, 13, 8, 22, 18, 9, 11, 2, 20, 19, 14, 4, 7, 5, 0, 3, 1, 16, 6, 10, 12, 21 },
        { 19, 13, 12, 8, 4, 10, 1, 3, 20, 16, 14, 2, 22, 7, 21, 0, 15, 17, 11, 6, 18, 5, 9 },
        { 16, 22, 19, 10, 13, 7, 14, 6, 17, 1, 9, 12, 5, 0, 20, 2, 11, 18, 21, 15, 3, 4, 8 },
    };
    char *folder;
    struct trace trace;
    struct vgg_data *data = open_items(&folder);
    struct vgg_loader_options options = some_options(4, 2);
    options.shuffle = options.repeat = true;
    run(&trace, data, &options, 3 * ITEMS);
    for (size_t pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < ITEMS; i++) {
            cr_assert_eq(trace.index[pass * ITEMS + i], order[pass][i], "pass %zu, place %zu", pass, i);
            cr_assert_eq(trace.value[pass * ITEMS + i], 10.0f * (float)order[pass][i]);
            cr_assert_eq(trace.number[pass * ITEMS + i], i / 4);
        }
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Labels of every item, shuffled and in order, as the data numbers them and as a map of its numbers does: classes of no
 * item, of one and of many. */
Test(loader, labels_travel_with_their_items)
{
    static const uint8_t labels[ITEMS] = { 4, 0, 2, 4, 0, 6, 1, 4, 0, 4, 6, 2, 0, 4, 2, 4, 6, 6, 0, 0, 2, 4, 0 };
    static const int map[] = { 9, 3, 0, -1, 7, -1, 3 };
    uint8_t idx[8 + ITEMS] = { 0, 0, 8, 1, 0, 0, 0, ITEMS };
    char *folder, source[256];
    struct vgg_data *data = open_items(&folder);
    vgg_data_destroy(data);
    memcpy(idx + 8, labels, ITEMS);
    write_file(folder, "l", idx, sizeof idx);
    snprintf(source, sizeof source, "idx:%s/i,%s/l", folder, folder);
    cr_assert_eq(vgg_data_open(&data, source), VGG_OK);
    for (int variant = 0; variant < 4; variant++) {
        struct vgg_loader_options options = some_options(5, 3);
        struct vgg_loader *loader;
        struct vgg_batch batch;
        options.shuffle = variant & 1;
        options.labels = variant & 2 ? map : NULL;
        cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
        size_t seen = 0;
        for (;;) {
            cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
            if (!batch.count) break;
            for (int i = 0; i < batch.count; i++, seen++) {
                int item = (int)batch.x[i * 3] / 10;
                cr_assert_eq(batch.index[i], (size_t)item);
                cr_assert_eq(batch.labels[i], variant & 2 ? map[labels[item]] : labels[item], "item %d is %d", item,
                             batch.labels[i]);
            }
        }
        cr_assert_eq(seen, ITEMS);
        vgg_loader_destroy(loader);
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* ---- damaged items ---- */

static struct vgg_data *open_damaged(char **folder, const char *bad)
{
    char name[32], path[256];
    struct vgg_data *data;
    *folder = make_folder();
    for (int i = 0; bad[i]; i++) {
        snprintf(name, sizeof name, "c%d/%02d.bmp", i % 2, i);
        if (bad[i] == 'x') {
            write_file(*folder, name, "no image", 8);
        } else {
            write_picture(*folder, name, i, 0, 0);
        }
    }
    snprintf(path, sizeof path, "%s", *folder);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    return data;
}

Test(loader, an_error_comes_at_its_batch)
{
    char *folder;
    struct vgg_batch batch;
    struct vgg_loader *loader;
    struct vgg_data *data = open_damaged(&folder, "........x.x."); /* class 0: positions 0 to 5, bad ones 4 and 5 */
    struct vgg_loader_options options = some_options(2, 4);
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    capture_log();
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        usleep(20000); /* the workers have met the bad items by now */
        cr_assert_eq(logged_lines, 0);
    }
    EXPECT_FAILURE(vgg_loader_next(loader, &batch), VGG_ERR_FORMAT, "08.bmp: is not a JPEG");
    capture_log();
    cr_assert_eq(vgg_loader_next(loader, &batch), VGG_ERR_FORMAT);
    cr_assert_eq(logged_lines, 0);
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(loader, skips_bad_items)
{
    char *folder;
    struct vgg_batch batch;
    struct vgg_loader *loader;
    struct vgg_data *data = open_damaged(&folder, "x.......x.x."); /* in order: 0x 2 4 6 8x 10x | 1 3 5 7 9 11 */
    struct vgg_loader_options options = some_options(2, 3);
    options.images.skip_bad = true;
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    capture_log();
    static const int wanted[] = { 2, 4, 6, 1, 3, 5, 7, 9, 11 };
    size_t n = 0;
    for (;;) {
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        if (!batch.count) break;
        for (int i = 0; i < batch.count; i++, n++) {
            cr_assert_eq((int)batch.x[i * 3], wanted[n], "item %zu: %d", n, (int)batch.x[i * 3]);
            cr_assert_eq(batch.labels[i], wanted[n] % 2);
            cr_assert_eq(batch.labels[i], vgg_data_label(data, batch.index[i]));
        }
    }
    cr_assert_eq(n, 9);
    cr_assert_eq(vgg_loader_skipped(loader), 3);
    cr_assert_eq(logged_lines, 3);
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* What is left of a shuffled batch keeps its labels and indices; each damaged item is named with its reason. */
Test(loader, what_is_left_keeps_its_labels)
{
    static const char items[] = "abcaBcAbbCacBb"; /* the class of each; the capital ones are damaged */
    static const int map[] = { 5, 0, 2 };
    enum { COUNT = sizeof items - 1, BAD = 4, PASSES = 3 };
    char *folder = make_folder(), name[32];
    for (int i = 0; i < COUNT; i++) {
        bool bad = items[i] < 'a';
        snprintf(name, sizeof name, "%c/%02d.bmp", items[i] | 32, i);
        if (bad)
            write_file(folder, name, "no image", 8);
        else
            write_picture(folder, name, 17 * i + 3, 0, 0);
    }
    struct vgg_data *data;
    cr_assert_eq(vgg_data_open(&data, folder), VGG_OK);
    for (int batch = 3; batch <= 5; batch++) {
        struct vgg_loader_options options = some_options(batch, 3);
        struct vgg_loader *loader;
        struct vgg_batch got;
        options.images.skip_bad = options.repeat = options.shuffle = true;
        options.labels = map;
        cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
        int seen[COUNT] = { 0 }, total = 0;
        while (total < PASSES * (COUNT - BAD)) {
            capture_log();
            cr_assert_eq(vgg_loader_next(loader, &got), VGG_OK);
            if (logged_lines)
                cr_assert(strstr(logged, ".bmp: is not a JPEG") && strstr(logged, "left out"), "%s", logged);
            for (int i = 0; i < got.count; i++, total++) {
                int item = ((int)got.x[i * 3] - 3) / 17;
                cr_assert_eq(got.x[i * 3], 17.0f * (float)item + 3);
                cr_assert_eq(seen[item]++, (int)got.pass);
                cr_assert_eq(got.labels[i], map[items[item] - 'a'], "item %d is %d", item, got.labels[i]);
                snprintf(name, sizeof name, "%c/%02d.bmp", items[item], item);
                cr_assert_not_null(strstr(vgg_data_path(data, got.index[i]), name));
            }
        }
        vgg_loader_destroy(loader);
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* A batch of which nothing can be read, in each pass: the others go on coming. */
Test(loader, an_empty_batch_in_each_pass)
{
    char *folder;
    struct vgg_batch batch;
    struct vgg_loader *loader;
    struct vgg_data *data = open_damaged(&folder, "x.x.."); /* in order: 0x 2x | 4 1 | 3 */
    struct vgg_loader_options options = some_options(2, 2);
    options.images.skip_bad = options.repeat = true;
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    capture_log();
    for (int pass = 0; pass < 7; pass++)
        for (uint64_t number = 1; number < 3; number++) {
            cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
            cr_assert_eq(batch.number, number);
            cr_assert_eq(batch.pass, (uint64_t)pass);
            cr_assert_eq((int)batch.x[0], number == 1 ? 4 : 3);
        }
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* A stream that repeats and has nothing to give must not run for ever. */
Test(loader, nothing_readable)
{
    char *folder;
    struct vgg_batch batch;
    struct vgg_loader *loader;
    struct vgg_data *data = open_damaged(&folder, "xxxxx");
    struct vgg_loader_options options = some_options(2, 3);
    options.images.skip_bad = options.repeat = true;
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    capture_log();
    cr_assert_eq(vgg_loader_next(loader, &batch), VGG_ERR_FORMAT);
    cr_assert_not_null(strstr(logged, "no readable image"));
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* ---- the rest ---- */

Test(loader, features)
{
    float values[5 * 6], *x = values;
    for (int i = 0; i < 30; i++)
        values[i] = (float)i;
    struct vgg_data *data;
    struct vgg_loader *loader;
    struct vgg_batch batch;
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, NULL, 5, 1, 2, 3), VGG_OK);
    struct vgg_loader_options options = { .batch = 2 };
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        cr_assert_eq(batch.count, i < 2 ? 2 : 1);
        cr_assert_eq(batch.labels[0], -1);
        cr_assert_arr_eq(batch.x, values + i * 12, (size_t)batch.count * 6 * sizeof *values);
    }
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
}

Test(loader, one_item)
{
    static const float values[3] = { 5, -2, 7 };
    static const int label = 1;
    struct vgg_data *data;
    struct vgg_loader *loader;
    struct vgg_batch batch;
    cr_assert_eq(vgg_data_from_features(&data, NULL, values, &label, 1, 1, 1, 3), VGG_OK);
    struct vgg_loader_options options = { .batch = 4, .shuffle = true };
    cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
    cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
    cr_assert_eq(batch.count, 1);
    cr_assert_arr_eq(batch.x, values, sizeof values);
    vgg_loader_destroy(loader);
    vgg_data_destroy(data);
}

/* At any moment, with workers busy, waiting or not yet running. */
Test(loader, shuts_down_at_any_time)
{
    char *folder;
    struct vgg_batch batch;
    struct vgg_data *data = open_items(&folder);
    for (int round = 0; round < 60; round++) {
        struct vgg_loader *loader;
        struct vgg_loader_options options = some_options(1 + round % 7, 1 + round % 5);
        options.images.height = options.images.width = 1 + round;
        options.repeat = options.shuffle = true;
        cr_assert_eq(vgg_loader_create(&loader, data, &options), VGG_OK);
        for (int i = 0; i < round % 4; i++)
            cr_assert_eq(vgg_loader_next(loader, &batch), VGG_OK);
        if (round % 3 == 0) usleep(2000);
        vgg_loader_destroy(loader);
    }
    vgg_loader_destroy(NULL);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(loader, wrong_options)
{
    char *folder;
    struct vgg_loader *loader;
    struct vgg_data *data = open_items(&folder);
    struct vgg_loader_options options = some_options(0, 1);
    EXPECT_FAILURE(vgg_loader_create(&loader, data, &options), VGG_ERR_ARGUMENT, "batch 0");
    options = some_options(1, -1);
    EXPECT_FAILURE(vgg_loader_create(&loader, data, &options), VGG_ERR_ARGUMENT, "workers");
    options = some_options(1, 1);
    options.images.width = 0;
    EXPECT_FAILURE(vgg_loader_create(&loader, data, &options), VGG_ERR_ARGUMENT, "image size");
    cr_assert_null(loader);
    vgg_data_destroy(data);
    remove_folder(folder);
}
