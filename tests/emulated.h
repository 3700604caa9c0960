/* emulated.h: whether the tests are built for another processor and run by an emulator, where arithmetic takes some
 * hundred times as long: the largest shapes are left out there. */
#ifndef TESTS_EMULATED_H
#define TESTS_EMULATED_H

#ifdef VGG16_EMULATED
enum { EMULATED = 1 };
#else
enum { EMULATED = 0 };
#endif

#endif
