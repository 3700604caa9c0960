/* Streams of the C library. What fails says so as the real ones do: by its result, errno and the stream's error flag.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faults.h"

static bool fails(const char *name, const void *caller, int error)
{
    return faults_fail(FAULTS_FILE, name, caller, error);
}

/* Does this call on a stream fail? What is said to stderr is always heard. */
static bool stream_fails(FILE *stream, const char *name, const void *caller, int error)
{
    if (stream == stderr || !fails(name, caller, error)) return false;
    if (stream) stream->_flags |= 0x20; /* as glibc marks errors, for ferror */
    return true;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    if (fails("fopen", __builtin_return_address(0), *mode == 'r' ? EIO : ENOSPC)) return NULL;
    FILE *(*next)(const char *, const char *);
    faults_next(&next, "fopen");
    bool missing = *mode != 'r' && faults_journal_on() && access(path, F_OK) != 0;
    FILE *stream = next(path, mode);
    if (stream && missing) faults_journal_create(fileno(stream), path);
    if (stream && !missing && *mode == 'w') faults_journal_cut(fileno(stream), 0);
    return stream;
}

FILE *fdopen(int fd, const char *mode)
{
    if (fails("fdopen", __builtin_return_address(0), ENOMEM)) return NULL;
    FILE *(*next)(int, const char *);
    faults_next(&next, "fdopen");
    return next(fd, mode);
}

size_t fread(void *restrict to, size_t size, size_t count, FILE *restrict stream)
{
    if (stream_fails(stream, "fread", __builtin_return_address(0), EIO)) return 0;
    size_t (*next)(void *, size_t, size_t, FILE *);
    faults_next(&next, "fread");
    return next(to, size, count, stream);
}

char *fgets(char *restrict to, int size, FILE *restrict stream)
{
    if (stream_fails(stream, "fgets", __builtin_return_address(0), EIO)) return NULL;
    char *(*next)(char *, int, FILE *);
    faults_next(&next, "fgets");
    return next(to, size, stream);
}

ssize_t getdelim(char **restrict text, size_t *restrict room, int end, FILE *restrict stream)
{
    if (stream_fails(stream, "getdelim", __builtin_return_address(0), EIO)) return -1;
    ssize_t (*next)(char **, size_t *, int, FILE *);
    faults_next(&next, "getdelim");
    return next(text, room, end, stream);
}

static size_t put(const void *data, size_t size, size_t count, FILE *stream)
{
    size_t (*next)(const void *, size_t, size_t, FILE *);
    faults_next(&next, "fwrite");
    off_t offset = faults_journal_on() ? ftello(stream) : -1;
    size_t n = next(data, size, count, stream);
    if (offset >= 0) faults_journal_put(stream, (uint64_t)offset, data, n * size);
    return n;
}

size_t fwrite(const void *restrict data, size_t size, size_t count, FILE *restrict stream)
{
    return stream_fails(stream, "fwrite", __builtin_return_address(0), ENOSPC) ? 0 : put(data, size, count, stream);
}

int fputs(const char *restrict text, FILE *restrict stream)
{
    if (stream_fails(stream, "fputs", __builtin_return_address(0), ENOSPC)) return EOF;
    size_t size = strlen(text);
    return put(text, 1, size, stream) == size ? 1 : EOF;
}

static int print(FILE *stream, const char *format, va_list arguments)
{
    char *text;
    int size = vasprintf(&text, format, arguments);
    if (size < 0) return -1;
    bool whole = put(text, 1, (size_t)size, stream) == (size_t)size;
    free(text);
    return whole ? size : -1;
}

int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    if (stream_fails(stream, "vfprintf", __builtin_return_address(0), ENOSPC)) return -1;
    return print(stream, format, arguments);
}

int fprintf(FILE *restrict stream, const char *restrict format, ...)
{
    if (stream_fails(stream, "fprintf", __builtin_return_address(0), ENOSPC)) return -1;
    va_list arguments;
    va_start(arguments, format);
    int size = print(stream, format, arguments);
    va_end(arguments);
    return size;
}

int fflush(FILE *stream)
{
    if (stream_fails(stream, "fflush", __builtin_return_address(0), ENOSPC)) return EOF;
    int (*next)(FILE *);
    faults_next(&next, "fflush");
    int status = next(stream);
    if (status == 0 && stream) faults_journal_flush(stream);
    return status;
}

/* An error of the last flush; the stream is gone all the same. */
int fclose(FILE *stream)
{
    bool failing = fails("fclose", __builtin_return_address(0), ENOSPC);
    int error = errno, (*next)(FILE *);
    faults_next(&next, "fclose");
    faults_journal_flush(stream);
    int status = next(stream);
    if (failing) errno = error;
    return failing ? EOF : status;
}

int fseeko(FILE *stream, off_t offset, int whence)
{
    if (fails("fseeko", __builtin_return_address(0), EIO)) return -1;
    int (*next)(FILE *, off_t, int);
    faults_next(&next, "fseeko");
    faults_journal_flush(stream);
    return next(stream, offset, whence);
}

off_t ftello(FILE *stream)
{
    if (fails("ftello", __builtin_return_address(0), EIO)) return -1;
    off_t (*next)(FILE *);
    faults_next(&next, "ftello");
    return next(stream);
}
