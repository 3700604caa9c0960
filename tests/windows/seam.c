/* seam.c: what the seam promises, on Windows itself: seam.exe FOLDER DLL, an empty one, and the library's, beside which
 * are those that it opens. */
#include <windows.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/file.h"
#include "core/base/os.h"
#include "core/base/os_windows.h"

static int failures;

#define CHECK_THAT(what)                                                           \
    do {                                                                           \
        if (!(what)) {                                                             \
            failures++;                                                            \
            fprintf(stderr, "seam.c:%d: %s (errno %d)\n", __LINE__, #what, errno); \
        }                                                                          \
    } while (0)

static bool write_file(const char *path, const char *text)
{
    struct vgg_file *file;
    if (vgg_file_create(&file, path) != VGG_OK) return false;
    if (vgg_file_write(file, text, strlen(text)) == VGG_OK) return vgg_file_commit(file) == VGG_OK;
    vgg_file_abort(file);
    return false;
}

static bool holds(const char *path, const char *text)
{
    const void *data;
    size_t size;
    if (vgg_file_map(&data, &size, path) != VGG_OK) return false;
    bool same = size == strlen(text) && memcmp(data, text, size) == 0;
    vgg_file_unmap(data, size);
    return same;
}

static void replaces_open_files(void)
{
    static const char path[] = "заміна.txt";
    char byte;
    struct vgg_os_info before, after;
    CHECK_THAT(write_file(path, "first"));
    int reader = vgg_os_open(path);
    CHECK_THAT(reader >= 0 && vgg_os_look_open(&before, reader) && before.size == 5);
    CHECK_THAT(write_file(path, "second text"));
    CHECK_THAT(holds(path, "second text"));
    CHECK_THAT(vgg_os_read_at(reader, &byte, 1, 3) && byte == 's'); /* of the old one */
    CHECK_THAT(vgg_os_look(&after, path) && after.size == 11 && after.number != before.number);
    errno = 1;
    CHECK_THAT(!vgg_os_read_at(reader, &byte, 1, 5) && errno == 0);
    vgg_os_close(reader);
    CHECK_THAT(vgg_os_remove(path) && !vgg_os_look(&after, path) && errno == ENOENT);
    CHECK_THAT(!vgg_os_remove(path));
}

static void claims_and_locks(void)
{
    int lock, other;
    char holder[VGG_OS_HOLDER], own[VGG_OS_HOLDER];
    FILE *stream = vgg_os_create("aside");
    CHECK_THAT(stream && !vgg_os_create("aside") && errno == EEXIST);
    CHECK_THAT(vgg_os_claim(&lock, stream, "aside") && lock >= 0);
    CHECK_THAT(!vgg_os_remove_abandoned("aside"));
    CHECK_THAT(fwrite("text", 1, 4, stream) == 4 && fflush(stream) == 0 && vgg_os_sync(stream));
    CHECK_THAT(vgg_os_seek(stream, 1) && fwrite("E", 1, 1, stream) == 1 && vgg_os_seek_end(stream) == 4);
    fclose(stream);
    CHECK_THAT(!vgg_os_remove_abandoned("aside")); /* the lock outlives the stream */
    CHECK_THAT(vgg_os_replace("aside", "named") && holds("named", "tExt"));
    vgg_os_unlock(lock);
    CHECK_THAT(vgg_os_cut("named", 2) && holds("named", "tE"));
    CHECK_THAT(vgg_os_reserve("named", 5000));
    struct vgg_os_info info;
    CHECK_THAT(vgg_os_look(&info, "named") && info.size == 5000 && info.kind == VGG_OS_FILE);
    CHECK_THAT(vgg_os_reserve("named", 10) && vgg_os_look(&info, "named") && info.size == 5000);
    CHECK_THAT(vgg_os_remove_abandoned("named") && !vgg_os_look(&info, "named"));

    snprintf(own, sizeof own, "%ld", vgg_os_process());
    CHECK_THAT(vgg_os_lock(&lock, holder, "lock") == VGG_OS_LOCK_HELD && lock >= 0);
    CHECK_THAT(vgg_os_lock(&other, holder, "lock") == VGG_OS_LOCK_TAKEN && other < 0 && strcmp(holder, own) == 0);
    vgg_os_unlock(lock);
    CHECK_THAT(vgg_os_lock(&lock, holder, "lock") == VGG_OS_LOCK_HELD);
    vgg_os_unlock(lock);
    CHECK_THAT(vgg_os_lock(&lock, holder, "none/lock") == VGG_OS_LOCK_FAILED && errno == ENOENT);
}

/* Deeper than the 260 characters that a path may have otherwise. */
static void long_paths(void)
{
    char path[1200] = "тека";
    for (int i = 0; i < 12; i++)
        snprintf(path + strlen(path), sizeof path - strlen(path), "/folder-number-%d-of-a-long-path", i);
    CHECK_THAT(vgg_file_mkdirs(path) == VGG_OK && vgg_file_mkdirs(path) == VGG_OK);
    size_t folder = strlen(path);
    snprintf(path + folder, sizeof path - folder, "/ім'я.txt");
    CHECK_THAT(write_file(path, "deep") && holds(path, "deep"));
    path[folder] = '\0';
    struct vgg_os_folder *open_one = vgg_os_folder_open(path);
    struct vgg_os_entry entry;
    CHECK_THAT(open_one && vgg_os_folder_next(open_one, &entry) && strcmp(entry.name, "ім'я.txt") == 0 &&
               entry.kind == VGG_OS_FILE);
    CHECK_THAT(open_one && !vgg_os_folder_next(open_one, &entry) && errno == 0);
    vgg_os_folder_close(open_one);
    CHECK_THAT(!vgg_os_folder_open("nowhere") && errno == ENOENT);
    open_one = vgg_os_folder_open(".");
    bool found = false;
    while (open_one && vgg_os_folder_next(open_one, &entry))
        found |= strcmp(entry.name, "тека") == 0 && entry.kind == VGG_OS_FOLDER;
    CHECK_THAT(found);
    vgg_os_folder_close(open_one);
    bool made;
    CHECK_THAT(vgg_os_make_folder(&made, "C:") && !made);
    CHECK_THAT(vgg_os_make_folder(&made, "тека") && !made);
    CHECK_THAT(!vgg_os_make_folder(&made, "no/such") && errno == ENOENT);
    CHECK_THAT(!vgg_os_fopen("\xff.txt", "rb") && errno == EILSEQ);
    CHECK_THAT(vgg_os_is_absolute("C:/x") && vgg_os_is_absolute("//host/x") && !vgg_os_is_absolute("x/C:"));
}

static void streams(void)
{
    char *text = NULL;
    size_t room = 0, length;
    FILE *stream = vgg_os_fopen("lines", "ab");
    CHECK_THAT(stream && fputs("one\r\n", stream) >= 0 && fclose(stream) == 0);
    stream = vgg_os_fopen("lines", "ab");
    CHECK_THAT(stream && fputs("two", stream) >= 0 && fclose(stream) == 0);
    stream = vgg_os_fopen("lines", "r");
    CHECK_THAT(stream && vgg_os_read_until(&text, &room, &length, '\n', stream) && strcmp(text, "one\r\n") == 0);
    CHECK_THAT(stream && vgg_os_read_until(&text, &room, &length, '\n', stream) && strcmp(text, "two") == 0 &&
               length == 3);
    CHECK_THAT(stream && !vgg_os_read_until(&text, &room, &length, '\n', stream));
    if (stream) fclose(stream);
    free(text);
    struct vgg_os_info info;
    CHECK_THAT(vgg_os_look(&info, "NUL") && info.kind == VGG_OS_OTHER);
    CHECK_THAT(vgg_os_is_descriptor("/dev/stdout") && vgg_os_is_descriptor("/dev/fd/12") &&
               !vgg_os_is_descriptor("/dev/fd/") && !vgg_os_is_descriptor("/dev/fd/1x"));
    char hex[129];
    CHECK_THAT(vgg_digest_file(hex, "lines", "MD5") == VGG_OK && strcmp(hex, "9d12a9835c4f0ba19f28510b3512b73b") == 0);

    CHECK_THAT(vgg_digest_sha256(hex, &(struct vgg_digest_piece) { "abc", 3 }, 1) == VGG_OK &&
               strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
}

static void machine(void)
{
    char text[256], again[256];
    double busy, stolen, begin = vgg_os_seconds();
    vgg_os_rest(0.02);
    CHECK_THAT(vgg_os_seconds() - begin > 0.01 && vgg_os_date_seconds() > 1.7e9);
    vgg_os_date(text, sizeof text, "%F %T", true);
    CHECK_THAT(strlen(text) == 19 && text[4] == '-' && text[13] == ':');
    vgg_os_date(again, sizeof again, "%Y-%m-%dT%H:%M:%SZ", true);
    CHECK_THAT(strlen(again) == 20 && strncmp(text, again, 10) == 0);
    CHECK_THAT(vgg_os_processors() >= vgg_os_affinity() && vgg_os_affinity() >= 1);
    CHECK_THAT(vgg_os_memory() > 1 << 30 && vgg_os_peak_resident() > 1 << 16 && vgg_os_process_seconds() >= 0);
    CHECK_THAT(vgg_os_machine_seconds(&busy, &stolen) && busy >= 0 && stolen == 0);
    text[0] = '\0';
    vgg_os_host(text, sizeof text);
    CHECK_THAT(text[0] != '\0');
    char *program = vgg_os_program(), *module = vgg_os_module(&failures);
    CHECK_THAT(program && module && strcmp(program, module) == 0 && strstr(program, "/seam.exe"));
    free(program);
    free(module);
    void *library = vgg_os_library_open("bcrypt.dll");
    CHECK_THAT(library && vgg_os_library_symbol(library, "BCryptGenRandom") && !vgg_os_library_symbol(library, "no"));
    CHECK_THAT(vgg_os_program_symbol("BCryptGenRandom") && !vgg_os_library_open("no-such-library.dll"));
    unsigned char *memory = vgg_os_aligned(2 << 20, 5 << 20), bytes[2][9] = { { 0 } };
    CHECK_THAT(memory && (uintptr_t)memory % (2 << 20) == 0);
    if (memory) memory[5] = 1, vgg_os_discard(memory, 5 << 20), memory[4096] = 7;
    CHECK_THAT(memory && memory[4096] == 7);
    vgg_os_aligned_free(memory);
    CHECK_THAT(vgg_os_random(bytes[0], 9) && vgg_os_random(bytes[1], 9) && memcmp(bytes[0], bytes[1], 9) != 0);
    CHECK_THAT(vgg_os_cache_folder(text, sizeof text) && !strchr(text, '\\') && vgg_os_home());
    /* Sums that two roundings get wrong: one that cancels, one a little below a tie. */
    volatile float x = 1 + 0x1p-12f, z = -1 - 0x1p-11f, one = 1 + 0x1p-23f, half = 0x1p-24f, less = 1 - 0x1p-24f;
    CHECK_THAT(fmaf(x, x, z) == 0x1p-24f);
    CHECK_THAT(fmaf(half, less, one) == one && fmaf(half, 1, one) == 1 + 0x1p-22f);
}

/* As another program does it, which lies elsewhere. */
static void opens_beside(const wchar_t *path)
{
    char name[1000];
#ifdef VGG16_ZIP
    CHECK_THAT(strncmp(vgg_zip_library(), "none", 4) == 0); /* beside this program there is none */
#endif
    void *library = vgg_os_narrow(name, sizeof name, path) ? vgg_os_library_open(name) : NULL, *symbol;
    CHECK_THAT(library);
    symbol = library ? vgg_os_library_symbol(library, "vgg_zip_library") : NULL;
    const char *(*zip_library)(void);
    memcpy(&zip_library, &symbol, sizeof symbol);
    CHECK_THAT(symbol);
#ifdef VGG16_ZIP
    CHECK_THAT(symbol && strcmp(zip_library(), "minizip") == 0);
#endif
}

int wmain(int argc, wchar_t **argv)
{
    if (argc != 3 || !SetCurrentDirectoryW(argv[1])) {
        fputs("usage: seam FOLDER DLL\n", stderr);
        return 2;
    }
    opens_beside(argv[2]);
    replaces_open_files();
    claims_and_locks();
    long_paths();
    streams();
    machine();
    return failures ? 1 : 0;
}
