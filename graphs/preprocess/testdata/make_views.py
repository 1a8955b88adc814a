#!/usr/bin/env python3
"""Makes views.json: what Pillow makes of parts of the pictures of this folder.
Needs Pillow; versions.txt has the version that made the committed file.

    python3 make_views.py

Of each picture it has parts (left, top, width, height), mirrored or not, and the
SHA-256 of the RGB bytes of crop, resize to 24 x 24 (bicubic), transpose, and then
convert("RGB").
"""
import hashlib
import json
import os
import random

from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = os.path.join(HERE, "pictures")
SIDE = 24
draw = random.Random(5)


def parts(width, height):
    """The whole, a pixel, and some in between."""
    yield 0, 0, width, height
    yield draw.randrange(width), draw.randrange(height), 1, 1
    for _ in range(4):
        w, h = draw.randint(1, width), draw.randint(1, height)
        yield draw.randint(0, width - w), draw.randint(0, height - h), w, h


def main():
    views = {}
    for name in sorted(os.listdir(PICTURES)):
        path = os.path.join(PICTURES, name)
        views[name] = []
        for left, top, width, height in parts(*Image.open(path).size):
            mirrored = draw.random() < 0.5
            image = Image.open(path).crop((left, top, left + width, top + height))
            image = image.resize((SIDE, SIDE), Image.BICUBIC)
            if mirrored:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            rgb = hashlib.sha256(image.convert("RGB").tobytes()).hexdigest()
            views[name].append({"part": [left, top, width, height], "mirrored": mirrored, "rgb": rgb})
    with open(os.path.join(HERE, "views.json"), "w") as f:
        json.dump(views, f, separators=(",", ":"))
        f.write("\n")


main()
