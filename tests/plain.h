/* plain.h: as much of Criterion as the loader's tests need, in one process: Criterion itself cannot start under
 * ThreadSanitizer, whose address space has no room for its arena. The first failed check ends the program. */
#ifndef TESTS_PLAIN_H
#define TESTS_PLAIN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_MAX = 64 };

static struct plain_test {
    const char *name;
    void (*run)(void);
} plain_tests[PLAIN_MAX];
static int plain_count;

static inline void plain_check(int good, const char *what, const char *file, int line)
{
    if (good) return;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    exit(1);
}

int main(void)
{
    for (int i = 0; i < plain_count; i++) {
        printf("%s\n", plain_tests[i].name);
        plain_tests[i].run();
    }
    return plain_count ? 0 : 1;
}

/* The rest of the arguments, a message, is dropped; the "" at the end keeps it from being empty. */
#define PLAIN_TRUE(a, ...) plain_check((a) ? 1 : 0, #a, __FILE__, __LINE__)
#define PLAIN_FALSE(a, ...) plain_check((a) ? 0 : 1, "not " #a, __FILE__, __LINE__)
#define PLAIN_COMPARE(op, a, b, ...) plain_check((a)op(b), #a " " #op " " #b, __FILE__, __LINE__)
#define PLAIN_BYTES(a, b, n, ...) plain_check(memcmp(a, b, n) == 0, #a " == " #b, __FILE__, __LINE__)

#define cr_assert(...) PLAIN_TRUE(__VA_ARGS__, "")
#define cr_assert_not(...) PLAIN_FALSE(__VA_ARGS__, "")
#define cr_assert_null(...) PLAIN_FALSE(__VA_ARGS__, "")
#define cr_assert_not_null(...) PLAIN_TRUE(__VA_ARGS__, "")
#define cr_assert_eq(...) PLAIN_COMPARE(==, __VA_ARGS__, "")
#define cr_assert_neq(...) PLAIN_COMPARE(!=, __VA_ARGS__, "")
#define cr_assert_lt(...) PLAIN_COMPARE(<, __VA_ARGS__, "")
#define cr_assert_arr_eq(...) PLAIN_BYTES(__VA_ARGS__, "")

#define Test(suite, name)                                                                       \
    static void suite##_##name(void);                                                           \
    __attribute__((constructor)) static void suite##_##name##_add(void)                         \
    {                                                                                           \
        plain_tests[plain_count++] = (struct plain_test) { #suite "::" #name, suite##_##name }; \
    }                                                                                           \
    static void suite##_##name(void)

#endif
