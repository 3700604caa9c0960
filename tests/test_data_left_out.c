/* What a data set's folders hold beside images: how it is counted and told. */
#include "data_files.h"

#include <stdarg.h>
#include <sys/stat.h>

#include "core/data/data.h"
#include "core/data/left_out.h"
#include "core/image/image.h"

/* All lines logged at `level` or above, each with a newline. */
static char lines[16384];

static void keep_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level;
    size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%s\n", line);
}

/* Opens a folder and expects these warnings; "@" in them stands for the folder. */
static struct vgg_data *open_warned(const char *folder, const char *source, const char *expected)
{
    char path[256], wanted[8192] = "";
    struct vgg_data *data;
    snprintf(path, sizeof path, "%s%s", folder, source);
    for (const char *c = expected; *c; c++) {
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%.*s", *c == '@' ? 200 : 1, *c == '@' ? folder : c);
    }
    lines[0] = '\0';
    vgg_log_set(keep_line, NULL, VGG_LOG_WARNING);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK, "%s", lines);
    cr_expect_str_eq(lines, wanted);
    return data;
}

static void expect_warnings(const char *folder, const char *source, size_t count, const char *expected)
{
    struct vgg_data *data = open_warned(folder, source, expected);
    cr_expect_eq(vgg_data_count(data), count);
    vgg_data_destroy(data);
}

static void expect_refusal(const char *folder, const char *source, const char *format, ...)
{
    char path[256], wanted[1024];
    struct vgg_data *data;
    va_list args;
    va_start(args, format);
    vsnprintf(wanted, sizeof wanted, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s%s", folder, source);
    EXPECT_FAILURE(vgg_data_open(&data, path), VGG_ERR_MISSING, wanted);
}

static void write_some(const char *folder, const char *format, int first, int count)
{
    char name[64];
    for (int i = first; i < first + count; i++) {
        snprintf(name, sizeof name, format, i);
        if (strstr(name, ".bmp")) {
            write_picture(folder, name, i, 0, 0);
        } else {
            write_file(folder, name, "x", 1);
        }
    }
}

Test(data_left_out, kinds)
{
    char *folder = make_folder();
    write_some(folder, "dog/%d.bmp", 0, 3);
    write_some(folder, "dog/w%d.xcf", 0, 4);
    write_some(folder, "dog/W%d.Xcf", 4, 2);
    write_some(folder, "dog/phone%d.heic", 0, 1);
    write_some(folder, "dog/plain%d", 0, 1);
    write_some(folder, "dog/puppies/%d.bmp", 0, 4);
    write_some(folder, "dog/puppies/small/%d.bmp", 0, 1);
    write_some(folder, "dog/empty/.%d.bmp", 0, 1);
    write_some(folder, "dog/.hidden%d.xcf", 0, 7);
    write_some(folder, "dog/.cache/%d.bmp", 0, 7);
    write_some(folder, "cat/%d.bmp", 0, 2);
    expect_warnings(folder, "", 10, "@/dog: left out: 6 .xcf, 1 .heic, 1 without suffix\n");
    /* Nothing of the other class is in a line of this one; a folder without labels tells the same. */
    write_some(folder, "cat/t%d.tga", 0, 2);
    write_some(folder, "cat/a%d.eps", 0, 2);
    write_some(folder, "cat/sub/%d.bmp", 0, 1);
    expect_warnings(folder, "//", 11,
                    "@/cat: left out: 2 .eps, 2 .tga\n"
                    "@/dog: left out: 6 .xcf, 1 .heic, 1 without suffix\n");
    write_some(folder, "flat/%d.bmp", 0, 2);
    write_some(folder, "flat/%d.avif", 0, 1);
    expect_warnings(folder, "/flat", 2, "@/flat: left out: 1 .avif\n");
    remove_folder(folder);
}

Test(data_left_out, suffixes)
{
    static const char *const names[] = { "a.",       "b.verylongsuffix", "c.two words", "d.jpg_large",
                                         "e.tar.gz", "f.\x1b[m",         "g.jpg~",      "thirteen.abcdefghijklm" };
    char *folder = make_folder(), name[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "in/%s", names[i]);
        write_file(folder, name, "x", 1);
    }
    write_file(folder, "in/h.abcdefghijkl", "x", 1);
    write_picture(folder, "in/0.bmp", 0, 0, 0);
    expect_warnings(folder, "/in", 1,
                    "@/in: left out: 5 without suffix, 1 .abcdefghijkl, 1 .gz, 1 .jpg_large, 1 .jpg~\n");
    remove_folder(folder);
}

Test(data_left_out, long_tails)
{
    char *folder = make_folder(), name[64];
    write_picture(folder, "in/0.bmp", 0, 0, 0);
    for (int kind = 0; kind < 13; kind++) {
        snprintf(name, sizeof name, "in/%%d.k%c", 'a' + kind);
        write_some(folder, name, 0, kind == 12 ? 3 : kind < 7 ? 2 : 1);
        if (kind == 7)
            expect_warnings(folder, "/in", 1,
                            "@/in: left out: 2 .ka, 2 .kb, 2 .kc, 2 .kd, 2 .ke, 2 .kf, and 3 of 2 other kinds\n");
        if (kind == 6)
            expect_warnings(folder, "/in", 1, "@/in: left out: 2 .ka, 2 .kb, 2 .kc, 2 .kd, 2 .ke, 2 .kf, 2 .kg\n");
    }
    expect_warnings(folder, "/in", 1,
                    "@/in: left out: 3 .km, 2 .ka, 2 .kb, 2 .kc, 2 .kd, 2 .ke, and 9 of 7 other kinds\n");
    for (int kind = 0; kind < 60; kind++) {
        snprintf(name, sizeof name, "in/%%d.l%d", kind);
        write_some(folder, name, 0, 1);
    }
    lines[0] = '\0';
    struct vgg_data *data;
    snprintf(name, sizeof name, "%s/in", folder);
    cr_assert_eq(vgg_data_open(&data, name), VGG_OK);
    vgg_data_destroy(data);
    /* 22 + 60 files, of them some named; those of kinds beyond 64 depend on the folder's order. */
    cr_expect_not_null(strstr(lines, " of more than 58 other kinds\n"), "%s", lines);
    size_t named = 0, rest = 0;
    for (const char *at = strstr(lines, "out: ") + 5; *at >= '0' && *at <= '9'; at = strchr(at, ',') + 2)
        named += strtoul(at, NULL, 10);
    cr_assert_eq(sscanf(strstr(lines, "and "), "and %zu", &rest), 1);
    cr_expect_eq(named + rest, 22u + 60, "%s", lines);
    remove_folder(folder);
}

/* A normal data set is silent. */
Test(data_left_out, companions)
{
    static const char *const names[] = { "a/labels.TXT", "a/Thumbs.db", "a/desktop.ini", "a/boxes.json",
                                         "b/notes.md",   "table.csv",   "README",        "license",
                                         ".DS_Store",    "a/.DS_Store", "b/x/y/1.xml",   "a/IMG.AAE" };
    char *folder = make_folder();
    write_some(folder, "a/%d.bmp", 0, 1);
    write_some(folder, "b/%d.bmp", 0, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        write_file(folder, names[i], "x", 1);
    expect_warnings(folder, "", 2, "");
    /* Beside something that may be a picture they are counted, too; and so are pictures of other kinds deeper. */
    write_some(folder, "a/%d.xcf", 0, 1);
    write_some(folder, "b/x/%d.xcf", 0, 1);
    expect_warnings(folder, "", 2,
                    "@/a: left out: 1 .aae, 1 .db, 1 .ini, 1 .json, 1 .txt, 1 .xcf\n"
                    "@/b: left out: 1 .md, 1 .xcf, 1 .xml\n");
    remove_folder(folder);
}

Test(data_left_out, beside_class_folders)
{
    char *folder = make_folder();
    write_some(folder, "a/%d.bmp", 0, 2);
    write_some(folder, "%d.bmp", 0, 3);
    expect_warnings(folder, "", 2, "@: left out: 3 images beside the class folders\n");
    write_some(folder, "%d.tga", 0, 4);
    expect_warnings(folder, "", 2, "@: left out: 3 images beside the class folders, 4 .tga\n");
    remove_folder(folder);
}

/* Ten lines, then one for all others. */
Test(data_left_out, many_classes)
{
    char *folder = make_folder(), name[64], expected[2048] = "";
    for (int i = 0; i < 14; i++) {
        snprintf(name, sizeof name, "c%02d/%%d.bmp", i);
        write_some(folder, name, 0, 1);
        snprintf(name, sizeof name, "c%02d/%%d.xcf", i);
        write_some(folder, name, 0, i == 3 ? 0 : i + 1);
        if (i != 3 && i < 10) snprintf(expected + strlen(expected), 64, "@/c%02d: left out: %d .xcf\n", i, i + 1);
        if (i == 9) expect_warnings(folder, "", 10, expected);
    }
    snprintf(expected + strlen(expected), 64, "@/c10: left out: 11 .xcf\n");
    write_some(folder, "c12/%d.eps", 0, 40);
    write_some(folder, "c13/sub/%d.bmp", 0, 4);
    write_some(folder, "c12/sub/%d.bmp", 0, 1);
    strcat(expected, "@: left out in 3 more folders: 40 .eps, 39 .xcf\n");
    expect_warnings(folder, "", 19, expected);
    remove_folder(folder);
}

/* ---- folders below a class ---- */

static void expect_paths_warned(const char *folder, const char *const *names, const int *labels, size_t count,
                                const char *warnings)
{
    struct vgg_data *data = open_warned(folder, "", warnings);
    cr_assert_eq(vgg_data_count(data), count);
    for (size_t i = 0; i < count; i++) {
        cr_expect_str_eq(vgg_data_path(data, i) + strlen(folder) + 1, names[i]);
        cr_expect_eq(vgg_data_label(data, i), labels[i], "%s", names[i]);
    }
    vgg_data_destroy(data);
}

static void expect_paths(const char *folder, const char *const *names, const int *labels, size_t count)
{
    expect_paths_warned(folder, names, labels, count, "");
}

/* The order is that of sorted(os.walk(...)): by folder as text, so that "a-b" comes before "a/b". */
Test(data_left_out, deeper)
{
    static const char *const files[] = { "cat/z.bmp",        "dog/kinds/b/2.bmp", "dog/kinds/a/3.bmp",
                                         "dog/kinds-/4.bmp", "dog/kinds/x.bmp",   "dog/5.bmp",
                                         "dog/.git/6.bmp",   "dog/kinds/.7.bmp",  "eel/a/b/c/d/e/8.bmp" };
    static const char *const names[] = { "cat/z.bmp",          "dog/5.bmp",         "dog/kinds/x.bmp",
                                         "dog/kinds-/4.bmp",   "dog/kinds/a/3.bmp", "dog/kinds/b/2.bmp",
                                         "eel/a/b/c/d/e/8.bmp" };
    static const int labels[] = { 0, 1, 1, 1, 1, 1, 2 };
    char *folder = make_folder();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        write_picture(folder, files[i], (int)i, 0, 0);
    expect_paths(folder, names, labels, sizeof names / sizeof *names);
    remove_folder(folder);
}

/* Links to folders are followed, but not in circles, nor up the tree, nor to another class; a folder is entered once.
 */
Test(data_left_out, links)
{
    static const char *const names[] = { "a/0.bmp", "a/sub/1.bmp", "b/more/2.bmp", "c/3.bmp" };
    static const char *const links[][2] = {
        { "..", "a/sub/loop" },   { "../sub", "a/sub/self" }, { "../../away", "b/more" }, { "../../away", "b/twice" },
        { "../..", "a/sub/top" }, { "../c", "a/other" },      { "../a/sub", "b/sub" },
    };
    static const int labels[] = { 0, 0, 1, 2 };
    char *folder = make_folder(), path[256];
    write_picture(folder, "in/a/0.bmp", 0, 0, 0);
    write_picture(folder, "in/a/sub/1.bmp", 1, 0, 0);
    write_picture(folder, "in/c/3.bmp", 3, 0, 0);
    write_picture(folder, "away/2.bmp", 2, 0, 0);
    snprintf(path, sizeof path, "%s/in/b", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(path, sizeof path, "%s/in/%s", folder, links[i][1]);
        cr_assert_eq(symlink(links[i][0], path), 0);
    }
    snprintf(path, sizeof path, "%s/in", folder);
    expect_paths_warned(path, names, labels, 4,
                        "@: 6 links to folders that are read already, as @/a/other, are passed over\n");
    remove_folder(folder);
}

Test(data_left_out, one_link)
{
    static const char *const names[] = { "a/0.bmp", "b/1.bmp" };
    static const int labels[] = { 0, 1 };
    char *folder = make_folder(), path[256];
    write_picture(folder, "a/0.bmp", 0, 0, 0);
    write_picture(folder, "b/1.bmp", 1, 0, 0);
    snprintf(path, sizeof path, "%s/b/up", folder);
    cr_assert_eq(symlink("..", path), 0);
    expect_paths_warned(folder, names, labels, 2,
                        "@: 1 link to folders that are read already, as @/b/up, is passed over\n");
    /* A class that is another, or the data set itself. */
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/c", folder);
        cr_assert_eq(symlink(i ? "a" : ".", path), 0);
        EXPECT_FAILURE(vgg_data_open(&(struct vgg_data *) { NULL }, folder), VGG_ERR_FORMAT,
                       "/c: is a link to the data set itself or to the folder of another class");
        cr_assert_eq(unlink(path), 0);
    }
    remove_folder(folder);
}

Test(data_left_out, no_images)
{
    char *folder = make_folder();
    write_some(folder, "xcf/ant/%d.xcf", 0, 3);
    write_some(folder, "xcf/bee/%d.bmp", 0, 3);
    expect_refusal(
        folder, "/xcf",
        "/ant: class folder without images (.jpg .jpeg .jfif .jpe .jfi .png .bmp .gif .webp .tif .tiff), only 3 "
        ".xcf; add some or remove the folder");
    expect_refusal(folder, "/xcf/ant",
                   "/ant: holds neither class folders nor images (.jpg .jpeg .jfif .jpe .jfi .png .bmp .gif .webp .tif "
                   ".tiff), only 3 .xcf; give one");
    remove_folder(folder);
}

Test(data_left_out, parents_of_data)
{
    char *folder = make_folder();
    write_some(folder, "a/training/cat/%d.bmp", 0, 5);
    expect_refusal(folder, "/a",
                   "%s/a: looks like the parent of data sets: %s/a/training holds images in its subfolders alone; give "
                   "%s/a/training instead",
                   folder, folder, folder);
    write_some(folder, "a/validation/cat/%d.bmp", 0, 2);
    expect_refusal(folder, "/a", "; give %s/a/training or %s/a/validation instead", folder, folder);
    write_some(folder, "a/test/dog/%d.bmp", 0, 2);
    write_some(folder, "a/test/album.jpg/%d.bmp", 0, 1);
    expect_refusal(folder, "/a//", "; give %s/a/test, %s/a/training or %s/a/validation instead", folder, folder,
                   folder);
    /* One part that has a class in common with a folder of another name; one folder alone with classes. */
    write_some(folder, "b/extra/cat/%d.bmp", 0, 1);
    write_some(folder, "b/train/cat/%d.bmp", 0, 1);
    expect_refusal(folder, "/b", "; give %s/b/extra or %s/b/train instead", folder, folder);
    write_some(folder, "c/pets/cat/%d.bmp", 0, 1);
    write_some(folder, "c/pets/dog/%d.bmp", 0, 1);
    expect_refusal(folder, "/c", "; give %s/c/pets instead", folder);
    /* Classes: a locomotive beside a car, kinds of pets, and what has a picture of its own. */
    write_some(folder, "d/train/steam/%d.bmp", 0, 2);
    write_some(folder, "d/car/red/%d.bmp", 0, 3);
    expect_warnings(folder, "/d", 5, "");
    write_some(folder, "e/cat/tabby/%d.bmp", 0, 1);
    write_some(folder, "e/dog/pug/%d.bmp", 0, 1);
    expect_warnings(folder, "/e", 2, "");
    write_some(folder, "b/zoo/%d.bmp", 0, 1);
    expect_warnings(folder, "/b", 3, "");
    remove_folder(folder);
}

/* ---- names of JPEG ---- */

Test(data_left_out, jpeg_by_other_names)
{
    static const char *const names[] = { "b.jfif", "c.JPE", "d.jfi", "e.jpeg" };
    char *folder = make_folder(), command[512], path[256];
    snprintf(command, sizeof command, "cp images/subsampled.jpg %s/a.jpg", folder);
    cr_assert_eq(system(command), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(command, sizeof command, "cp %s/a.jpg %s/%s", folder, folder, names[i]);
        cr_assert_eq(system(command), 0);
    }
    struct vgg_data *data = open_warned(folder, "", "");
    const struct vgg_image_options options = { .height = 9, .width = 7, .preprocess = VGG_PREPROCESS_NONE };
    float first[9 * 7 * 3], x[9 * 7 * 3];
    cr_assert_eq(vgg_data_count(data), 5);
    cr_assert_eq(vgg_data_fetch(data, 0, &options, NULL, 0, 0, first), VGG_OK);
    for (size_t i = 1; i < 5; i++) {
        cr_assert_eq(vgg_data_fetch(data, i, &options, NULL, 0, 0, x), VGG_OK);
        cr_expect_arr_eq(x, first, sizeof x);
    }
    vgg_data_destroy(data);
    snprintf(path, sizeof path, "%s/b.jfif", folder);
    cr_assert_eq(vgg_data_open(&data, path), VGG_OK);
    cr_assert_eq(vgg_data_count(data), 1);
    vgg_data_destroy(data);
    /* No suffix of an image: part of one, a folder's, a hidden name. */
    static const char *const others[] = { "x.jp", "x.jpgx", "jpg", ".jpg", "a.jpg/b", "x.j", "x. ", "a/.jpg" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_eq(vgg_image_is_name(others[i]), false, "%s", others[i]);
    remove_folder(folder);
}
