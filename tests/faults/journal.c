/* The journal: one record after another, each a line and, after "write", so many bytes of data.
 *
 *   create NUMBER PATH             a file that was not there; NUMBER is its inode's
 *   write NUMBER OFFSET SIZE       followed by SIZE bytes
 *   cut NUMBER SIZE
 *   sync NUMBER                    also of a folder
 *   rename PATH\tPATH, unlink PATH, mkdir PATH
 *
 * Paths are absolute. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"

/* A piece that a stream was given and has not been seen to flush. */
struct piece {
    FILE *stream;
    uint64_t offset;
    size_t size;
    char *data;
    struct piece *after;
};

static struct {
    pthread_mutex_t lock;
    bool asked;
    int file; /* -1: there is no journal */
    struct piece *first, **last;
} journal = { .lock = PTHREAD_MUTEX_INITIALIZER, .file = -1 };

static void write_all(const void *data, size_t size)
{
    ssize_t (*next)(int, const void *, size_t);
    faults_next(&next, "write");
    for (size_t done = 0; done < size;) {
        ssize_t n = next(journal.file, (const char *)data + done, size - done);
        if (n <= 0) abort();
        done += (size_t)n;
    }
}

bool faults_journal_on(void)
{
    if (journal.asked) return journal.file >= 0;
    journal.asked = true;
    journal.last = &journal.first;
    const char *path = getenv("VGG16_FAULTS_JOURNAL");
    int (*next)(const char *, int, ...);
    faults_next(&next, "open");
    if (path) journal.file = next(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return journal.file >= 0;
}

static unsigned long long number_of(int fd)
{
    struct stat info;
    int (*next)(int, struct stat *);
    faults_next(&next, "fstat");
    return next(fd, &info) == 0 ? (unsigned long long)info.st_ino : 0;
}

static void put_record(const char *line, const void *data, size_t size)
{
    int error = errno;
    pthread_mutex_lock(&journal.lock);
    write_all(line, strlen(line));
    if (size) write_all(data, size);
    pthread_mutex_unlock(&journal.lock);
    errno = error;
}

/* The absolute form of a path, of which all but the last part must be there. */
static void absolute(char out[PATH_MAX], const char *path)
{
    char folder[PATH_MAX], *(*next)(const char *, char *);
    faults_next(&next, "realpath");
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    if (!next(folder, out)) abort();
    size_t used = strlen(out);
    snprintf(out + used, PATH_MAX - used, "/%s", name);
}

void faults_journal_create(int fd, const char *path)
{
    char line[PATH_MAX + 64], whole[PATH_MAX];
    if (!faults_journal_on()) return;
    absolute(whole, path);
    snprintf(line, sizeof line, "create %llu %s\n", number_of(fd), whole);
    put_record(line, NULL, 0);
}

void faults_journal_write(int fd, uint64_t offset, const void *data, size_t size)
{
    char line[96];
    if (!faults_journal_on()) return;
    snprintf(line, sizeof line, "write %llu %llu %zu\n", number_of(fd), (unsigned long long)offset, size);
    put_record(line, data, size);
}

void faults_journal_cut(int fd, uint64_t size)
{
    char line[96];
    if (!faults_journal_on()) return;
    snprintf(line, sizeof line, "cut %llu %llu\n", number_of(fd), (unsigned long long)size);
    put_record(line, NULL, 0);
}

void faults_journal_sync(int fd)
{
    char line[64];
    if (!faults_journal_on()) return;
    snprintf(line, sizeof line, "sync %llu\n", number_of(fd));
    put_record(line, NULL, 0);
}

void faults_journal_names(const char *what, const char *from, const char *to)
{
    char line[2 * PATH_MAX + 64], first[PATH_MAX], second[PATH_MAX] = "";
    if (!faults_journal_on()) return;
    absolute(first, from);
    if (to) absolute(second, to);
    snprintf(line, sizeof line, "%s %s%s%s\n", what, first, to ? "\t" : "", second);
    put_record(line, NULL, 0);
}

void faults_journal_put(FILE *stream, uint64_t offset, const void *data, size_t size)
{
    if (!faults_journal_on() || size == 0) return;
    struct piece *piece = malloc(sizeof *piece);
    if (!piece || !(piece->data = malloc(size))) abort();
    memcpy(piece->data, data, size);
    piece->stream = stream, piece->offset = offset, piece->size = size, piece->after = NULL;
    pthread_mutex_lock(&journal.lock);
    *journal.last = piece;
    journal.last = &piece->after;
    pthread_mutex_unlock(&journal.lock);
}

/* Takes the first piece of a stream out of the list, NULL: there is none. */
static struct piece *take(const FILE *stream)
{
    pthread_mutex_lock(&journal.lock);
    struct piece **at = &journal.first;
    while (*at && (*at)->stream != stream)
        at = &(*at)->after;
    struct piece *piece = *at;
    if (piece) {
        *at = piece->after;
        if (!*at) journal.last = at;
    }
    pthread_mutex_unlock(&journal.lock);
    return piece;
}

void faults_journal_flush(FILE *stream)
{
    if (!faults_journal_on()) return;
    for (struct piece *piece; (piece = take(stream));) {
        faults_journal_write(fileno(stream), piece->offset, piece->data, piece->size);
        free(piece->data);
        free(piece);
    }
}
