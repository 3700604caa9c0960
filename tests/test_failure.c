/* Every allocation, file operation and thread start of an end-to-end run fails once, each in its own run: the library
 * then returns a status, says why, leaves no memory, no half-written file and no temporary one. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "core/format/safetensors.h"
#include "tests/failing.h"

/* ---- the run ---- */

enum { IMAGES = 5, SIZE = 32, OUTPUTS = 5 };

static char folder[64];

static const char *in_folder(char path[160], const char *name)
{
    snprintf(path, 160, "%s/%s", folder, name);
    return path;
}

static void make_data(void)
{
    static uint8_t x[IMAGES][SIZE][SIZE][3];
    static int64_t y[IMAGES] = { 0, 1, 0, 1, 1 };
    for (size_t i = 0; i < sizeof x; i++)
        (&x[0][0][0][0])[i] = (uint8_t)(i * 2654435761u >> 24);
    struct vgg_st_tensor tensor[] = {
        { "x", VGG_DTYPE_U8, 4, { IMAGES, SIZE, SIZE, 3 }, x, sizeof x },
        { "y", VGG_DTYPE_I64, 1, { IMAGES }, y, sizeof y },
    };
    char path[160];
    cr_assert_eq(vgg_st_write(in_folder(path, "data.safetensors"), tensor, 2, NULL, 0), VGG_OK);
}

/* Everything a user does, with `trainable` as what trains; the first status that is not VGG_OK. */
static enum vgg_status run(const char *trainable)
{
    char data_path[160], model_path[160], features_path[160], checkpoint_path[160], csv_path[160];
    struct vgg_engine *engine = NULL;
    struct vgg_data *data = NULL, *maps = NULL, *rest = NULL, *held_out = NULL;
    struct vgg_model *model = NULL, *loaded = NULL;
    struct vgg_features *features = NULL;
    struct vgg_evaluation *evaluation = NULL;
    struct vgg_engine_options engine_options = { .backend = "cpu", .threads = 1 };
    struct vgg_model_options model_options = { .arch = "vgg11",
                                               .weights = "random",
                                               .last = "block1_pool",
                                               .head = "gap,dropout:0.5,dense:2:softmax",
                                               .height = SIZE,
                                               .width = SIZE };
    struct vgg_features_options features_options = { .layer = "block1_pool", .pooling = VGG_POOLING_AVG, .batch = 2 };
    struct vgg_image_options images = { .preprocess = VGG_PREPROCESS_RESCALE };
    struct vgg_train_options train = { .trainable = trainable,
                                       .images = images,
                                       .optimizer = VGG_OPTIMIZER_ADAM,
                                       .epochs = 1,
                                       .steps_per_epoch = 1,
                                       .batch = 2,
                                       .checkpoint = in_folder(checkpoint_path, "checkpoint"),
                                       .log = in_folder(csv_path, "history.csv") };
    struct vgg_evaluate_options evaluate = { .images = images, .batch = 2 };
    enum vgg_status status = vgg_engine_create(&engine, &engine_options);
    if (!status) status = vgg_data_open(&data, in_folder(data_path, "data.safetensors"));
    if (!status) status = vgg_data_split(&rest, &held_out, data, 0.4, 1);
    if (!status) status = vgg_model_create(&model, &model_options);
    if (!status) status = vgg_features_create(&features, engine, model, &features_options);
    in_folder(features_path, "features.npy");
    if (!status) status = vgg_features_extract(features, features_path, data, &images, NULL, NULL);
    in_folder(features_path, "features.safetensors");
    if (!status) status = vgg_features_extract(features, features_path, data, &images, NULL, NULL);
    if (!status) status = vgg_data_open(&maps, features_path);
    if (!status) status = vgg_evaluate(&evaluation, engine, model, maps, &evaluate);
    vgg_evaluation_destroy(evaluation);
    evaluation = NULL;
    if (!status) status = vgg_train(engine, model, rest, held_out, &train);
    if (!status) status = vgg_evaluate(&evaluation, engine, model, data, &evaluate);
    if (!status) status = vgg_model_save(model, in_folder(model_path, "model.safetensors"));
    if (!status) status = vgg_model_load(&loaded, model_path);
    vgg_evaluation_destroy(evaluation);
    vgg_features_destroy(features);
    vgg_model_destroy(loaded);
    vgg_model_destroy(model);
    vgg_data_destroy(held_out);
    vgg_data_destroy(rest);
    vgg_data_destroy(maps);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return status;
}

/* Removes what a run made; temporary files are an error. */
static void clean(const char *name, const char *where)
{
    DIR *directory = opendir(name);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[512];
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !strcmp(entry->d_name, "data.safetensors"))
            continue;
        snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        cr_expect(!strstr(entry->d_name, ".tmp"), "%s: %s is left behind", where, path);
        if (unlink(path) != 0) {
            clean(path, where);
            rmdir(path);
        }
    }
    closedir(directory);
}

static char *read_file(const char *name, size_t *size)
{
    char path[160];
    *size = 0;
    FILE *file = __real_fopen(in_folder(path, name), "rb");
    if (!file) return NULL;
    char *bytes = __real_malloc(1 << 20);
    *size = __real_fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

/* An output is absent or as it should be. */
static void check_output(const char *name, const char *want, size_t want_size, bool must, const char *where)
{
    size_t size;
    char *bytes = read_file(name, &size);
    cr_expect(bytes || !must, "%s: %s is missing", where, name);
    cr_expect(!bytes || (size == want_size && !memcmp(bytes, want, size)), "%s: %s is damaged", where, name);
    __real_free(bytes);
}

static void each_failure(bool files, const char *trainable)
{
    snprintf(folder, sizeof folder, "/tmp/vgg16-failure-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
    make_data();
    cr_assert_eq(run(trainable), VGG_OK); /* also starts the threads that stay */
    static const char *const outputs[OUTPUTS] = { "model.safetensors", "features.npy", "features.npy.json",
                                                  "features.labels.npy", "features.safetensors" };
    size_t sizes[OUTPUTS];
    char *wanted[OUTPUTS];
    for (int i = 0; i < OUTPUTS; i++)
        wanted[i] = read_file(outputs[i], &sizes[i]);
    clean(folder, "no failure");

    long k = 0, survived = 0;
    for (bool reached = true; reached;) {
        arm(++k, files);
        enum vgg_status status = run(trainable);
        state.armed = false;
        reached = state.failed != NULL;
        char where[96];
        snprintf(where, sizeof where, "call %ld (%s) fails", k, reached ? state.failed : "none");
        survived += reached && status == VGG_OK;
        if (!reached) cr_assert_eq(status, VGG_OK);
        if (status != VGG_OK) cr_expect_eq(log_lines, 1, "%s: %d lines", where, log_lines);
        cr_expect_eq(state.holding, 0u, "%s: %zu blocks are lost", where, state.holding);
        for (int i = 0; i < OUTPUTS; i++)
            check_output(outputs[i], wanted[i], sizes[i], status == VGG_OK, where);
        clean(folder, where);
    }
    printf("%ld failures of %s, %ld of them without consequence\n", k - 1, files ? "files and threads" : "memory",
           survived);
    cr_expect_gt(k, files ? 20 : 50);
    for (int i = 0; i < OUTPUTS; i++)
        __real_free(wanted[i]);
    char path[160];
    unlink(in_folder(path, "data.safetensors"));
    rmdir(folder);
}

/* Trains a head anew for `epochs` over the checkpoints in the folder, or goes on from them. */
static enum vgg_status train_in_folder(const char *folder_path, bool overwrite, float rate, int epochs)
{
    char data_path[160];
    struct vgg_engine *engine = NULL;
    struct vgg_data *data = NULL;
    struct vgg_model *model = NULL;
    struct vgg_model_options network = { .arch = "vgg11",
                                         .weights = "random",
                                         .last = "block1_pool",
                                         .head = "gap,dense:2:softmax",
                                         .height = SIZE,
                                         .width = SIZE };
    struct vgg_train_options train = { .optimizer = VGG_OPTIMIZER_ADAM,
                                       .learning_rate = rate,
                                       .images = { .preprocess = VGG_PREPROCESS_RESCALE },
                                       .epochs = epochs,
                                       .batch = 2,
                                       .checkpoint = folder_path,
                                       .resume = !overwrite,
                                       .overwrite = overwrite };
    enum vgg_status status =
        vgg_engine_create(&engine, &(struct vgg_engine_options) { .backend = "cpu", .threads = 1 });
    if (!status) status = vgg_data_open(&data, in_folder(data_path, "data.safetensors"));
    if (!status) status = vgg_model_create(&model, &network);
    if (!status) status = vgg_train(engine, model, data, NULL, &train);
    vgg_model_destroy(model);
    vgg_data_destroy(data);
    vgg_engine_destroy(engine);
    return status;
}

static bool is_there(const char *folder_path, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder_path, name);
    return access(path, F_OK) == 0;
}

/* Until the first new checkpoint is there, the old ones are, and one of the two trainings can always go on. */
Test(failure, overwriting_checkpoints)
{
    char checkpoints[160], earlier[160], copy[600];
    long k = 0, kept = 0;
    snprintf(folder, sizeof folder, "/tmp/vgg16-failure-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
    make_data();
    setenv("VK_ICD_FILENAMES", "/dev/null", 1); /* drivers take most of the time, and none is used */
    in_folder(checkpoints, "checkpoint");
    in_folder(earlier, "earlier");
    cr_assert_eq(train_in_folder(earlier, true, 0.125f, 3), VGG_OK);
    snprintf(copy, sizeof copy, "mkdir -p '%s' && cp -r '%s/.' '%s'", checkpoints, earlier, checkpoints);
    for (bool reached = true; reached;) {
        cr_assert_eq(system(copy), 0);
        arm(++k, true);
        enum vgg_status status = train_in_folder(checkpoints, true, 0.25f, 2);
        state.armed = false;
        reached = state.failed != NULL;
        bool old = is_there(checkpoints, "checkpoint-000003-00000000.safetensors"),
             new = is_there(checkpoints, "checkpoint-000001-00000000.safetensors");
        cr_expect(old != new, "call %ld (%s) fails: old %d, new %d", k, reached ? state.failed : "none", old, new);
        cr_expect(new || status != VGG_OK, "call %ld fails", k);
        cr_expect_eq(train_in_folder(checkpoints, false, old ? 0.125f : 0.25f, 4), VGG_OK, "call %ld fails", k);
        kept += old;
        clean(checkpoints, "overwriting");
    }
    cr_expect_gt(kept, 5);
    cr_expect_lt(kept, k);
    clean(earlier, "overwriting");
    clean(folder, "overwriting");
    char path[160];
    unlink(in_folder(path, "data.safetensors"));
    rmdir(folder);
}

/* Opens images listed in each way: class folders, a text file, paths, a table and a folder without their labels. */
static enum vgg_status open_lists(void)
{
    char path[160];
    const char *paths[70];
    struct vgg_data *data = NULL;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        paths[i] = "a.png";
    enum vgg_status status = vgg_data_open(&data, folder);
    vgg_data_destroy(data);
    if (!status) status = vgg_data_open(&data, in_folder(path, "a/list.txt"));
    if (!status) vgg_data_destroy(data);
    if (!status) status = vgg_data_open_images(&data, paths, sizeof paths / sizeof *paths);
    if (!status) vgg_data_destroy(data);
    for (int i = 0; i < 2 && !status; i++) {
        paths[0] = in_folder(path, i ? "a/list.csv" : ".");
        status = vgg_data_open_images(&data, paths, 1);
        if (!status) vgg_data_destroy(data);
    }
    return status;
}

Test(failure, memory_of_lists_of_images)
{
    char command[400];
    snprintf(folder, sizeof folder, "/tmp/vgg16-failure-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command,
             "cd '%s' && mkdir a b && touch b/x.png && for i in $(seq 70); do touch a/$i.png; echo $i.png; done "
             ">a/list.txt && sed s/$/,label/ a/list.txt >a/list.csv",
             folder);
    cr_assert_eq(system(command), 0);
    vgg_log_set(count_line, NULL, VGG_LOG_ERROR);
    long k = 0, spared = 0; /* spared: the note of which file a table's memory maps is done without */
    for (bool reached = true; reached;) {
        arm(++k, false);
        enum vgg_status status = open_lists();
        state.armed = false;
        reached = state.failed != NULL;
        if (reached && status == VGG_OK && ++spared == 1) continue;
        cr_expect_eq(status, reached ? VGG_ERR_MEMORY : VGG_OK, "call %ld", k);
        cr_expect_eq(log_lines, reached, "call %ld: %d lines", k, log_lines);
        cr_expect_eq(state.holding, 0u, "call %ld: %zu blocks are lost", k, state.holding);
    }
    cr_expect_gt(k, 210); /* a name each, at least */
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_expect_eq(system(command), 0);
}

Test(failure, memory_of_all_layers)
{
    each_failure(false, "all");
}

Test(failure, memory_of_the_head)
{
    each_failure(false, "head");
}

Test(failure, files)
{
    each_failure(true, "head");
}
