/* Texts: what ISO C lacks, on cases by hand; decimals of floats against their definition. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

Test(text, contains_whatever_the_case)
{
    cr_expect(vgg_text_contains("NVIDIA H200 NVL", "h200"));
    cr_expect(vgg_text_contains("llvmpipe", "LLVMPIPE"));
    cr_expect(vgg_text_contains("aab", "AB")); /* begins anew behind a half match */
    cr_expect(vgg_text_contains("x", "") && vgg_text_contains("", ""));
    cr_expect_not(vgg_text_contains("llvmpip", "llvmpipe"));
    cr_expect_not(vgg_text_contains("", "a"));
}

Test(text, found_within_its_length)
{
    static const char text[] = "ab\0abcab";
    cr_expect_eq(vgg_text_find(text, 8, "abc"), text + 3);
    cr_expect_null(vgg_text_find(text, 5, "abc"));
    cr_expect_eq(vgg_text_find(text, 6, "abc"), text + 3);
    cr_expect_eq(vgg_text_find(text, 8, "ab"), text);
    cr_expect_null(vgg_text_find(text, 1, "ab"));
}

Test(text, split_at_marks)
{
    static const char *const pieces[] = { "a", "", "bc", "" };
    char text[] = "a,,bc,", *rest = text;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        cr_expect_str_eq(vgg_text_split(&rest, ','), pieces[i]);
    cr_expect_null(rest);
    cr_expect_null(vgg_text_split(&rest, ','));
}

/* What could move a terminal's cursor, or look like a line of its own, in one byte or two; all else stays. */
Test(text, tame)
{
    static const char *const pairs[][2] = {
        { "plain \xC3\xA9 \xE2\x82\xAC ~", "plain \xC3\xA9 \xE2\x82\xAC ~" },
        { "a\nb\tc\x1B[2J\x01", "a?b?c?[2J?" },
        { "\x7F\x7E\x20\x1F", "?\x7E\x20?" },
        { "\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0\xC2", "??????\xC2\xA0\xC2" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s", pairs[i][0]);
        vgg_text_tame(text);
        cr_expect_str_eq(text, pairs[i][1], "%zu", i);
    }
}

Test(text, decimals_of_floats)
{
    static const char *const decimals[] = { "1e-05", "2e-05",    "0.001", "0.1",  "3",
                                            "0.7",   "16777216", "1e+20", "0.05", "0" };
    for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.9g", vgg_text_decimal(strtof(decimals[i], NULL)));
        cr_expect_str_eq(text, decimals[i]);
    }
    cr_expect(isinf(vgg_text_decimal(-INFINITY)) && isnan(vgg_text_decimal(NAN)));
    /* Always the same float again, and never more digits than one of fewer gives. */
    uint32_t bits = 12345;
    for (int i = 0; i < 20000; i++) {
        float value;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        double decimal = vgg_text_decimal(value);
        cr_assert_eq((float)decimal, value, "%a", (double)value);
        int digits = 1;
        char text[512];
        while (snprintf(text, sizeof text, "%.*g", digits, decimal), strtod(text, NULL) != decimal)
            digits++;
        cr_assert_leq(digits, FLT_DECIMAL_DIG);
        snprintf(text, sizeof text, "%.*g", digits - 1, (double)value);
        if (digits > 1) cr_assert_neq(strtof(text, NULL), value, "%a: %s would do", (double)value, text);
    }
}
