/* Feature files: what each format holds, fewer items than announced, full disks. */
#include "data_files.h"

#include <cJSON.h>
#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>

#include "core/data/data.h"
#include "core/data/origin.h"
#include "core/infer/sink.h"

/* Three labelled items in classes "a,b" and "c", one of them not written. */
static struct vgg_data *open_three(const char *folder)
{
    struct vgg_data *data;
    char path[256];
    write_picture(folder, "in/a,b/one.bmp", 0, 0, 0);
    write_picture(folder, "in/c/t\"wo.bmp", 0, 0, 0);
    write_picture(folder, "in/c/z.bmp", 0, 0, 0);
    snprintf(path, sizeof path, "%s/in", folder);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    return data;
}

/* Writes items 0 and 2 of a data set of three, in two calls. */
static void write_two(const char *path, const struct vgg_data *data, int h, int w, int c)
{
    struct vgg_sink *sink;
    float x[2 * 12];
    static const size_t index[] = { 0, 2 };
    size_t item = (size_t)h * (size_t)w * (size_t)c;
    for (size_t i = 0; i < 2 * item; i++)
        x[i] = (float)i + 0.1f;
    cr_assert_eq(vgg_sink_create(&sink, path, data, h, w, c, NULL), VGG_OK);
    cr_assert_eq(vgg_sink_append(sink, x, index, 1), VGG_OK);
    cr_assert_eq(vgg_sink_append(sink, x + item, index + 1, 1), VGG_OK);
    cr_assert_eq(vgg_sink_commit(sink), VGG_OK);
}

static size_t read_file(char *text, size_t room, const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size_t n = fread(text, 1, room - 1, f);
    text[n] = '\0';
    fclose(f);
    return n;
}

Test(sink, npy)
{
    char *folder = make_folder(), path[256], text[1024], wanted[1024];
    struct vgg_data *data = open_three(folder);
    snprintf(path, sizeof path, "%s/f.npy", folder);
    write_two(path, data, 1, 2, 3);
    cr_assert_eq(read_file(text, sizeof text, folder, "f.npy"), 128 + 2 * 6 * 4);
    cr_assert_arr_eq(text, "\x93NUMPY\x01\x00\x76\x00", 10);
    cr_assert_not_null(strstr(text + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 3), }"));
    cr_assert_eq(text[127], '\n');
    float value;
    memcpy(&value, text + 128 + 7 * 4, 4);
    cr_assert_eq(value, 7.1f);
    cr_assert_eq(read_file(text, sizeof text, folder, "f.labels.npy"), 128 + 2 * 8);
    cr_assert_not_null(strstr(text + 10, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"));
    int64_t label;
    memcpy(&label, text + 128 + 8, 8);
    cr_assert_eq(label, 1);
    read_file(text, sizeof text, folder, "f.paths.txt");
    snprintf(wanted, sizeof wanted, "%s/in/a,b/one.bmp\n%s/in/c/z.bmp\n", folder, folder);
    cr_assert_str_eq(text, wanted);
    write_two(path, data, 1, 1, 6);
    read_file(text, sizeof text, folder, "f.npy");
    cr_assert_not_null(strstr(text + 10, "'shape': (2, 6), }"));
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(sink, csv)
{
    char *folder = make_folder(), path[256], text[2048], wanted[2048];
    struct vgg_data *data = open_three(folder);
    struct vgg_sink *sink;
    float x[] = { 0.1f, -2.5e-20f, 3, 16777217.0f };
    static const size_t index[] = { 1, 0 };
    snprintf(path, sizeof path, "%s/f.csv", folder);
    cr_assert_eq(vgg_sink_create(&sink, path, data, 1, 1, 2, NULL), VGG_OK);
    cr_assert_eq(vgg_sink_append(sink, x, index, 2), VGG_OK);
    cr_assert_eq(vgg_sink_commit(sink), VGG_OK);
    read_file(text, sizeof text, folder, "f.csv");
    snprintf(
        wanted, sizeof wanted,
        "path,label,f0,f1\n\"%s/in/c/t\"\"wo.bmp\",1,0.100000001,-2.49999992e-20\n\"%s/in/a,b/one.bmp\",0,3,16777216\n",
        folder, folder);
    cr_assert_str_eq(text, wanted);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(sink, safetensors_is_a_data_set_again)
{
    char *folder = make_folder(), path[256];
    struct vgg_data *data = open_three(folder), *again;
    snprintf(path, sizeof path, "%s/f.safetensors", folder);
    for (int kind = 0; kind < 3; kind++) {
        float x[6];
        struct vgg_data_shape shape;
        const struct vgg_data *like = data;
        struct vgg_data *plain = NULL;
        if (kind == 2) { /* without labels */
            cr_assert_eq(vgg_data_from_features(&plain, NULL, x, NULL, 3, 1, 1, 6), VGG_OK);
            like = plain;
        }
        write_two(path, like, kind == 0 ? 2 : 1, 1, kind == 0 ? 3 : 6);
        cr_assert_eq(vgg_data_open(&again, path), VGG_OK);
        vgg_data_shape(again, &shape);
        cr_assert(shape.features || kind == 0);
        cr_assert_eq(vgg_data_count(again), 2);
        if (kind == 1) {
            cr_assert_eq(shape.c, 6);
            cr_assert_eq(vgg_data_fetch(again, 1, NULL, NULL, 0, 0, x), VGG_OK);
            cr_assert_eq(x[5], 11.1f);
        }
        cr_assert_eq(vgg_data_class_count(again), kind == 2 ? 0 : 2);
        if (kind != 2) {
            cr_assert_str_eq(vgg_data_class_name(again, 0), "a,b");
            cr_assert_eq(vgg_data_label(again, 1), 1);
        }
        vgg_data_destroy(again);
        vgg_data_destroy(plain);
    }
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(sink, h5)
{
    char *folder = make_folder(), path[256];
    struct vgg_data *data = open_three(folder);
    snprintf(path, sizeof path, "%s/f.h5", folder);
    write_two(path, data, 2, 1, 3);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    cr_assert_geq(file, 0);
    hid_t set = H5Dopen2(file, "features", H5P_DEFAULT), space = H5Dget_space(set);
    hsize_t shape[4] = { 0 };
    cr_assert_eq(H5Sget_simple_extent_dims(space, shape, NULL), 4);
    cr_assert(shape[0] == 2 && shape[1] == 2 && shape[2] == 1 && shape[3] == 3);
    float x[12];
    cr_assert_geq(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x), 0);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(x[i], (float)i + 0.1f);
    H5Sclose(space);
    H5Dclose(set);
    int64_t labels[2];
    set = H5Dopen2(file, "labels", H5P_DEFAULT);
    cr_assert_geq(H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels), 0);
    cr_assert(labels[0] == 0 && labels[1] == 1);
    H5Dclose(set);
    char *paths[2] = { NULL, NULL };
    set = H5Dopen2(file, "paths", H5P_DEFAULT);
    hid_t type = H5Dget_type(set);
    space = H5Dget_space(set);
    cr_assert_geq(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, paths), 0);
    cr_assert_not_null(strstr(paths[1], "/c/z.bmp"));
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, paths);
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    cr_assert_gt(H5Aexists(file, "classes"), 0);
    H5Fclose(file);
    struct stat info;
    cr_assert_eq(stat(path, &info), 0);
    cr_assert_lt(info.st_size, 200000); /* nothing of the space taken beforehand is left */
    vgg_data_destroy(data);
    remove_folder(folder);
}

/* Formats without a place for the record have it beside them. */
Test(sink, record_beside)
{
    static const char *const names[] = { "f.npy", "f.csv", "f.safetensors", "f.h5" };
    static const struct vgg_origin origin = { .digest = "d1",
                                              .arch = "vgg11",
                                              .layer = "l\"a",
                                              .height = 33,
                                              .width = 44,
                                              .pooling = VGG_POOLING_MAX,
                                              .preprocess = VGG_PREPROCESS_TORCH,
                                              .resize = VGG_RESIZE_LANCZOS,
                                              .crop = VGG_CROP_NONE,
                                              .decode = VGG_DECODE_EXACT,
                                              .weights = "w",
                                              .source = "s",
                                              .decoder = "array",
                                              .precision = "fp32",
                                              .version = "1.2.3" };
    char *folder = make_folder(), path[256], text[2048];
    float x[3] = { 0 };
    size_t index = 0;
    struct vgg_data *data;
    struct vgg_sink *sink;
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, NULL, 1, 1, 1, 3), VGG_OK);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        cr_assert_eq(vgg_sink_create(&sink, path, data, 1, 1, 3, &origin), VGG_OK);
        cr_assert_eq(vgg_sink_append(sink, x, &index, 1), VGG_OK);
        cr_assert_eq(vgg_sink_commit(sink), VGG_OK);
        strcat(path, ".json");
        cr_assert_eq(access(path, F_OK) == 0, i < 2, "%s", path);
        if (i >= 2) continue;
        read_file(text, sizeof text, folder, strrchr(path, '/') + 1);
        cJSON *record = cJSON_Parse(text);
        cr_assert_eq(cJSON_GetArraySize(record), VGG_ORIGIN_PAIRS);
        cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(record, "layer")), "l\"a");
        cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(record, "width")), "44");
        cr_assert_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(record, "pooling")), "max");
        cJSON_Delete(record);
    }
    hid_t h5 = H5Fopen(strcat(strcpy(path, folder), "/f.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    cr_assert_gt(H5Aexists(h5, "resize"), 0);
    H5Fclose(h5);
    /* A record that cannot be written takes the features with it, and old ones stand. */
    snprintf(path, sizeof path, "%s/g.npy.json", folder);
    cr_assert_eq(mkdir(path, 0777), 0);
    path[strlen(path) - strlen(".json")] = '\0';
    cr_assert_eq(vgg_sink_create(&sink, path, data, 1, 1, 3, &origin), VGG_OK);
    cr_assert_eq(vgg_sink_append(sink, x, &index, 1), VGG_OK);
    EXPECT_FAILURE(vgg_sink_commit(sink), VGG_ERR_IO, "g.npy.json");
    cr_assert_neq(access(path, F_OK), 0);
    vgg_data_destroy(data);
    remove_folder(folder);
}

static int count_entries(const char *folder)
{
    char command[256];
    int n = -1;
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *pipe = popen(command, "r");
    cr_assert_eq(fscanf(pipe, "%d", &n), 1);
    pclose(pipe);
    return n;
}

/* A limit on the size of files stands for the full disk. */
static void fill_disk(const char *extension)
{
    enum { COUNT = 64, WIDTH = 4096 };
    char *folder = make_folder(), path[256];
    struct vgg_data *data;
    struct vgg_sink *sink;
    float *x = calloc(COUNT * WIDTH, sizeof *x);
    size_t index[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        index[i] = i;
    for (size_t i = 0; i < COUNT * WIDTH; i++)
        x[i] = 1.0f / (float)(i + 1);
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, NULL, COUNT, 1, 1, WIDTH), VGG_OK);
    snprintf(path, sizeof path, "%s/f%s", folder, extension);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &small);
    capture_log();
    enum vgg_status status = vgg_sink_create(&sink, path, data, 1, 1, WIDTH, NULL);
    if (status == VGG_OK) status = vgg_sink_append(sink, x, index, COUNT);
    if (status == VGG_OK) {
        status = vgg_sink_commit(sink);
    } else {
        vgg_sink_abort(sink);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    cr_assert_eq(status, VGG_ERR_IO, "status %d", status);
    cr_assert_eq(logged_lines, 1);
    cr_assert_not_null(strstr(logged, path), "%s", logged);
    cr_assert_eq(count_entries(folder), 0);
    vgg_data_destroy(data);
    free(x);
    remove_folder(folder);
}

Test(sink, full_disk_npy)
{
    fill_disk(".npy");
}

Test(sink, full_disk_csv)
{
    fill_disk(".csv");
}

Test(sink, full_disk_safetensors)
{
    fill_disk(".safetensors");
}

Test(sink, full_disk_h5)
{
    fill_disk(".h5");
}

Test(sink, abort_leaves_nothing)
{
    static const char *const extensions[] = { ".npy", ".h5", ".safetensors", ".csv" };
    char *folder = make_folder(), path[256];
    float x[3] = { 0 };
    struct vgg_data *data;
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, NULL, 1, 1, 1, 3), VGG_OK);
    for (size_t i = 0; i < 4; i++) {
        struct vgg_sink *sink;
        size_t index = 0;
        snprintf(path, sizeof path, "%s/f%s", folder, extensions[i]);
        cr_assert_eq(vgg_sink_create(&sink, path, data, 1, 1, 3, NULL), VGG_OK);
        cr_assert_eq(vgg_sink_append(sink, x, &index, 1), VGG_OK);
        EXPECT_FAILURE(vgg_sink_append(sink, x, &index, 1), VGG_ERR_ARGUMENT, "more features");
        vgg_sink_abort(sink);
        cr_assert_eq(count_entries(folder), 0);
    }
    vgg_sink_abort(NULL);
    vgg_data_destroy(data);
    remove_folder(folder);
}

Test(sink, refuses_outputs)
{
    struct vgg_sink *sink;
    struct vgg_data *data;
    float x[3] = { 0 };
    cr_assert_eq(vgg_data_from_features(&data, NULL, x, NULL, 1, 1, 1, 3), VGG_OK);
    EXPECT_FAILURE(vgg_sink_create(&sink, "/tmp/f.xyz", data, 1, 1, 3, NULL), VGG_ERR_ARGUMENT,
                   "/tmp/f.xyz: unknown kind");
    EXPECT_FAILURE(vgg_sink_create(&sink, "/absent/f.npy", data, 1, 1, 3, NULL), VGG_ERR_IO,
                   "/absent/f.npy: cannot be written");
    cr_assert_null(sink);
    vgg_data_destroy(data);
}
