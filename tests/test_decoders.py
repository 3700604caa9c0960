"""Decoding beside Pillow: the same bytes for every kind of file, written here by Pillow, or by hand where it has no word.

python3 -m unittest test_decoders, with VGG16_SHARED (the library). What Pillow, or the build, lacks is skipped by name.
"""

import ctypes
import io
import os
import struct
import tempfile
import time
import unittest
import zlib

try:
    import numpy as np
    from PIL import Image, ImageOps, features
except ImportError as missing:
    raise unittest.SkipTest(f"no {missing.name}")

HEIGHT, WIDTH = 61, 83  # no multiple of any block
NEAREST, BILINEAR, LANCZOS = 1, 2, 3


class Options(ctypes.Structure):
    """struct vgg_image_options"""

    _fields_ = [("height", ctypes.c_int), ("width", ctypes.c_int), ("preprocess", ctypes.c_int),
                ("resize", ctypes.c_int), ("crop", ctypes.c_int), ("decode", ctypes.c_int), ("skip_bad", ctypes.c_bool)]


LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
lines = []
keep = LOG(lambda user, level, line: lines.append(line.decode()))
library = ctypes.CDLL(os.environ["VGG16_SHARED"])
library.vgg_log_set(keep, None, 0)
library.vgg_image_decoders.restype = ctypes.c_char_p
DECODERS = library.vgg_image_decoders().decode()
HAS = {"JPEG": "libjpeg-turbo" in DECODERS, "WebP": "libwebp" in DECODERS, "TIFF": "libtiff" in DECODERS}


def load(path, height, width, **options):
    """The RGB bytes that the library makes of a file, or the line of its refusal."""
    x = np.full((height, width, 3), -1, np.float32)
    del lines[:]
    given = Options(height=height, width=width, preprocess=4, **options)  # VGG_PREPROCESS_NONE
    if library.vgg_image_load(x.ctypes.data_as(ctypes.c_void_p), os.fsencode(path), ctypes.byref(given)):
        assert len(lines) == 1 and path in lines[0], lines
        return lines[0]
    return x.astype(np.uint8)


def picture(channels=3, height=HEIGHT, width=WIDTH, seed=1):
    """Ramps, edges and noise; no two channels alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for c in range(channels):
        ramp = (x * (3 + c) + y * (5 - c)) % 256
        edge = np.where((x // (7 + c) + y // (5 + c)) % 3 == 0, 90, 0)
        planes.append(np.clip(ramp * 0.6 + edge + rng.integers(0, 40, (height, width)), 0, 255))
    return np.stack(planes, -1).astype(np.uint8)


def exif(orientation, big=False):
    order = ">" if big else "<"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + (b"MM\0*" if big else b"II*\0") + struct.pack(order + "IH", 8, 1) + entry + b"\0" * 4


def pillow(path):
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)

    def same(self, path, most=0, wanted=None):
        """The library's pixels are Pillow's."""
        wanted = pillow(path) if wanted is None else wanted
        found = load(path, *wanted.shape[:2])
        self.assertIsInstance(found, np.ndarray, found)
        self.assertLessEqual(np.abs(found.astype(int) - wanted).max(), most, path)

    def refused(self, path, *words):
        line = load(path, 8, 8)
        self.assertIsInstance(line, str, f"{path} was decoded")
        for word in words:
            self.assertIn(word, line)
        return line


def jpeg_bytes(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


@unittest.skipUnless(HAS["JPEG"], "no libjpeg-turbo in this build or on this machine")
class Jpeg(Case):
    def test_samplings(self):
        for size in ((HEIGHT, WIDTH), (1, 1), (16, 17), (33, 1)):
            image = Image.fromarray(picture(3, *size))
            for sampling in ("4:4:4", "4:2:2", "4:2:0"):
                for progressive in (False, True):
                    for quality in (30, 92):
                        name = f"{size}{sampling}{progressive}{quality}.jpg"
                        image.save(self.path(name), subsampling=sampling, progressive=progressive, quality=quality)
                        self.same(self.path(name))

    def test_4_1_1(self):
        """Samplings that Pillow does not write: its four luma blocks of 4:2:0 are laid in a row or a column."""
        data = bytearray(jpeg_bytes(Image.fromarray(picture(3)), subsampling="4:2:0", quality=80))
        at = data.index(b"\xff\xc0")
        self.assertEqual(data[at + 11], 0x22)
        for factors in (0x41, 0x14):
            data[at + 11] = factors
            self.same(self.write(f"{factors:x}.jpg", bytes(data)))

    def test_arithmetic(self):
        self.same(os.path.join(os.path.dirname(os.path.abspath(__file__)), "images", "arithmetic.jpg"))

    def test_restart_markers(self):
        """One block an interval, each with a colour of its own, into the tables of a file by Pillow."""
        shape = (24, 80)
        plain = jpeg_bytes(Image.fromarray(picture(1, *shape)[:, :, 0]), quality=75)
        at = plain.index(b"\xff\xda")
        scan = b""
        codes = {1: "010", 2: "011", 3: "100", 4: "101", 5: "110", 6: "1110"}  # of DC, by size; 1010 ends a block
        for i in range(30):
            value = (i * 37 % 120) - 60 or 1
            size = abs(value).bit_length()
            bits = codes[size] + format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") + "1010"
            bits += "1" * (-len(bits) % 8)
            data = bytes(int(bits[j:j + 8], 2) for j in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")
            scan += data + (bytes((0xFF, 0xD0 + i % 8)) if i < 29 else b"")
        data = plain[:at] + b"\xff\xdd\0\4\0\1" + plain[at:at + 10] + scan + b"\xff\xd9"
        path = self.write("restart.jpg", data)
        self.assertGreater(len(np.unique(pillow(path))), 20)
        self.same(path)

    def test_junk_before_the_end(self):
        plain = jpeg_bytes(Image.fromarray(picture(1)[:, :, 0]), quality=75)
        self.same(self.write("plain.jpg", plain))
        for extra in (b"\x12\x34\xff\x00\x56\x78\xff\x00\x99", b"\xff\xd1", b"\0" * 40):
            self.same(self.write("junk.jpg", plain[:-2] + extra + plain[-2:]), wanted=pillow(self.path("plain.jpg")))
        self.same(self.write("tail.jpg", plain + b"\0garbage\xff\xd8"), wanted=pillow(self.path("plain.jpg")))

    def test_grey_and_cmyk(self):
        Image.fromarray(picture(1)[:, :, 0]).save(self.path("grey.jpg"))
        self.same(self.path("grey.jpg"))
        data = jpeg_bytes(Image.fromarray(picture(4), "CMYK"), quality=85)
        self.same(self.write("cmyk.jpg", data))
        at = data.index(b"\xff\xee")
        length = struct.unpack(">H", data[at + 2:at + 4])[0]
        self.assertEqual(data[at + 4:at + 9], b"Adobe")
        self.same(self.write("unmarked.jpg", data[:at] + data[at + 2 + length:]))
        marked = bytearray(data)
        marked[at + 2 + length - 1] = 2  # the transform: YCCK
        self.same(self.write("ycck.jpg", bytes(marked)))
        three = jpeg_bytes(Image.fromarray(picture(3)), quality=85, subsampling="4:4:4")
        rgb = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
        self.same(self.write("rgb.jpg", three[:2] + rgb + three[2:]))

    def test_orientation(self):
        image = Image.fromarray(picture(3))
        for orientation in range(1, 9):
            path = self.path(f"{orientation}.jpg")
            image.save(path, exif=exif(orientation, orientation % 2 == 0))
            self.same(path)

    def test_cut_files(self):
        for progressive in (False, True):
            data = jpeg_bytes(Image.fromarray(picture(3)), progressive=progressive)
            for n in list(range(2, len(data) - 2, 97)) + [len(data) - 3]:
                self.refused(self.write("cut.jpg", data[:n]))

    def test_fast(self):
        """Reduced as Pillow's draft, never below what is asked; then resized from there."""
        for progressive in (False, True):
            image = Image.fromarray(picture(3, 323, 421))
            image.save(self.path("large.jpg"), quality=88, progressive=progressive)
            for size in ((40, 52), (40, 53), (41, 52), (80, 105), (81, 105), (161, 210), (162, 210), (323, 421), (9, 400)):
                for how, most in ((NEAREST, 0), (BILINEAR, 1), (LANCZOS, 1)):
                    with Image.open(self.path("large.jpg")) as draft:
                        draft.draft("RGB", size[::-1])
                        wanted = draft.resize(size[::-1], (0, 0, 2, 1)[how])
                    found = load(self.path("large.jpg"), *size, resize=how, decode=2)
                    self.assertLessEqual(np.abs(found.astype(int) - np.asarray(wanted)).max(), most, (size, how))
            whole = load(self.path("large.jpg"), 40, 52, resize=BILINEAR, decode=1)
            self.assertGreater(np.abs(whole.astype(int) - load(self.path("large.jpg"), 40, 52, resize=2, decode=2)).max(), 1)
        image.save(self.path("turned.jpg"), exif=exif(6))
        for size, by in (((52, 40), 8), ((53, 40), 4), ((52, 41), 4)):
            with Image.open(self.path("turned.jpg")) as draft:
                draft.draft("RGB", (421 // by, 323 // by))
                wanted = ImageOps.exif_transpose(draft).resize(size[::-1], Image.NEAREST)
            self.assertTrue((load(self.path("turned.jpg"), *size, resize=NEAREST, decode=2) == np.asarray(wanted)).all())
        # The middle is cut out of what the whole image is scaled to: 64 x 86, where the reduced one alone would give 85.
        self.assertEqual((64 * 1615 // 1201, 64 * 202 // 151), (86, 85))
        Image.fromarray(picture(3, 1201, 1615)).save(self.path("photo.jpg"), quality=88)
        with Image.open(self.path("photo.jpg")) as draft:
            draft.draft("RGB", (86, 64))
            self.assertEqual(draft.size, (202, 151))
            wanted = np.asarray(draft.resize((86, 64), Image.BILINEAR).crop((15, 4, 71, 60))).astype(int)
        found = load(self.path("photo.jpg"), 56, 56, crop=2, decode=2)
        self.assertLessEqual(np.abs(found - wanted).max(), 1)

    def test_scans_are_bounded(self):
        """Thousands of scans of a large image are refused before they are walked."""
        data = jpeg_bytes(Image.new("L", (4000, 4000)), progressive=True, quality=50)
        at = data.rindex(b"\xff\xda")
        scan = data[at:-2]
        path = self.write("bomb.jpg", data[:-2] + scan * 3000 + data[-2:])
        begin = time.monotonic()
        self.refused(path, "scans")
        self.assertLess(time.monotonic() - begin, 2)


class Webp(Case):
    def setUp(self):
        super().setUp()
        if not features.check("webp"):
            self.skipTest("Pillow has no WebP")

    def test_pixels(self):
        rgb, rgba = Image.fromarray(picture(3)), Image.fromarray(picture(4), "RGBA")
        rgb.save(self.path("lossy.webp"), quality=70)
        rgb.save(self.path("lossless.webp"), lossless=True)
        rgba.save(self.path("alpha.webp"), quality=80)
        rgba.save(self.path("alpha-lossless.webp"), lossless=True, exact=True)
        rgb.save(self.path("animated.webp"), save_all=True, append_images=[rgb.rotate(90)], duration=80, lossless=True)
        rgb.save(self.path("turned.webp"), exif=exif(6), quality=70)
        rgb.save(self.path("webp.jpg"), "WEBP")
        for name in sorted(os.listdir(self.folder)):
            with self.subTest(name):
                if HAS["WebP"]:
                    self.same(self.path(name))
                else:
                    self.refused(self.path(name), "is a WebP image", "libwebp")

    @unittest.skipUnless(HAS["WebP"], "no libwebp in this build or on this machine")
    def test_damage(self):
        out = io.BytesIO()
        Image.fromarray(picture(3)).save(out, "WEBP", quality=70)
        data = out.getvalue()
        for n in range(13, len(data) - 1, 131):
            self.refused(self.write("cut.webp", data[:n]), "cannot be decoded")
        out = io.BytesIO()
        frames = [Image.fromarray(picture(3)), Image.fromarray(picture(3, seed=2))]
        frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=80, lossless=True)
        moving = out.getvalue()
        at = moving.index(b"ANMF")
        self.same(self.write("moving.webp", moving), wanted=np.asarray(frames[0]))
        corner = [bytes((0, 4, 0)), bytes((0, 0, 0, 0, 4, 0)), bytes((1, 0, 0)), bytes((0, 0, 0, 1, 0, 0))]
        for i, place in enumerate(corner):  # a frame that begins outside of the canvas, or reaches beyond it
            self.refused(self.write(f"{i}.webp", moving[:at + 8] + place + moving[at + 8 + len(place):]), "cannot be decoded")
        self.refused(self.write("none.webp", moving.replace(b"ANMF", b"JUNK")), "cannot be decoded")
        self.refused(self.write("long.webp", moving[:at + 4] + b"\xff" * 4 + moving[at + 8:]), "cannot be decoded")
        large = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<I", 14)
        large += b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + b"\0" * 9
        self.refused(self.write("large.webp", large), "too large (16383 x 16383")


class Tiff(Case):
    def check(self, path, **wanted):
        if HAS["TIFF"]:
            self.same(path, **wanted)
        else:
            self.refused(path, "is a TIFF image", "libtiff")

    def test_modes_and_compressions(self):
        rgb = picture(3)
        palette = Image.fromarray(rgb).quantize(37)
        images = {
            "rgb": Image.fromarray(rgb), "rgba": Image.fromarray(picture(4), "RGBA"),
            "grey": Image.fromarray(rgb[:, :, 0]), "cmyk": Image.fromarray(picture(4), "CMYK"), "palette": palette,
            "bit": Image.fromarray(rgb[:, :, 1]).convert("1"), "la": Image.fromarray(picture(2), "LA"),
        }
        for mode, image in images.items():
            for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
                if compression == "jpeg" and mode not in ("rgb", "grey"):
                    continue
                path = self.path(f"{mode}-{compression}.tif")
                image.save(path, compression=compression)
                with self.subTest(path):
                    self.check(path)

    def test_strips_and_turns(self):
        image = Image.fromarray(picture(3))
        for orientation in range(1, 9):
            path = self.path(f"{orientation}.tif")
            image.save(path, tiffinfo={0x0112: orientation, 278: 7}, compression="tiff_lzw")
            with Image.open(path) as wanted:  # Pillow turns TIFF by itself
                self.check(path, wanted=np.asarray(wanted.convert("RGB")))

    def tiff(self, tags, blocks, order="<"):
        """A TIFF by hand. tags: number -> values (SHORT or LONG); blocks: the strips or tiles."""
        offsets = 325 in tags and 324 or 273
        at, where = 8, []
        for block in blocks:
            where.append(at)
            at += len(block)
        tags = dict(tags)
        tags[offsets] = where
        tags[325 if offsets == 324 else 279] = [len(b) for b in blocks]
        entries, extra = b"", b""
        end = at + 2 + 12 * len(tags) + 4
        for tag in sorted(tags):
            values = tags[tag]
            kind = "I" if tag in (offsets, 279, 325, 256, 257) else "H"
            data = struct.pack(order + kind * len(values), *values)
            entries += struct.pack(order + "HHI", tag, 4 if kind == "I" else 3, len(values))
            if len(data) <= 4:
                entries += data.ljust(4, b"\0")
            else:
                entries += struct.pack(order + "I", end + len(extra))
                extra += data
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at)
        return head + b"".join(blocks) + struct.pack(order + "H", len(tags)) + entries + b"\0" * 4 + extra

    def test_tiles_planes_and_16_bits(self):
        rgb = picture(3)
        base = {256: [WIDTH], 257: [HEIGHT], 258: [8, 8, 8], 259: [1], 262: [2], 277: [3]}
        tiles = []
        padded = np.zeros((64, 96, 3), np.uint8)
        padded[:HEIGHT, :WIDTH] = rgb
        for y in range(0, 64, 16):
            for x in range(0, 96, 32):
                tiles.append(zlib.compress(padded[y:y + 16, x:x + 32].tobytes()))
        tags = {**base, 259: [8], 322: [32], 323: [16], 325: []}
        self.check(self.write("tiles.tif", self.tiff(tags, tiles)), wanted=rgb)
        planes = [np.ascontiguousarray(rgb[y:y + 20, :, c]).tobytes() for c in range(3) for y in range(0, HEIGHT, 20)]
        tags = {**base, 284: [2], 278: [20]}
        self.check(self.write("planes.tif", self.tiff(tags, planes)), wanted=rgb)
        wide = rgb.astype(np.uint16) * 256 + (255 - rgb)
        for order in "<>":
            tags = {**base, 258: [16, 16, 16], 278: [HEIGHT]}
            path = self.write("16.tif", self.tiff(tags, [wide.astype(order + "u2").tobytes()], order))
            self.check(path, wanted=rgb)
            if HAS["TIFF"]:
                self.same(path)  # as Pillow has it, too
            grey = {**tags, 258: [16], 262: [1], 277: [1]}
            path = self.write("grey.tif", self.tiff(grey, [wide[:, :, 2].astype(order + "u2").tobytes()], order))
            self.check(path, wanted=np.repeat(rgb[:, :, 2:], 3, 2))
        white = {**base, 258: [8], 262: [0], 277: [1], 278: [HEIGHT]}
        path = self.write("white.tif", self.tiff(white, [rgb[:, :, 1].tobytes()]))
        self.check(path, wanted=np.repeat(255 - rgb[:, :, 1:2], 3, 2))
        for bits in (1, 2, 4):  # samples of less than a byte, and as a palette's numbers
            few = (rgb[:, :, 0] >> (8 - bits)).astype(np.uint8)
            packed = np.packbits(np.unpackbits(few[:, :, None], axis=2)[:, :, 8 - bits:].reshape(HEIGHT, -1), axis=1).tobytes()
            tags = {**base, 258: [bits], 262: [1], 277: [1], 278: [HEIGHT]}
            self.check(self.write(f"bits{bits}.tif", self.tiff(tags, [packed])),
                       wanted=np.repeat((few.astype(int) * 255 // ((1 << bits) - 1))[:, :, None], 3, 2).astype(np.uint8))
            table = [((i * 37 + c * 91) % 256) * 257 for c in range(3) for i in range(1 << bits)]
            colours = np.array(table).reshape(3, -1).T // 257
            self.check(self.write(f"palette{bits}.tif", self.tiff({**tags, 262: [3], 320: table}, [packed])),
                       wanted=colours[few].astype(np.uint8))
        four = np.dstack([rgb, rgb[:, :, 0]])
        tags = {**base, 258: [8] * 4, 277: [4], 284: [2], 338: [0], 278: [HEIGHT]}  # planes, of which the fourth says nothing
        self.check(self.write("fourth.tif", self.tiff(tags, [np.ascontiguousarray(four[:, :, c]).tobytes() for c in range(4)])), wanted=rgb)
        multiplied = np.dstack([rgb // 2, np.full((HEIGHT, WIDTH), 130, np.uint8)])
        tags = {**base, 258: [8] * 4, 277: [4], 338: [1], 278: [HEIGHT]}
        self.check(self.write("associated.tif", self.tiff(tags, [multiplied.tobytes()])))

    @unittest.skipUnless(HAS["TIFF"], "no libtiff in this build or on this machine")
    def test_refusals(self):
        base = {256: [WIDTH], 257: [HEIGHT], 258: [8], 259: [1], 262: [1], 277: [1], 278: [HEIGHT]}
        whole = self.tiff(base, [picture(1).tobytes()])
        self.same(self.write("whole.tif", whole), wanted=np.repeat(picture(1), 3, 2))
        self.refused(self.write("large.tif", self.tiff({**base, 256: [60000], 257: [60000]}, [b"\0" * 99])), "too large")
        self.refused(self.write("short.tif", self.tiff(base, [b"\0" * 99])), "cannot be decoded")
        self.refused(self.write("lzw.tif", self.tiff({**base, 259: [5]}, [b"\x80\0" * 99])), "cannot be decoded")
        self.refused(self.write("float.tif", self.tiff({**base, 258: [32], 339: [3]}, [b"\0" * 4 * WIDTH * HEIGHT])))
        tile = {256: [1], 257: [1], 258: [8], 259: [1], 262: [1], 277: [1], 322: [30000], 323: [30000], 325: []}
        self.refused(self.write("tile.tif", self.tiff(tile, [b"\0" * 99])))
        for n in range(5, len(whole), 211):
            self.assertIsInstance(load(self.write("cut.tif", whole[:n]), HEIGHT, WIDTH), str)


class Others(Case):
    def test_gif(self):
        first = Image.fromarray(picture(3)).quantize(61)
        first.save(self.path("still.gif"))
        first.save(self.path("animated.gif"), save_all=True, append_images=[first.rotate(180)], duration=50)
        first.save(self.path("transparent.gif"), transparency=7)
        first.save(self.path("interlaced.gif"), interlace=1)
        for name in sorted(os.listdir(self.folder)):
            with self.subTest(name):
                self.same(self.path(name))

    def test_bmp(self):
        rgb = picture(3)
        Image.fromarray(rgb).save(self.path("up.bmp"))
        with open(self.path("up.bmp"), "rb") as f:
            data = bytearray(f.read())
        pitch = (WIDTH * 3 + 3) // 4 * 4
        rows = [data[54 + i * pitch:54 + (i + 1) * pitch] for i in range(HEIGHT)]
        down = data[:22] + struct.pack("<i", -HEIGHT) + data[26:54] + b"".join(reversed(rows))
        self.same(self.path("up.bmp"), wanted=rgb)
        self.same(self.write("down.bmp", bytes(down)), wanted=rgb)
        self.same(self.path("down.bmp"))

    def rle(self, bits, stream, colours=16):
        palette = b"".join(struct.pack("BBBB", 255 - i * 3, i * 5 % 256, i * 11 % 256, 0) for i in range(colours))
        head = struct.pack("<IiiHHIIiiII", 40, 13, 4, 1, bits, 1 if bits == 8 else 2, len(stream), 0, 0, colours, 0)
        begin = 14 + len(head) + len(palette)
        return b"BM" + struct.pack("<IHHI", begin + len(stream), 0, 0, begin) + head + palette + stream

    def test_run_lengths(self):
        full = b"\x05\x03\x08\x0b\0\0" + b"\0\x07\1\2\3\4\5\6\7\0\x06\x09\0\0" + b"\x0d\x0e\0\0" + b"\x0d\1\0\1"
        self.same(self.write("rle8.bmp", self.rle(8, full)))
        half = b"\x05\x3a\x08\x0b\0\0" + b"\0\x08\x12\x34\x56\x78\x05\x91\0\0" + b"\x0d\xe1\0\0" + b"\x0d\x12\0\1"
        self.same(self.write("rle4.bmp", self.rle(4, half)))
        same = half.replace(b"\0\x08\x12\x34\x56\x78\x05\x91", b"\0\x07\x12\x34\x56\x7f\x01\x88\x05\x91")
        self.same(self.write("odd.bmp", self.rle(4, same)), wanted=pillow(self.path("rle4.bmp")))  # Pillow loses a pixel
        early = b"\x05\x03\0\0\0\2\3\1\4\7\0\1"  # the rest is colour 0
        index = np.zeros((4, 13), int)
        index[3, :5], index[1, 3:7] = 3, 7
        colours = np.array([(i * 11 % 256, i * 5 % 256, 255 - i * 3) for i in range(16)])
        self.same(self.write("delta.bmp", self.rle(8, early)), wanted=colours[index])  # Pillow misreads jumps
        for i, stream in enumerate((full[:12], full[:-3], b"\5\3\0\2", b"\5\3\0\2\1", b"\5\3\0\x09abcd", b"\0\0" * 3 + b"\x0c\1")):
            self.refused(self.write(f"cut{i}.bmp", self.rle(8, stream)), "is damaged")
        rows = b"\0\0" * 3 + b"\x0d\1"  # the last pixel may be the end; what is beyond a row or the last one is left out
        index[:], index[0] = 0, 1
        for i, stream in enumerate((rows, rows + b"\0", b"\0\0" * 3 + b"\x20\1\0\0", b"\0\0" * 3 + b"\x0d\1\0\0\5\3", rows + b"\0\2\0\1")):
            self.same(self.write(f"end{i}.bmp", self.rle(8, stream)), wanted=colours[index])
        odd = bytearray(self.rle(8, full))
        for i, (place, value) in enumerate(((14, 12), (14, 4000), (46, 999), (10, 5000))):  # header, colours, data's place
            changed = bytes(odd[:place]) + struct.pack("<I", value) + bytes(odd[place + 4:])
            found = load(self.write(f"odd{i}.bmp", changed), 8, 8)
            self.assertIsInstance(found, str, place)
        half16 = self.rle(4, half)
        self.same(self.write("unsaid.bmp", half16[:46] + bytes(4) + half16[50:]), wanted=pillow(self.path("rle4.bmp")))

    def png(self, data, header=None, before=b"", end=True):
        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        header = header or (WIDTH, HEIGHT, 8, 2, 0, 0, 0)
        parts = before + chunk(b"IHDR", struct.pack(">IIBBBBB", *header)) + chunk(b"IDAT", data)
        return b"\x89PNG\r\n\x1a\n" + parts + (chunk(b"IEND", b"") if end else b"")

    def test_png(self):
        rgb = picture(3)
        rows = b"".join(b"\0" + row.tobytes() for row in rgb)
        self.same(self.write("unended.png", self.png(zlib.compress(rows), end=False)), wanted=rgb)
        self.refused(self.write("cut.png", self.png(zlib.compress(rows)[:-99], end=False)))
        apple = struct.pack(">I", 4) + b"CgBI\x50\0\x20\x02" + struct.pack(">I", zlib.crc32(b"CgBI\x50\0\x20\x02"))
        raw = zlib.compressobj(wbits=-15)
        swapped = b"".join(b"\0" + np.ascontiguousarray(row[:, ::-1]).tobytes() for row in rgb)
        data = raw.compress(swapped) + raw.flush()
        self.same(self.write("apple.png", self.png(data, before=apple)), wanted=rgb)
        self.refused(self.write("side.png", self.png(data, (40000, 1, 1, 0, 0, 0, 0), apple)), "too large (40000 x 1")

    def test_png_that_expands_without_end(self):
        deflate = zlib.compressobj(9)
        data = b"".join(deflate.compress(b"\0" * 2**24) for _ in range(64)) + deflate.flush()
        path = self.write("bomb.png", self.png(data, (1, 1, 8, 2, 0, 0, 0)))
        begin = time.monotonic()
        self.refused(path, "longer than its pixels")
        self.assertLess(time.monotonic() - begin, 1)

    def test_names_of_what_is_not_read(self):
        def box(major, *brands):
            body = major + b"\0\0\0\0" + b"".join(brands)
            return struct.pack(">I", 8 + len(body)) + b"ftyp" + body + b"\0" * 40
        self.refused(self.write("a.jpg", box(b"heic", b"mif1", b"heic")), "is a HEIC image", "convert it to JPEG or PNG")
        self.refused(self.write("b.jpg", box(b"mif1", b"mif1", b"heic")), "is a HEIC image")
        self.refused(self.write("c.jpg", box(b"avif", b"mif1")), "is an AVIF image")
        self.refused(self.write("d.jpg", box(b"mif1", b"mif1", b"avif")), "is an AVIF image")
        self.refused(self.write("e.jpg", box(b"isom", b"mp42")), "is not a JPEG, PNG, BMP, GIF, WebP or TIFF image")
        self.refused(self.write("f.png", b"\xff\x0a" + b"\0" * 30), "is a JPEG XL image")


if __name__ == "__main__":
    unittest.main()
