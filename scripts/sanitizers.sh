# shellcheck shell=bash
# sanitizers.sh, to be sourced at the top of the tree: what AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer
# are told. A size that malloc refuses is a failure to be told, as without them. GCC 12's sanitizer guesses where the C
# library put the thread-local variables of a library that was opened later, now and then wrongly, and then crashes
# looking for leaks there: it does not look.
frames=1 # GCC aligns the frames that outlive their functions to less than AVX-512's vectors need (its bug 110027)
if grep -qs avx512f /proc/cpuinfo; then frames=0; fi
export UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$PWD/scripts/lsan.supp:print_suppressions=0 \
    ASAN_OPTIONS=detect_stack_use_after_return=$frames:allocator_may_return_null=1:intercept_tls_get_addr=0
