/* JSON as the library builds and takes it apart. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/json.h"

Test(json, what_is_built_is_printed)
{
    struct vgg_json *json = vgg_json_object(), *list = vgg_json_add_array(json, "list"), *inner;
    cr_assert(json && list);
    cr_expect(vgg_json_add_text(list, NULL, "a \"b\"\n\xC3\xA9"));
    cr_expect(vgg_json_add_text(list, NULL, NULL));
    cr_expect(vgg_json_add_number(list, NULL, 0.1));
    cr_expect(vgg_json_add_number(list, NULL, (double)NAN));
    inner = vgg_json_add_object(list, NULL);
    cr_expect(vgg_json_add_bool(inner, "yes", true));
    cr_expect(vgg_json_add_bool(inner, "no", false));
    cr_expect(vgg_json_add_number(json, "n", 1234567890123456));
    char *line = vgg_json_print(json, false), *lines = vgg_json_print(inner, true);
    cr_expect_str_eq(line, "{\"list\":[\"a \\\"b\\\"\\n\xC3\xA9\",null,0.1,null,{\"yes\":true,\"no\":false}],"
                           "\"n\":1234567890123456}");
    cr_expect_str_eq(lines, "{\n\t\"yes\":\ttrue,\n\t\"no\":\tfalse\n}");
    free(line), free(lines);
    vgg_json_destroy(json);
    const char *const texts[] = { "x", "", "y,z" };
    char *array = vgg_json_print_texts(texts, 3), *none = vgg_json_print_texts(NULL, 0);
    cr_expect_str_eq(array, "[\"x\",\"\",\"y,z\"]");
    cr_expect_str_eq(none, "[]");
    free(array), free(none);
}

Test(json, what_is_read_has_its_kind)
{
    static const char text[] = "{\"a\": [null, true, 2.5, \"t\", [], {}], \"A\": false} rest";
    static const enum vgg_json_kind kinds[] = { VGG_JSON_NULL, VGG_JSON_BOOL,  VGG_JSON_NUMBER,
                                                VGG_JSON_TEXT, VGG_JSON_ARRAY, VGG_JSON_OBJECT };
    struct vgg_json *json = vgg_json_parse(text, strlen(text));
    const struct vgg_json *list = vgg_json_member(json, "a"), *item = vgg_json_first(list);
    cr_assert_eq(vgg_json_count(list), 6u);
    for (int i = 0; i < 6; i++, item = vgg_json_next(item)) {
        cr_expect_eq(vgg_json_kind(item), kinds[i], "%d", i);
        cr_expect_eq(vgg_json_is_true(item), i == 1);
        cr_expect_eq(vgg_json_number(item), i == 2 ? 2.5 : 0);
        cr_expect(i == 3 ? strcmp(vgg_json_text(item), "t") == 0 : !vgg_json_text(item));
    }
    cr_expect_null(item);
    cr_expect_eq(vgg_json_kind(vgg_json_member(json, "A")), VGG_JSON_BOOL);
    cr_expect_not(vgg_json_is_true(vgg_json_member(json, "A")));
    vgg_json_destroy(json);
    cr_expect_null(vgg_json_parse(text, 20));
}

Test(json, what_is_missing_stays_missing)
{
    cr_expect_null(vgg_json_add_object(NULL, "a"));
    cr_expect_null(vgg_json_add_array(NULL, NULL));
    cr_expect_not(vgg_json_add_text(NULL, "a", "b"));
    cr_expect_not(vgg_json_add_number(NULL, NULL, 1));
    cr_expect_null(vgg_json_print(NULL, true));
    cr_expect_null(vgg_json_member(NULL, "a"));
    cr_expect_null(vgg_json_first(NULL));
    cr_expect_null(vgg_json_next(NULL));
    cr_expect_null(vgg_json_text(NULL));
    cr_expect_eq(vgg_json_count(NULL), 0u);
    cr_expect_eq(vgg_json_kind(NULL), VGG_JSON_NONE);
    vgg_json_destroy(NULL);
}
