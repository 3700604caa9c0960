/* data_files.h: temporary folders with small pictures, for the tests of data sets, loader and sinks. */
#ifndef TESTS_DATA_FILES_H
#define TESTS_DATA_FILES_H

#ifndef TESTS_PLAIN_H
#include <criterion/criterion.h>
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"

/* The last line logged and how many there were since capture_log. */
static char logged[1024];
static int logged_lines;

static void capture_line(void *user, enum vgg_log_level level, const char *line)
{
    (void)user, (void)level;
    snprintf(logged, sizeof logged, "%s", line);
    logged_lines++;
}

static inline void capture_log(void)
{
    logged[0] = '\0';
    logged_lines = 0;
    vgg_log_set(capture_line, NULL, VGG_LOG_WARNING);
}

/* A call that must fail with `status` and exactly one line that contains `text`. */
#define EXPECT_FAILURE(call, status, text)                                         \
    do {                                                                           \
        capture_log();                                                             \
        enum vgg_status got_ = (call);                                             \
        cr_assert_eq(got_, status, "status %d: %s", got_, logged);                 \
        cr_assert_eq(logged_lines, 1, "%d lines, last: %s", logged_lines, logged); \
        cr_assert_not_null(strstr(logged, text), "%s", logged);                    \
    } while (0)

/* A fresh folder; removed with all in it by remove_folder. */
static inline char *make_folder(void)
{
    char pattern[] = "/tmp/vgg-test-XXXXXX";
    cr_assert_not_null(mkdtemp(pattern));
    return strdup(pattern);
}

static inline void remove_folder(char *folder)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
    free(folder);
}

static inline void write_file(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f, "%s", path);
    cr_assert_eq(fwrite(data, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

/* A 2x2 BMP of one colour, by hand. */
static inline void write_picture(const char *folder, const char *name, int r, int g, int b)
{
    uint8_t bmp[54 + 16] = "BM";
    bmp[2] = sizeof bmp, bmp[10] = 54, bmp[14] = 40, bmp[18] = 2, bmp[22] = 2, bmp[26] = 1, bmp[28] = 24, bmp[34] = 16;
    for (int y = 0; y < 2; y++) {
        for (int x = 0; x < 2; x++) {
            uint8_t *at = bmp + 54 + y * 8 + x * 3; /* rows are padded to 4 bytes */
            at[0] = (uint8_t)b, at[1] = (uint8_t)g, at[2] = (uint8_t)r;
        }
    }
    write_file(folder, name, bmp, sizeof bmp);
}

#endif
