/* vk_shader.h: the SPIR-V in the program. */
#ifndef VK_SHADER_H
#define VK_SHADER_H

#include <stddef.h>
#include <stdint.h>

/* One module as the build embeds it; the build writes the list, NULL name last. */
struct vk_shader {
    const char
        *name; /* of shaders/NAME.comp; "cpu/..." for devices of CPU type; NAME.3: with tile 3 of common/params.h */
    const uint32_t *code;
    size_t size; /* bytes */
};
extern const struct vk_shader vk_shader_list[];

#endif
