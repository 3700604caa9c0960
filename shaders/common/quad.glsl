/* quad.glsl: rows of a convolution's matrix: one a pixel or, with POOL, rows 4 q .. 4 q + 3 the pixels of quad q in row
 * order. Needs `p` (vk_push_conv), POOL and pixel.glsl. */

pixel quad_pixel(int m)
{
    if (!POOL) return pixel_at(m);
    int quad = m / 4, half_w = p.w / 2, half_rows = p.rows / 2;
    int qy = quad / half_w;
    pixel at;
    at.x = 2 * (quad % half_w) + (m & 1);
    at.image = qy / half_rows;
    at.y = p.y0 + 2 * (qy - at.image * half_rows) + (m >> 1 & 1);
    return at;
}

int row_count()
{
    return POOL ? p.images * (p.rows / 2) * (p.w / 2) * 4 : p.images * p.rows * p.w;
}
