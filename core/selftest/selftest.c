#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/engine/device.h"
#include "core/engine/variant.h"
#include "core/selftest/op_case.h"
#include "core/vgg16_bench.h"

/* One opened device at one instruction set level. */
struct subject {
    struct vgg_backend *backend;
    char name[176];
};

struct subjects {
    struct subject *item;
    size_t count;
};

static void subjects_finish(struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->count; i++)
        vgg_backend_close(subjects->item[i].backend);
    free(subjects->item);
}

static enum vgg_status subject_add(struct subjects *subjects, const struct vgg_variant *variant,
                                   const struct vgg_engine_options *options)
{
    size_t size = (subjects->count + 1) * sizeof *subjects->item;
    struct subject *item = realloc(subjects->item, size);
    if (!item) return vgg_fail_memory("the list of devices to test", size);
    subjects->item = item;
    struct subject *subject = &item[subjects->count];
    enum vgg_status status = vgg_variant_open(&subject->backend, variant, options);
    if (status != VGG_OK) return status;
    bool level = variant->isa[0];
    snprintf(subject->name, sizeof subject->name, "%s%s%s%s", variant->device->name, level ? " (" : "", variant->isa,
             level ? ")" : "");
    subjects->count++;
    return VGG_OK;
}

/* Opens what `options` allows. Plain C is the reference: testing it against itself is worth the time only where there
 * is nothing else. */
static enum vgg_status subjects_open(struct subjects *subjects, const struct vgg_engine_options *options)
{
    struct vgg_variants variants;
    const struct vgg_engine_options how = { .threads = options->threads, .precision = options->precision };
    bool fp32 = !options->precision || strcmp(options->precision, "fp32") == 0; /* not every level has another */
    enum vgg_status status = vgg_variants_init(&variants, options);
    for (size_t i = 0; i < variants.count && status == VGG_OK; i++) {
        const struct vgg_variant *variant = &variants.item[i];
        if (variant->best || (fp32 && !vgg_variant_is_plain(variant))) status = subject_add(subjects, variant, &how);
    }
    vgg_variants_finish(&variants);
    return status;
}

/* What has been tried: results, those that failed, and the most that there may be. */
struct tally {
    size_t done, failures, total;
};

/* Runs one case on one device and reports it. */
static enum vgg_status try(const struct subject *subject, const struct vgg_op_case *test,
                           const struct vgg_op_case_memory *expected, vgg_selftest_fn *fn, void *user,
                           struct tally *tally)
{
    enum vgg_status status;
    struct vgg_op_case_memory got;
    struct vgg_op_case_error error;
    struct vgg_backend *backend = subject->backend;
    if (!backend->vtable->supports(backend, &test->op)) {
        tally->total--;
        return VGG_OK;
    }
    CHECK(vgg_op_case_memory_init(&got, test));
    CHECK(vgg_op_case_run(backend, test, &got, NULL));
    bool passed = vgg_op_case_check(test, expected, &got, &error);
    if (!passed) {
        tally->failures++;
        vgg_log(VGG_LOG_DEBUG, "%s: %s: %s is off by %g, allowed %g", subject->name, test->text, error.what,
                error.error, error.bound);
    }
    const char *op = vgg_op_name(test->op.kind);
    const char *shape = test->text + strlen(op);
    const struct vgg_selftest_result result = {
        .device = subject->name,
        .op = op,
        .shape = shape + strspn(shape, " "),
        .error = error.error,
        .bound = error.bound,
        .passed = passed,
        .done = ++tally->done,
        .total = tally->total,
    };
    if (fn) fn(user, &result);
fail:
    vgg_op_case_memory_finish(&got);
    return status;
}

enum vgg_status vgg_selftest(const struct vgg_engine_options *options, vgg_selftest_fn *fn, void *user)
{
    static const struct vgg_engine_options any = { 0 };
    enum vgg_status status = VGG_OK;
    struct subjects subjects = { 0 };
    struct vgg_op_case_list list = { 0 };
    struct vgg_op_case_memory expected = { 0 };
    struct vgg_backend *reference = NULL;
    struct tally tally = { 0 };
    if (!options) options = &any;
    bool half = options->precision && strcmp(options->precision, "fp16") == 0; /* which plain C does not compute in */
    CHECK(subjects_open(&subjects, options));
    CHECK(vgg_backend_open(&reference,
                           &(struct vgg_engine_options) {
                               .backend = "cpu", .isa = "scalar", .precision = half ? "fp32" : options->precision }));
    CHECK(vgg_op_case_list_init(&list));
    if (half) CHECK(vgg_op_case_list_halves(&list));
    tally.total = list.count * subjects.count;
    for (size_t i = 0; i < list.count; i++) {
        const struct vgg_op_case *test = &list.item[i];
        CHECK(vgg_op_case_memory_init(&expected, test));
        CHECK(half ? vgg_op_case_run_half(reference, test, &expected)
                   : vgg_op_case_run(reference, test, &expected, NULL));
        for (size_t j = 0; j < subjects.count; j++)
            CHECK(try(&subjects.item[j], test, &expected, fn, user, &tally));
        vgg_op_case_memory_finish(&expected);
    }
    if (tally.failures) {
        status = vgg_fail(VGG_ERR_NUMERIC,
                          "selftest: %zu results differ from the reference by more than allowed; "
                          "do not trust this device",
                          tally.failures);
    }
fail:
    vgg_op_case_memory_finish(&expected);
    vgg_op_case_list_finish(&list);
    vgg_backend_close(reference);
    subjects_finish(&subjects);
    return status;
}
