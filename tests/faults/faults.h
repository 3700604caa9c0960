/* faults.h: a library for LD_PRELOAD that makes calls of a program fail, each in its own run, or keeps a journal of
 * what the program does to its files. The environment says which:
 *
 * - VGG16_FAULTS=CLASS:K:FILE: the K-th call of a class fails; FILE, of struct faults_report, says what that was.
 *   CLASS: memory, library, file, net or thread.
 * - VGG16_FAULTS_SITES=FILE, beside it: nothing fails; a line "CLASS K HASH NAME" for each call; HASH is that of its
 *   stack.
 * - VGG16_FAULTS_JOURNAL=FILE: all that changes a file or a folder, in its order (journal.c).
 *
 * Who calls counts: the program and, except for memory, the libraries that it uses; for the class library, these alone.
 * The C library, its loader, the sanitizers and OpenMP's runtime, which ends the program when it gets no memory, are
 * let be. */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum faults_class { FAULTS_MEMORY, FAULTS_LIBRARY, FAULTS_FILE, FAULTS_NET, FAULTS_THREAD, FAULTS_CLASSES };

struct faults_report {
    uint64_t failed; /* 1: a call was made to fail */
    char name[48];   /* its function */
    char where[192]; /* MODULE+0xOFFSET of who called it, and who called that */
};

/* Shall this call fail? Counts it. caller: __builtin_return_address(0) of the function that stands for it. errno is set
 * to `error` where it shall. */
bool faults_fail(enum faults_class class, const char *name, const void *caller, int error);
/* The function of that name which would be called without this library; stored through a pointer to a pointer to a
 * function. */
void faults_next(void *function, const char *name);

/* ---- the journal; none of these does anything without one, and all keep errno ---- */

bool faults_journal_on(void);
/* A file that was not there is at `path` now, open as `fd`. */
void faults_journal_create(int fd, const char *path);
void faults_journal_write(int fd, uint64_t offset, const void *data, size_t size);
void faults_journal_cut(int fd, uint64_t size);
void faults_journal_sync(int fd);
/* rename, unlink, mkdir, rmdir; to: NULL except for rename. */
void faults_journal_names(const char *what, const char *from, const char *to);
/* What a stream was given waits for a flush; the journal says `write` when it comes. */
void faults_journal_put(FILE *stream, uint64_t offset, const void *data, size_t size);
void faults_journal_flush(FILE *stream);

#endif
