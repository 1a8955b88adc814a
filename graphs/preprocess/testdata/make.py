#!/usr/bin/env python3
"""Makes the cases of this folder: small pictures of every kind that the package
reads, and what Pillow makes of them. Needs Pillow and numpy; the versions that
made the committed files are in versions.txt.

    python3 make.py

expected.json has each picture's mode and size in Pillow, and the SHA-256 of the
RGB bytes of
  rgb             convert("RGB") of the whole picture
  clip-bicubic    24 pixels: shorter side, centre, and then convert("RGB")
  clip-bilinear   the same, bilinear
  squash-bicubic  both sides to 24
expected.npz has the bytes of rgb themselves for JPEG, which is not equal to the
bit in every build. demo.json is about the pictures of examples/demo.
"""
import hashlib
import io
import json
import os
import struct
import zlib

import numpy as np
import PIL
from PIL import Image, features

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = os.path.join(HERE, "pictures")
SIDE = 24
rng = np.random.default_rng(7)


def scene(w, h, bands):
    """Something with slopes, edges and noise."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    out = np.empty((h, w, bands))
    for b in range(bands):
        wave = np.sin(x / (3 + b) + b) * np.cos(y / (4 + 2 * b) - b)
        out[..., b] = 128 + 90 * wave + 60 * ((x + y * (b + 1)) % 17 > 8) - 30
    out += rng.normal(0, 8, out.shape)
    return np.clip(out, 0, 255).astype(np.uint8)


def picture(mode, w, h):
    bands = len(Image.new(mode, (1, 1)).getbands())
    a = scene(w, h, bands)
    if mode in ("LA", "RGBA"):
        a[: h // 4, :, -1] = 0
        a[h // 4 : h // 3, :, -1] = 255
    return Image.fromarray(a[..., 0] if bands == 1 else a, mode)


def save(name, image, **options):
    image.save(os.path.join(PICTURES, name), **options)


def write(name, data):
    with open(os.path.join(PICTURES, name), "wb") as f:
        f.write(data)


def paletted(w, h, colours=40):
    return picture("RGB", w, h).quantize(colours)


def jpegs():
    rgb = picture("RGB", 67, 45)
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        save(f"jpeg-{name}.jpg", rgb, quality=85, subsampling=sampling)
        save(f"jpeg-{name}-progressive.jpg", rgb, quality=70, subsampling=sampling, progressive=True)
    refactor("jpeg-440.jpg", 0x12, 24, 141)
    refactor("jpeg-411.jpg", 0x41, 93, 24)
    save("jpeg-rgb.jpg", rgb, quality=85, keep_rgb=True)
    save("jpeg-restart.jpg", rgb, quality=85, restart_marker_blocks=3)
    save("jpeg-optimised.jpg", rgb, quality=30, optimize=True)
    save("jpeg-exif.jpg", rgb, quality=85, exif=orientation(6))
    save("jpeg-grey.jpg", picture("L", 50, 70), quality=85)
    save("jpeg-grey-progressive.jpg", picture("L", 50, 70), quality=85, progressive=True)
    for w, h in ((1, 1), (2, 2), (3, 1), (1, 9), (5, 3), (16, 16), (17, 33)):
        save(f"jpeg-{w}x{h}.jpg", picture("RGB", w, h), quality=85, subsampling=2)
    inks = picture("CMYK", 60, 41)
    save("jpeg-cmyk.jpg", inks, quality=90)
    save("jpeg-cmyk-progressive.jpg", inks, quality=90, progressive=True)
    cmyk = read("jpeg-cmyk.jpg")
    at = cmyk.index(b"\xff\xee")
    write("jpeg-ycck.jpg", cmyk[: at + 15] + b"\x02" + cmyk[at + 16 :])
    write("jpeg-cmyk-plain.jpg", cmyk[:at] + cmyk[at + 16 :])
    # 20 units of 4 blocks become 8 units of 10, with two of the inks at half size.
    buffer = io.BytesIO()
    picture("CMYK", 40, 32).save(buffer, "JPEG", quality=90)
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 31, 61)
    data[at + 11] = data[at + 20] = 0x22
    write("jpeg-cmyk-420.jpg", bytes(data))
    data[data.index(b"\xff\xee") + 15] = 2
    write("jpeg-ycck-420.jpg", bytes(data))


def read(name):
    with open(os.path.join(PICTURES, name), "rb") as f:
        return f.read()


def refactor(name, factors, w, h):
    """Writes a JPEG of luma factors that Pillow does not write: the units of one
    that it does, laid out as w x h."""
    buffer = io.BytesIO()
    across, down = factors >> 4, factors & 15
    blocks = -(-w // (8 * across)) * -(-h // (8 * down))
    # As many luma blocks in a unit: 4:2:2 has two of them, 4:2:0 four.
    source = {2: 1, 4: 2}[across * down]
    side = (16 * blocks, 8) if source == 1 else (16 * blocks, 16)
    picture("RGB", *side).save(buffer, "JPEG", quality=85, subsampling=source)
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", h, w)
    data[at + 11] = factors
    write(name, bytes(data))


def orientation(n):
    exif = Image.Exif()
    exif[0x0112] = n
    return exif


def pngs():
    for depth, dtype in ((1, "1"), (8, "L")):
        save(f"png-grey{depth}.png", picture("L", 53, 38).convert(dtype))
    for bits in (2, 4):
        a = np.asarray(picture("L", 53, 38)) >> (8 - bits)
        raw_png(f"png-grey{bits}.png", a, bits, 0)
    wide = (np.asarray(picture("L", 53, 38)).astype(np.uint16) * 3) - 200
    wide = np.clip(wide.astype(np.int32), 0, 65535).astype(np.uint16)
    wide[::7] = rng.integers(0, 65536, wide[::7].shape)
    save("png-grey16.png", Image.fromarray(wide))
    save("png-grey16-24.png", Image.fromarray(wide[:24, :24].copy()))
    raw_png("png-grey8-transparent.png", np.asarray(picture("L", 53, 38)), 8, 0, trns=struct.pack(">H", 100))
    raw_png("png-grey1-transparent.png", np.asarray(picture("L", 53, 38)) >> 7, 1, 0, trns=struct.pack(">H", 1))
    raw_png("png-grey16-transparent.png", wide, 16, 0, trns=struct.pack(">H", int(wide[3, 3])))
    save("png-grey-alpha.png", picture("LA", 53, 38))
    a16 = rng.integers(0, 65536, (30, 41, 2), dtype=np.uint16)
    raw_png("png-grey-alpha16.png", a16, 16, 4)
    save("png-rgb.png", picture("RGB", 53, 38))
    rgb16 = rng.integers(0, 65536, (30, 41, 3), dtype=np.uint16)
    raw_png("png-rgb16.png", rgb16, 16, 2)
    raw_png("png-rgb16-transparent.png", rgb16, 16, 2, trns=rgb16[3, 3].astype(">u2").tobytes())
    save("png-rgb-transparent.png", picture("RGB", 53, 38), transparency=(12, 34, 56))
    save("png-rgba.png", picture("RGBA", 53, 38))
    save("png-rgba-24.png", picture("RGBA", 24, 24))
    save("png-rgba-wide.png", picture("RGBA", 60, 24))
    rgba16 = rng.integers(0, 65536, (30, 41, 4), dtype=np.uint16)
    raw_png("png-rgba16.png", rgba16, 16, 6)
    for bits in (1, 2, 4, 8):
        save(f"png-palette{bits}.png", paletted(53, 38, 1 << min(bits, 7)), bits=bits)
    save("png-palette-transparent.png", paletted(53, 38), transparency=bytes(range(0, 200, 5)))
    save("png-palette-one-transparent.png", paletted(53, 38), transparency=3)
    for name, mode, bits, colour in (("rgb", "RGB", 8, 2), ("grey", "L", 8, 0)):
        interlaced_png(f"png-{name}-interlaced.png", np.asarray(picture(mode, 29, 21)), bits, colour)
    for w, h in ((1, 1), (1, 50), (50, 1), (3, 2), (24, 25), (25, 24), (24, 24), (200, 11)):
        save(f"png-{w}x{h}.png", picture("RGB", w, h))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pack(rows, bits):
    """Rows of samples as PNG's bytes, without filters."""
    out = b""
    for row in rows:
        samples = row.reshape(-1)
        if bits == 16:
            line = samples.astype(">u2").tobytes()
        elif bits == 8:
            line = samples.astype(np.uint8).tobytes()
        else:
            bools = ((samples[:, None] >> np.arange(bits - 1, -1, -1)) & 1).astype(np.uint8)
            line = np.packbits(bools.reshape(-1)).tobytes()
        out += b"\0" + line
    return out


def raw_png(name, a, bits, colour, trns=None, interlace=0, data=None):
    h, w = a.shape[:2]
    header = struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, interlace)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if trns:
        out += chunk(b"tRNS", trns)
    out += chunk(b"IDAT", zlib.compress(data if data is not None else pack(a, bits))) + chunk(b"IEND", b"")
    write(name, out)


def interlaced_png(name, a, bits, colour):
    data = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = a[y::dy, x::dx]
        if part.size:
            data += pack(part, bits)
    raw_png(name, a, bits, colour, interlace=1, data=data)


def gifs():
    save("gif-palette.gif", paletted(53, 38))
    save("gif-interlaced.gif", paletted(53, 38), interlace=1)
    save("gif-grey.gif", picture("L", 53, 38), optimize=False)
    save("gif-transparent.gif", paletted(53, 38), transparency=5)
    frames = [paletted(53, 38) for _ in range(3)]
    save("gif-animated.gif", frames[0], save_all=True, append_images=frames[1:], duration=50, loop=0)
    data = read("gif-palette.gif")
    # A screen larger than its frame, which lies away from the corner.
    wide = bytearray(data)
    wide[6:10] = struct.pack("<HH", 70, 60)
    at = wide.index(b",\0\0\0\0", 13 + 3 * 2 ** ((wide[10] & 7) + 1))
    wide[at + 1 : at + 5] = struct.pack("<HH", 9, 11)
    write("gif-offset.gif", bytes(wide))
    transparent = bytearray(read("gif-transparent.gif"))
    transparent[6:10] = struct.pack("<HH", 70, 60)
    write("gif-offset-transparent.gif", bytes(transparent))
    small = bytearray(data)
    small[6:10] = struct.pack("<HH", 20, 10)
    write("gif-screen-too-small.gif", bytes(small))
    save("gif-1x1.gif", paletted(1, 1, 1))


def webps():
    rgb, rgba = picture("RGB", 67, 45), picture("RGBA", 67, 45)
    save("webp-lossy.webp", rgb, quality=80)
    save("webp-lossy-low.webp", rgb, quality=5, method=6)
    save("webp-lossy-alpha.webp", rgba, quality=80)
    save("webp-lossy-alpha-low.webp", rgba, quality=50, alpha_quality=30, method=6)
    save("webp-lossless.webp", rgb, lossless=True)
    save("webp-lossless-alpha.webp", rgba, lossless=True, exact=True)
    save("webp-lossless-palette.webp", paletted(67, 45, 12).convert("RGB"), lossless=True)
    save("webp-exif.webp", rgb, quality=80, exif=orientation(6))
    frames = [picture("RGB", 40, 30) for _ in range(2)]
    save("webp-animated.webp", frames[0], save_all=True, append_images=frames[1:], duration=50)
    frames = [picture("RGBA", 40, 30) for _ in range(2)]
    save("webp-animated-alpha.webp", frames[0], save_all=True, append_images=frames[1:], duration=50)
    still = np.zeros((30, 40, 4), np.uint8)
    still[8:20, 10:30] = np.asarray(picture("RGBA", 20, 12))
    still[8:20, 10:30, 3] |= 1
    second = picture("RGBA", 40, 30)
    save("webp-animated-offset.webp", Image.fromarray(still), save_all=True, append_images=[second], duration=50, lossless=True, kmax=0)
    for w, h in ((1, 1), (2, 2), (1, 8), (7, 1), (16, 16), (17, 18)):
        save(f"webp-{w}x{h}.webp", picture("RGB", w, h), quality=90)
    save("webp-lossless-1x1.webp", picture("RGB", 1, 1), lossless=True)


def bmps():
    save("bmp-rgb.bmp", picture("RGB", 53, 38))
    save("bmp-grey.bmp", picture("L", 53, 38))
    save("bmp-bilevel.bmp", picture("L", 53, 38).convert("1"))
    save("bmp-palette.bmp", paletted(53, 38))
    save("bmp-rgba.bmp", picture("RGBA", 53, 38))
    w, h = 20, 10
    bgrx = np.asarray(picture("RGBA", w, h)).tobytes()
    head = struct.pack("<2sIHHI", b"BM", 54 + len(bgrx), 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, w, -h, 1, 32, 0, len(bgrx), 2835, 2835, 0, 0)
    write("bmp-rgbx-topdown.bmp", head + info + bgrx)
    v4 = struct.pack("<IiiHHIIiiII", 108, w, h, 1, 32, 0, len(bgrx), 2835, 2835, 0, 0) + bytes(68)
    head = struct.pack("<2sIHHI", b"BM", 122 + len(bgrx), 0, 0, 122)
    write("bmp-v4-plain.bmp", head + v4 + bgrx)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    v4 = struct.pack("<IiiHHIIiiII", 108, w, h, 1, 32, 3, len(bgrx), 2835, 2835, 0, 0) + masks + bytes(52)
    write("bmp-v4-alpha.bmp", head + v4 + bgrx)


def tiffs():
    rgb = picture("RGB", 53, 38)
    save("tiff-rgb.tif", rgb)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        save(f"tiff-rgb-{compression}.tif", rgb, compression=compression)
    save("tiff-grey.tif", picture("L", 53, 38))
    save("tiff-bilevel.tif", picture("L", 53, 38).convert("1"))
    for compression in ("group3", "group4"):
        save(f"tiff-{compression}.tif", picture("L", 53, 38).convert("1"), compression=compression)
    save("tiff-palette.tif", paletted(53, 38))
    save("tiff-rgba.tif", picture("RGBA", 53, 38))
    wide = rng.integers(0, 400, (38, 53)).astype(np.uint16)
    save("tiff-grey16.tif", Image.fromarray(wide))
    for n in range(2, 9):
        save(f"tiff-orientation{n}.tif", picture("RGB", 33, 20), tiffinfo={274: n})
    for name, source, kind in (("white-is-zero", "tiff-grey.tif", 262), ("group4-white-is-zero", "tiff-group4.tif", 262), ("grey16-white-is-zero", "tiff-grey16.tif", 262)):
        data = bytearray(read(source))
        set_tag(data, kind, 0)
        write(f"tiff-{name}.tif", bytes(data))
    data = bytearray(read("tiff-rgba.tif"))
    set_tag(data, 338, 1)
    write("tiff-premultiplied.tif", bytes(data))


def set_tag(data, tag, value):
    at = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * i
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<H", data, entry + 8, value)
            return
    raise KeyError(tag)


def clip(image, interpolation, side=SIDE):
    """torchvision's Resize and CenterCrop, then open_clip's convert."""
    w, h = image.size
    if w <= h:
        size = side, int(side * h / w)
    else:
        size = int(side * w / h), side
    image = image.resize(size, interpolation)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return image.crop((left, top, left + side, top + side)).convert("RGB")


def demo(target):
    """The number of the demo's pictures, and the digest of them all at 64 pixels,
    in the order of their paths."""
    root = os.path.join(HERE, "../../../examples/demo/images", target)
    paths = sorted(os.path.join(d, f) for d, _, files in os.walk(root) for f in files)
    digest = hashlib.sha256()
    for path in paths:
        digest.update(clip(Image.open(path), Image.BICUBIC, 64).tobytes())
    return {"pictures": len(paths), "clip-bicubic": digest.hexdigest()}


def main():
    os.makedirs(PICTURES, exist_ok=True)
    for make in (jpegs, pngs, gifs, webps, bmps, tiffs):
        make()
    expected, arrays = {}, {}
    for name in sorted(os.listdir(PICTURES)):

        def opened():
            return Image.open(os.path.join(PICTURES, name))

        whole = opened()
        whole.load()
        pixels = {
            "rgb": whole.convert("RGB"),
            "clip-bicubic": clip(opened(), Image.BICUBIC),
            "clip-bilinear": clip(opened(), Image.BILINEAR),
            "squash-bicubic": opened().resize((SIDE, SIDE), Image.BICUBIC).convert("RGB"),
        }
        expected[name] = {"mode": whole.mode, "width": whole.width, "height": whole.height}
        for key, image in pixels.items():
            expected[name][key] = hashlib.sha256(image.tobytes()).hexdigest()
        if name.endswith(".jpg"):
            arrays[name] = np.asarray(pixels["rgb"])
    with open(os.path.join(HERE, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")
    np.savez_compressed(os.path.join(HERE, "expected.npz"), **arrays)
    with open(os.path.join(HERE, "demo.json"), "w") as f:
        json.dump({target: demo(target) for target in ("glyphs", "rendered")}, f, indent=1)
        f.write("\n")
    with open(os.path.join(HERE, "versions.txt"), "w") as f:
        print("Pillow", PIL.__version__, file=f)
        print("numpy", np.__version__, file=f)
        for name in ("libjpeg_turbo", "webp", "libtiff"):
            print(name, features.version(name), file=f)


main()
