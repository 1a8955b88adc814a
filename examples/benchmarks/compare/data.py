"""What is computed upon: class names and pictures, the same ones for every side."""

import importlib.util
import runpy
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, QUALITY = 500, 375, 90
CELL = 32  # pixels from one colour to the next
NOISE = 8.0  # levels


def class_names(count: int) -> list[str]:
    """Names of a data set of that size: Oxford Pets' 37, Food-101's; else as many of ImageNet's."""
    for name in ("pets", "food101"):
        names = (Path(__file__).parent / "classes" / f"{name}.txt").read_text().splitlines()
        if len(names) == count:
            return names
    return imagenet_names()[:: 1000 // count][:count]


def imagenet_names() -> list[str]:
    """The 1000 names that open_clip has, of which two are there twice."""
    package = importlib.util.find_spec("open_clip")  # not imported: that takes seconds
    assert package is not None and package.origin is not None
    metadata = runpy.run_path(str(Path(package.origin).parent / "zero_shot_metadata.py"))
    names: dict[str, None] = {}
    for name in metadata["IMAGENET_CLASSNAMES"]:
        names[name if name not in names else f"another {name}"] = None
    return list(names)


def picture(seed: int) -> Image.Image:
    """Colours that flow into each other, with noise: as slow to decode as a photograph."""
    random = np.random.default_rng(seed)
    grid = random.integers(0, 256, (HEIGHT // CELL + 2, WIDTH // CELL + 2, 3), np.uint8)
    large = (grid.shape[1] * CELL, grid.shape[0] * CELL)
    smooth = np.asarray(Image.fromarray(grid).resize(large, Image.Resampling.BICUBIC), np.float32)[:HEIGHT, :WIDTH]
    return Image.fromarray(np.clip(smooth + random.normal(0, NOISE, smooth.shape), 0, 255).astype(np.uint8))


def write_pictures(folder: Path, count: int, classes: int = 1) -> list[Path]:
    """Writes JPEG files of 500 x 375, in a folder a class; those that are there stay."""
    files = []
    for number in range(count):
        file = folder / f"class {number % classes:03}" / f"{number:06}.jpg"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            picture(number).save(file, quality=QUALITY)
        files.append(file)
    return files
