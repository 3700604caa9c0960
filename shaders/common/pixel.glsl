/* pixel.glsl: from the number of a pixel in a part of an image tensor to its place. Needs `p` (vk_push_conv). */

struct pixel {
    int image, y, x; /* y in the whole image */
};

pixel pixel_at(int number)
{
    pixel at;
    at.x = number % p.w;
    int row = number / p.w;
    at.image = row / p.rows;
    at.y = p.y0 + row - at.image * p.rows;
    return at;
}

/* Words to the pixel's first channel in the binding that is read with a halo. */
int pixel_halo_offset(pixel at)
{
    return ((at.image * p.x_rows + at.y - p.x0) * p.w + at.x) * p.ci;
}

/* Bit 3 * row + column: that neighbour lies inside the image. */
int pixel_neighbours(pixel at)
{
    int columns = (at.x > 0 ? 1 : 0) | 2 | (at.x + 1 < p.w ? 4 : 0);
    return (at.y > 0 ? columns : 0) | columns << 3 | (at.y + 1 < p.h ? columns << 6 : 0);
}

/* Words from a pixel to its neighbour. */
int pixel_step(int tap)
{
    return ((tap / 3 - 1) * p.w + tap % 3 - 1) * p.ci;
}
