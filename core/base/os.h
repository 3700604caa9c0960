/* os.h: what the library asks of the operating system. os_posix.c with os_linux.c or os_macos.c answers, and
 * os_windows.c with the others of its name; another system is another such file, and nothing else changes. What ISO C
 * has (fread, getenv, errno) is called as it is. Nothing is logged here: functions that fail set errno, and callers say
 * what they wanted. Paths are bytes that end in 0, of UTF-8 on Windows; '/' parts them.
 */
#ifndef CORE_BASE_OS_H
#define CORE_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- what a path leads to ---- */

/* OTHER: a device, a pipe, a socket; in a folder's list also a link. */
enum vgg_os_kind { VGG_OS_FILE, VGG_OS_FOLDER, VGG_OS_OTHER };

struct vgg_os_info {
    enum vgg_os_kind kind;
    uint64_t size;           /* bytes of a file */
    uint64_t volume, number; /* which it is, by whatever path; both alike: the same */
};

/* Of what `path` leads to, links followed. False: nothing is there, or it may not be seen. */
bool vgg_os_look(struct vgg_os_info *info, const char *path);
/* Can it be opened for reading? */
bool vgg_os_readable(const char *path);
/* Does it name the same file from every folder? */
bool vgg_os_is_absolute(const char *path);
/* Where one link leads, cut to size - 1 bytes. False: `path` is no link. */
bool vgg_os_read_link(char *target, size_t size, const char *path);
/* Is it a name of one of this process's own descriptors (/dev/stdout, /dev/fd/N, /proc/self/fd/N)? */
bool vgg_os_is_descriptor(const char *path);

/* ---- reading ---- */

/* fopen. */
FILE *vgg_os_fopen(const char *path, const char *mode);
/* A file opened for reading; a pipe is not waited for. -1: failed. */
int vgg_os_open(const char *path);
void vgg_os_close(int file);
bool vgg_os_look_open(struct vgg_os_info *info, int file);
/* At most `size` bytes. 0: the end; -1: failed. */
ptrdiff_t vgg_os_read(int file, void *to, size_t size);
/* The `size` bytes from byte `offset` on. False: failed, or there are not so many; then errno is 0. */
bool vgg_os_read_at(int file, void *to, size_t size, uint64_t offset);
/* The first `size` bytes, above 0, of a file, until vgg_os_unmap; the file may be closed. NULL: failed. */
const void *vgg_os_map(int file, size_t size);
void vgg_os_unmap(const void *data, size_t size);
/* Reads up to `end` or the end of the file, which must hold a byte at least, into *text, which grows by malloc (NULL
 * and 0 at first) and is the caller's. *length: bytes with `end`; a 0 follows. */
bool vgg_os_read_until(char **text, size_t *room, size_t *length, int end, FILE *stream);

/* ---- writing ---- */

/* A file that was not there, open for writing; permissions as for any new file. NULL: failed, EEXIST where something of
 * that name is there, be it a link that leads nowhere. */
FILE *vgg_os_create(const char *path);
/* Marks a file that is open for writing, as vgg_os_create makes them, as being written, until vgg_os_unlock or the end
 * of the process, whatever ends it; *lock: -1 where its file system has no locks. False: another took it for abandoned
 * before that. */
bool vgg_os_claim(int *lock, FILE *stream, const char *path);
/* Removes a file of this user's whose writer had claimed it and is gone. False: nothing was removed, be it since a
 * process still writes there, or since that cannot be told. Links are not followed. */
bool vgg_os_remove_abandoned(const char *path);
/* What `path` leads to, open for writing as it is: a device, a pipe, an own descriptor. NULL: failed. */
FILE *vgg_os_open_stream(const char *path);
/* Goes to byte `offset` of what has been written; to the end, and tells its offset, -1: failed. */
bool vgg_os_seek(FILE *stream, uint64_t offset);
int64_t vgg_os_seek_end(FILE *stream);
/* Empties a file. */
bool vgg_os_empty(FILE *stream);
/* What was flushed reaches the disk. */
bool vgg_os_sync(FILE *stream);
/* The names in a folder reach the disk, where its file system can do that. */
void vgg_os_sync_folder(const char *path);
/* What is written to an open file from now on, be it cut or extended, goes nowhere. False: it goes on as before. */
bool vgg_os_divert(int file);
/* Takes disk space for the first `size` bytes of a file. */
bool vgg_os_reserve(const char *path, uint64_t size);
/* Cuts a file to `size` bytes. */
bool vgg_os_cut(const char *path, uint64_t size);
/* Renames a file, over an old one, if there is one, which others see whole until then. */
bool vgg_os_replace(const char *from, const char *to);
/* Removes a file or a link. */
bool vgg_os_remove(const char *path);
/* Makes one folder. True also where something of that name is there; *made, unless NULL: it was not. */
bool vgg_os_make_folder(bool *made, const char *path);
/* `size` bytes that nobody can guess. */
bool vgg_os_random(void *bytes, size_t size);

/* ---- locks: they end with their process, whatever ends it ---- */

enum vgg_os_lock {
    VGG_OS_LOCK_HELD,        /* by the caller now */
    VGG_OS_LOCK_TAKEN,       /* by another, in this process or elsewhere */
    VGG_OS_LOCK_UNSUPPORTED, /* its file system has none; errno */
    VGG_OS_LOCK_FAILED,      /* the file cannot be opened or made; errno */
};
enum { VGG_OS_HOLDER = 24 };

/* Locks the file, made if it is missing, without waiting. It holds the number of the process that has the lock: holder,
 * for VGG_OS_LOCK_TAKEN, or "". *lock: for vgg_os_unlock, -1 unless held. */
enum vgg_os_lock vgg_os_lock(int *lock, char holder[VGG_OS_HOLDER], const char *path);
void vgg_os_unlock(int lock); /* accepts -1 */

/* ---- folders ---- */

struct vgg_os_folder;
struct vgg_os_entry {
    const char *name; /* until the next entry */
    enum vgg_os_kind kind;
};
/* NULL: failed. */
struct vgg_os_folder *vgg_os_folder_open(const char *path);
/* The next entry, in no order, without "." and "..". False: errno is 0 at the end, else what failed. */
bool vgg_os_folder_next(struct vgg_os_folder *folder, struct vgg_os_entry *entry);
void vgg_os_folder_close(struct vgg_os_folder *folder); /* accepts NULL */

/* The user's folder; NULL or "" where there is none. Not to be freed. */
const char *vgg_os_home(void);
/* "$XDG_CACHE_HOME" or "~/.cache". False: there is no place for it, or it does not fit. */
bool vgg_os_cache_folder(char *path, size_t size);

/* ---- memory ---- */

/* `size` bytes at a multiple of `align`, a power of two; in huge pages as far as they fill them, if the system has
 * them, where `align` is theirs (2 MiB). Not set. Released by vgg_os_aligned_free. NULL without memory. */
void *vgg_os_aligned(size_t align, size_t size);
void vgg_os_aligned_free(void *memory);
/* Gives the whole pages among these bytes of vgg_os_aligned back, where the system can: their content is lost, and they
 * may be written and read as before. */
void vgg_os_discard(void *memory, size_t size);
/* Lets `size` bytes of malloc that have not been touched be huge pages, where the system has them. */
void vgg_os_prefer_huge(void *memory, size_t size);

/* ---- libraries and programs ---- */

/* A shared library by its name, searched where the system does. NULL: none. */
void *vgg_os_library_open(const char *name);
void vgg_os_library_close(void *library);
/* The address of a function or variable of it; NULL: it has none of that name. */
void *vgg_os_library_symbol(void *library, const char *name);
/* The same among what the program and the libraries it is linked to show each other. */
void *vgg_os_program_symbol(const char *name);
/* The file of the library or program that holds `address`, and that of the program that runs, links followed, by
 * malloc; NULL: it cannot be told. */
char *vgg_os_module(const void *address);
char *vgg_os_program(void);

/* ---- time, and who runs ---- */

/* Seconds since some fixed moment, that only go forward; since 1970. */
double vgg_os_seconds(void);
double vgg_os_date_seconds(void);
/* Waits for about so long; 0: gives the processor to others that want it. */
void vgg_os_rest(double seconds);
/* The present date as strftime writes it; utc: else the user's time zone. */
void vgg_os_date(char *text, size_t size, const char *format, bool utc)
#if defined(__GNUC__)
    __attribute__((format(strftime, 3, 0)))
#endif
    ;
/* The number of this process. */
long vgg_os_process(void);
/* The name of this machine in the network; unchanged where it has none. */
void vgg_os_host(char *name, size_t size);

/* ---- the machine ---- */

/* Processors that it runs, and those that this process may be scheduled on; 1 at least. */
int vgg_os_processors(void);
int vgg_os_affinity(void);
/* "AMD EPYC 7763", or "". */
void vgg_os_processor_name(char *name, size_t size);
/* What an AArch64 processor has beyond the base architecture; false on others. */
enum vgg_os_feature {
    VGG_OS_ARM_DOTPROD, /* dot products of bytes */
    VGG_OS_ARM_I8MM,    /* products of matrices of bytes */
};
bool vgg_os_has(enum vgg_os_feature feature);
/* Bytes of a processor's first cache for data; 0: unknown. */
size_t vgg_os_first_cache(void);
/* Lets this process use the tile registers of AMX, on a processor that has them. False: they are not to be had. */
bool vgg_os_allow_tiles(void);
/* Bytes of memory; 0: unknown. */
uint64_t vgg_os_memory(void);
/* Seconds of all processors since the machine started: at work, and taken by others beside it (stolen). False: unknown.
 */
bool vgg_os_machine_seconds(double *busy, double *stolen);
/* Seconds of processors that this process has taken, and the most bytes of memory that it held; 0: unknown. */
double vgg_os_process_seconds(void);
uint64_t vgg_os_peak_resident(void);

#endif
