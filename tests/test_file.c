/* Outputs that appear whole or not at all, and nowhere else. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "data_files.h"

static char *folder;

static void set_up(void)
{
    folder = make_folder();
}

static void tear_down(void)
{
    remove_folder(folder);
}

TestSuite(file, .init = set_up, .fini = tear_down, .timeout = 30);

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    char *to = path[next++ % 4];
    snprintf(to, sizeof *path, "%s/%s", folder, name);
    return to;
}

static void expect_content(const char *name, const char *text)
{
    char got[256] = "";
    FILE *f = fopen(in_folder(name), "rb");
    cr_assert(f, "%s is missing", name);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    fclose(f);
    cr_expect_str_eq(got, text);
}

static enum vgg_status write_text(const char *name, const char *text)
{
    struct vgg_file *file;
    enum vgg_status status = vgg_file_create(&file, in_folder(name));
    if (status == VGG_OK) status = vgg_file_printf(file, "%s", text);
    return status == VGG_OK ? vgg_file_commit(file) : status;
}

static int entries(void)
{
    char command[600], line[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", folder);
    FILE *f = popen(command, "r");
    cr_assert(f && fgets(line, sizeof line, f));
    pclose(f);
    return atoi(line);
}

Test(file, a_planted_link_is_not_followed)
{
    struct stat info;
    char link[512];
    write_file(folder, "victim.txt", "precious", 8);
    for (int i = 0; i < 16; i++) { /* every name that can be guessed */
        snprintf(link, sizeof link, "%s/o.txt.tmp.vgg16-%x", folder, i);
        cr_assert_eq(symlink("victim.txt", link), 0);
    }
    cr_assert_eq(write_text("o.txt", "new"), VGG_OK);
    expect_content("o.txt", "new");
    expect_content("victim.txt", "precious");
    cr_assert_eq(lstat(in_folder("o.txt"), &info), 0);
    cr_expect(S_ISREG(info.st_mode));
    cr_expect_eq(entries(), 18);
}

/* Starts a process that writes to a file and waits; *ready tells when it has begun. Killed by the caller. */
static pid_t start_writer(const char *name)
{
    int ready[2];
    char byte = 0;
    cr_assert_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* where the test ends before it kills */
        struct vgg_file *file;
        bool good = vgg_file_create(&file, in_folder(name)) == VGG_OK && vgg_file_printf(file, "half of") == VGG_OK &&
                    vgg_file_sync(file) == VGG_OK && write(ready[1], &byte, 1) == 1;
        while (good)
            pause();
        _exit(1);
    }
    cr_assert(child > 0 && read(ready[0], &byte, 1) == 1);
    close(ready[0]), close(ready[1]);
    return child;
}

Test(file, what_a_killed_writer_left_goes_and_a_living_ones_stays)
{
    pid_t first = start_writer("o.txt"), second = start_writer("o.txt"), other = start_writer("p.txt");
    cr_expect_eq(entries(), 3);
    cr_assert_eq(write_text("o.txt", "new"), VGG_OK);
    cr_expect_eq(entries(), 4, "nothing of a living process goes");
    expect_content("o.txt.tmp.vgg16-0", "half of");
    expect_content("o.txt.tmp.vgg16-1", "half of");
    cr_assert(kill(first, SIGKILL) == 0 && waitpid(first, NULL, 0) == first);
    cr_assert(kill(other, SIGKILL) == 0 && waitpid(other, NULL, 0) == other);
    cr_assert_eq(write_text("o.txt", "newer"), VGG_OK);
    expect_content("o.txt", "newer");
    expect_content("o.txt.tmp.vgg16-1", "half of");
    cr_expect_eq(access(in_folder("o.txt.tmp.vgg16-0"), F_OK), -1);
    expect_content("p.txt.tmp.vgg16-0", "half of");
    cr_assert(kill(second, SIGKILL) == 0 && waitpid(second, NULL, 0) == second);
    cr_assert_eq(write_text("p.txt", "of p"), VGG_OK);
    cr_expect_eq(entries(), 3);
}

Test(file, only_own_names_are_taken_for_files_written_aside)
{
    cr_expect_eq(vgg_file_aside("o.npy.tmp.vgg16-0"), 5u);
    cr_expect_eq(vgg_file_aside("o.npy.tmp.vgg16-8f"), 5u);
    cr_expect_eq(vgg_file_aside("a.tmp.vgg16-0.tmp.vgg16-3"), 13u);
    static const char *const others[] = { "o.npy", "o.npy.tmp.0", "o.npy.tmp.vgg16-", "o.npy.tmp.vgg16-0.txt",
                                          "o.tmp.vgg16-0 (copy)" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_eq(vgg_file_aside(others[i]), 0u, "%s", others[i]);
}

Test(file, two_writers_of_one_path_do_not_meet)
{
    struct vgg_file *a, *b;
    write_file(folder, "o.txt", "old", 3);
    cr_assert_eq(vgg_file_create(&a, in_folder("o.txt")), VGG_OK);
    cr_assert_eq(vgg_file_create(&b, in_folder("o.txt")), VGG_OK);
    cr_expect_str_neq(vgg_file_temporary(a), vgg_file_temporary(b));
    cr_assert_eq(vgg_file_printf(a, "of a, which is longer"), VGG_OK);
    cr_assert_eq(vgg_file_printf(b, "of b"), VGG_OK);
    cr_assert_eq(vgg_file_commit(a), VGG_OK);
    expect_content("o.txt", "of a, which is longer");
    cr_assert_eq(vgg_file_commit(b), VGG_OK);
    expect_content("o.txt", "of b");
    cr_expect_eq(entries(), 1);
}

Test(file, aborted_it_leaves_the_old_one)
{
    struct vgg_file *file;
    write_file(folder, "o.txt", "old", 3);
    cr_assert_eq(vgg_file_create(&file, in_folder("o.txt")), VGG_OK);
    cr_assert_eq(vgg_file_printf(file, "new"), VGG_OK);
    cr_expect_eq(entries(), 2);
    vgg_file_abort(file);
    expect_content("o.txt", "old");
    cr_expect_eq(entries(), 1);
}

Test(file, permissions_are_those_of_any_new_file)
{
    struct stat info;
    umask(027);
    cr_assert_eq(write_text("o.txt", "new"), VGG_OK);
    cr_assert_eq(stat(in_folder("o.txt"), &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0640);
}

static void *read_pipe(void *user)
{
    char *text = user;
    int fd = open(in_folder("pipe"), O_RDONLY);
    ssize_t n = read(fd, text, 63);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return NULL;
}

Test(file, a_pipe_is_written_directly_where_that_is_asked_for)
{
    struct vgg_file *file;
    char text[64] = "";
    pthread_t reader;
    cr_assert_eq(mkfifo(in_folder("pipe"), 0600), 0);
    EXPECT_FAILURE(vgg_file_create(&file, in_folder("pipe")), VGG_ERR_IO, "is no regular file and would be replaced");
    cr_assert_eq(pthread_create(&reader, NULL, read_pipe, text), 0);
    cr_assert_eq(vgg_file_create_or_stream(&file, in_folder("pipe")), VGG_OK);
    cr_assert_eq(vgg_file_field(file, "a \"b\", c"), VGG_OK);
    cr_assert_eq(vgg_file_commit(file), VGG_OK);
    cr_assert_eq(pthread_join(reader, NULL), 0);
    cr_expect_str_eq(text, "\"a \"\"b\"\", c\"");
    cr_expect_eq(entries(), 1);
}

Test(file, links_stay_and_what_they_lead_to_is_replaced)
{
    struct stat info;
    write_file(folder, "real/o.txt", "old", 3);
    cr_assert_eq(symlink("real/o.txt", in_folder("first")), 0);
    cr_assert_eq(symlink("first", in_folder("second")), 0);
    cr_assert_eq(symlink("real/new.txt", in_folder("dangling")), 0);
    cr_assert_eq(write_text("second", "new"), VGG_OK);
    cr_assert_eq(write_text("dangling", "made"), VGG_OK);
    expect_content("real/o.txt", "new");
    expect_content("real/new.txt", "made");
    static const char *const links[] = { "first", "second", "dangling" };
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(lstat(in_folder(links[i]), &info), 0);
        cr_expect(S_ISLNK(info.st_mode), "%s is no link any more", links[i]);
    }
    cr_assert_eq(symlink("circle", in_folder("circle")), 0);
    EXPECT_FAILURE(write_text("circle", "new"), VGG_ERR_IO, "its links lead nowhere");
    cr_expect_eq(entries(), 5);
}

Test(file, an_own_descriptor_is_written_to_and_never_replaced)
{
    struct vgg_file *file;
    struct stat info;
    char path[64];
    int fd = open(in_folder("redirected.txt"), O_RDWR | O_CREAT, 0600);
    cr_assert_eq(write(fd, "before ", 7), 7);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    cr_assert_eq(symlink(path, in_folder("out")), 0);
    EXPECT_FAILURE(vgg_file_create(&file, in_folder("out")), VGG_ERR_IO, "is no regular file and would be replaced");
    cr_assert_eq(vgg_file_create_or_stream(&file, in_folder("out")), VGG_OK);
    cr_assert_eq(vgg_file_printf(file, "inside "), VGG_OK);
    cr_assert_eq(vgg_file_commit(file), VGG_OK);
    cr_assert_eq(write(fd, "after", 5), 5);
    close(fd);
    expect_content("redirected.txt", "before inside after");
    cr_assert_eq(lstat(in_folder("out"), &info), 0);
    cr_expect(S_ISLNK(info.st_mode));
    cr_expect_eq(entries(), 2);
}

static sigjmp_buf back;
static char fault[600];

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    const char *path = vgg_mapped_file(info->si_addr);
    snprintf(fault, sizeof fault, "%s", path ? path : "none");
    siglongjmp(back, 1);
}

Test(file, the_mapping_that_a_fault_lies_in_has_a_name)
{
    enum { SIZE = 5 << 14 };
    static char bytes[SIZE];
    const void *a, *b;
    size_t size;
    write_file(folder, "a.bin", bytes, SIZE), write_file(folder, "b.bin", bytes, SIZE);
    cr_assert_eq(vgg_file_map(&a, &size, in_folder("a.bin")), VGG_OK);
    cr_assert_eq(vgg_file_map(&b, &size, in_folder("b.bin")), VGG_OK);
    cr_assert_eq(size, (size_t)SIZE);
    for (int i = 0; i < 200; i++) { /* more than are told apart, but never at once */
        const void *other;
        cr_assert_eq(vgg_file_map(&other, &size, in_folder("a.bin")), VGG_OK);
        vgg_file_unmap(other, size);
        cr_expect_null(vgg_mapped_file(other));
    }
    cr_expect_str_eq(vgg_mapped_file(a), in_folder("a.bin"));
    cr_expect_str_eq(vgg_mapped_file((const char *)b + SIZE - 1), in_folder("b.bin"));
    cr_expect_null(vgg_mapped_file(bytes));
    struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
    cr_assert_eq(sigaction(SIGBUS, &action, NULL), 0);
    cr_assert_eq(truncate(in_folder("b.bin"), 4096), 0);
    if (sigsetjmp(back, 1) == 0) {
        cr_expect_eq(((const volatile char *)b)[SIZE - 7], 0);
        cr_expect_fail("nothing faulted");
    }
    cr_expect_str_eq(fault, in_folder("b.bin"));
    vgg_file_unmap(b, size);
    cr_expect_null(vgg_mapped_file(b));
    vgg_file_unmap(a, size);
}
