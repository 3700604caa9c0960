/* flat.glsl: threads of a shader that walks over a flat range:
 * for (uint i = flat_first(); i < count; i += flat_step()). */
layout(local_size_x = VK_FLAT_THREADS) in;

uint flat_first()
{
    return gl_GlobalInvocationID.x;
}

uint flat_step()
{
    return gl_NumWorkGroups.x * gl_WorkGroupSize.x;
}
