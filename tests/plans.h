/* plans.h: networks and their plans, which the tests of plans and of the operations in them begin with. */
#ifndef TESTS_PLANS_H
#define TESTS_PLANS_H

#include <criterion/criterion.h>

#include "core/plan/plan.h"

/* head NULL: none. */
static inline struct vgg_arch plans_arch(const char *name, int h, int w, const char *last, const char *head)
{
    struct vgg_arch arch;
    cr_assert_eq(vgg_arch_base(&arch, name, h, w, last), VGG_OK);
    if (head) cr_assert_eq(vgg_arch_head(&arch, head), VGG_OK);
    return arch;
}

static inline struct vgg_plan *plans_build(const struct vgg_plan_spec *spec)
{
    struct vgg_plan *plan;
    cr_assert_eq(vgg_plan_build(&plan, spec), VGG_OK);
    return plan;
}

#endif
