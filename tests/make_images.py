#!/usr/bin/env python3
"""Makes tests/images: small synthetic images in many formats, and what Pillow and NumPy make of them.

Needs Pillow 9.1 or newer and NumPy. Run in tests/: python3 make_images.py
Every picture is a formula, so that the tests know each pixel without another decoder.
"""
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images")
WIDTH, HEIGHT = 32, 24


def smooth():
    """The picture of all decoding tests: slow ramps, so that JPEG keeps them within a few levels."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 6 + y, y * 8 + x, 255 - x * 3 - y * 3], -1).astype(np.uint8)


def busy(height, width):
    """The picture of the resizing tests: edges and noise from a linear congruence."""
    y, x = np.mgrid[0:height, 0:width]
    noise = ((y.astype(np.uint64) * 7919 + x.astype(np.uint64) * 104729 + 1) * 2654435761 % 2**32 >> 17) % 256
    bars = np.where((x // 5 + y // 7) % 2 == 0, 230, 20)
    disc = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < 70, 255, 0)
    return np.stack([noise, bars, disc], -1).astype(np.uint8)


def path(name):
    return os.path.join(HERE, name)


def png(name, header, rows, extra=b""):
    """A PNG by hand, for what Pillow does not write. header: width, height, depth, colour type."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path(name), "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *header, 0, 0, 0)) + extra)
        f.write(chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b""))


def formats():
    rgb = smooth()
    grey = rgb[:, :, 0]
    image = Image.fromarray(rgb)
    image.save(path("rgb.png"))
    image.save(path("rgb.bmp"))
    image.save(path("rgb.jpg"), quality=98, subsampling=0)
    image.save(path("progressive.jpg"), quality=98, subsampling=0, progressive=True)
    image.save(path("subsampled.jpg"), quality=98, subsampling=2)
    image.convert("CMYK").save(path("cmyk.jpg"), quality=98)
    Image.fromarray(grey).save(path("grey.jpg"), quality=98)
    Image.fromarray(grey).save(path("grey.png"))
    Image.fromarray(grey).save(path("grey.bmp"))
    alpha = ((np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 37) % 256).astype(np.uint8)
    Image.fromarray(np.dstack([rgb, alpha])).save(path("rgba.png"))
    Image.fromarray(np.dstack([grey, alpha]), "LA").save(path("grey-alpha.png"))
    palette = Image.fromarray((grey // 16).astype(np.uint8), "P")
    palette.putpalette(sum(([i * 16, 255 - i * 16, i] for i in range(16)), []))
    palette.save(path("palette.png"), transparency=3)
    Image.fromarray(((np.indices((HEIGHT, WIDTH)).sum(0) % 2) * 255).astype(np.uint8)).convert("1").save(path("bit.png"))
    low = 255 - rgb  # the low bytes of 16-bit samples, which are to be dropped
    png("rgb16.png", (WIDTH, HEIGHT, 16, 2), [np.dstack([r, l]).tobytes() for r, l in zip(rgb, low)])
    png("grey16.png", (WIDTH, HEIGHT, 16, 0), [np.dstack([r, l]).tobytes() for r, l in zip(grey, low[:, :, 0])])
    with open(path("text.jpg"), "w") as f:
        f.write("This is no picture.\n")


def exif_block(orientation, big):
    order = ">" if big else "<"
    entries = struct.pack(order + "HHII", 0x0100, 4, 1, WIDTH)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    head = b"MM\0*" if big else b"II*\0"
    return head + struct.pack(order + "IH", 8, 2) + entries + struct.pack(order + "I", 0)


def orientations():
    """Stored pixels are turned so that each of the eight files shows the smooth picture upright."""
    rgb = smooth()
    turned = {1: rgb, 2: rgb[:, ::-1], 3: rgb[::-1, ::-1], 4: rgb[::-1], 5: rgb.swapaxes(0, 1),
              6: np.rot90(rgb, 1), 7: rgb[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(rgb, -1)}
    for orientation, pixels in turned.items():
        block = b"Exif\0\0" + exif_block(orientation, orientation % 2 == 0)
        image = Image.fromarray(np.ascontiguousarray(pixels))
        name = path("exif%d.jpg" % orientation)
        image.save(name, quality=98, subsampling=0, exif=block)
        with Image.open(name) as check:
            from PIL import ImageOps
            upright = np.asarray(ImageOps.exif_transpose(check)).astype(int)
            assert upright.shape == rgb.shape and abs(upright - rgb).max() < 6, orientation
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(turned[6])).save(buffer, "PNG", exif=b"Exif\0\0" + exif_block(6, True))
    with open(path("exif6.png"), "wb") as f:
        f.write(buffer.getvalue())


SIZES = [(29, 37), (13, 20), (29, 11), (10, 37), (40, 45), (1, 1), (3, 60)]
FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "lanczos": Image.LANCZOS}


def resizing():
    """resize.bin: for each filter and size: name, height, width (int32), then Pillow's bytes."""
    source = Image.fromarray(busy(29, 37))
    source.save(path("busy.png"))
    with open(path("resize.bin"), "wb") as f:
        for number, name in enumerate(FILTERS):
            for height, width in SIZES:
                f.write(struct.pack("<iii", number + 1, height, width))
                f.write(np.asarray(source.resize((width, height), FILTERS[name])).tobytes())


def crops():
    """crop.bin: torchvision's Resize(round(size * 256 / 224)) and CenterCrop(size) in its own arithmetic."""
    with open(path("crop.bin"), "wb") as f:
        for height, width, size in [(29, 37, 14), (37, 29, 15), (20, 20, 17), (15, 24, 17)]:
            source = Image.fromarray(busy(height, width))
            short = int(round(size * 256 / 224))
            if height <= width:
                full = (short, int(short * width / height))
            else:
                full = (int(short * height / width), short)
            scaled = source.resize((full[1], full[0]), Image.BILINEAR)
            top, left = int(round((full[0] - size) / 2.0)), int(round((full[1] - size) / 2.0))
            f.write(struct.pack("<iii", height, width, size))
            f.write(np.asarray(scaled.crop((left, top, left + size, top + size))).tobytes())


def keras_affine(x, theta, tx, ty, shear, zx, zy, flip):
    """What Keras' ImageDataGenerator does to a float image, written from its documentation: tx in rows."""
    height, width = x.shape[:2]
    t, s = np.deg2rad(theta), np.deg2rad(shear)
    matrix = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    matrix = matrix @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    matrix = matrix @ np.array([[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]])
    matrix = matrix @ np.array([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    oy, ox = height / 2 - 0.5, width / 2 - 0.5
    matrix = np.array([[1, 0, oy], [0, 1, ox], [0, 0, 1]]) @ matrix @ np.array([[1, 0, -oy], [0, 1, -ox], [0, 0, 1]])
    rows, columns = np.mgrid[0:height, 0:width]
    row = np.clip(matrix[0, 0] * rows + matrix[0, 1] * columns + matrix[0, 2], 0, height - 1)
    column = np.clip(matrix[1, 0] * rows + matrix[1, 1] * columns + matrix[1, 2], 0, width - 1)
    r, c = np.floor(row).astype(int), np.floor(column).astype(int)
    fr, fc = (row - r)[..., None], (column - c)[..., None]
    r1, c1 = np.minimum(r + 1, height - 1), np.minimum(c + 1, width - 1)
    y = (1 - fr) * ((1 - fc) * x[r, c] + fc * x[r, c1]) + fr * ((1 - fc) * x[r1, c] + fc * x[r1, c1])
    y = y[:, ::-1] if flip & 1 else y
    return y[::-1] if flip & 2 else y


def augmentation():
    """augment.bin: height, width, flips (int32; 1 left-right, 2 upside down), six doubles, then the float32 result for
    the busy picture."""
    cases = [(0, 0, 0, 0, 1, 1, 1), (30, 0, 0, 0, 1, 1, 0), (0, 0.2, -0.13, 0, 1, 1, 0), (0, 0, 0, 15, 1, 1, 0),
             (0, 0, 0, 0, 0.8, 1.2, 0), (-37, 0.11, 0.19, -8, 1.17, 0.83, 1), (0, 0, 0, 0, 1, 1, 2),
             (21, -0.07, 0.1, 11, 0.9, 1.1, 3)]
    with open(path("augment.bin"), "wb") as f:
        for height, width in [(15, 19), (16, 12)]:
            x = busy(height, width).astype(np.float64)
            for theta, shift_h, shift_w, shear, zoom_h, zoom_w, flip in cases:
                f.write(struct.pack("<iii6d", height, width, flip, theta, shift_h, shift_w, shear, zoom_h, zoom_w))
                y = keras_affine(x, theta, shift_h * height, shift_w * width, shear, zoom_h, zoom_w, flip)
                f.write(y.astype(np.float32).tobytes())


def blend(x, other, factor):
    """torchvision 0.14, functional_tensor._blend, for floats of 0..255."""
    return np.clip(factor * x + (1 - factor) * other, 0, 255)


def grey(x):
    return (0.2989 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2])[..., None]


def colours():
    """colours.bin: height, width (int32), factors of brightness, contrast and saturation (float32), then the float32 result
    for the busy picture: adjust_brightness, adjust_contrast, adjust_saturation of torchvision, one after the other."""
    cases = [(1, 1, 1), (1.7, 1, 1), (0.3, 1, 1), (1, 1.6, 1), (1, 0.2, 1), (1, 1, 1.9), (1, 1, 0), (1.23, 0.71, 1.37),
             (0.77, 1.41, 0.55)]
    with open(path("colours.bin"), "wb") as f:
        for height, width in [(15, 19), (16, 12)]:
            for factors in cases:
                brightness, contrast, saturation = np.array(factors, np.float32).astype(np.float64)
                x = busy(height, width).astype(np.float64)
                x = blend(x, 0, brightness)
                x = blend(x, grey(x).mean(), contrast)
                x = blend(x, grey(x), saturation)
                f.write(struct.pack("<ii3f", height, width, *factors) + x.astype(np.float32).tobytes())


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    formats()
    orientations()
    resizing()
    crops()
    augmentation()
    colours()
