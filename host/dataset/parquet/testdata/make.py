"""Makes testdata/datasets and pictures.txt: pip install datasets==5.2.0 pillow==13.0.0"""

import io
import pathlib
import shutil

import datasets
import PIL.Image
import pyarrow.parquet

here = pathlib.Path(__file__).parent
shutil.rmtree(here / "datasets", ignore_errors=True)
lines = []
features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["red", "dark_blue"])})
for split, count in [("test", 3), ("train", 12), ("validation", 8)]:
    rows = []
    for i in range(count):
        out = io.BytesIO()
        colour = [(255, 8 * i, 0), (0, 8 * i, 99)][i % 2] if split != "validation" else (9, 9, 9)
        PIL.Image.new("RGB", (3 + i % 4, 2), colour).save(out, "PNG")
        rows.append({"image": {"bytes": out.getvalue(), "path": f"{i}.png"}, "label": -1 if split == "test" else i % 2})
    data = datasets.Dataset.from_list(rows, features=features)
    file = here / "datasets" / "data" / f"{split}-00000-of-00001.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    if split == "validation":  # pictures twice, in a dictionary and packed: what pyarrow does by itself
        pyarrow.parquet.write_table(data.data.table, file, row_group_size=6)
    else:
        data.to_parquet(file, batch_size=5)  # three row groups of train
    for i, row in enumerate(rows):
        label = features["label"].int2str(row["label"]) if row["label"] >= 0 else ""
        lines.append(f"data/{file.name}/{i:0{len(str(count - 1))}d} {split[:3] if split == 'validation' else split} {label} {row['image']['bytes'].hex()}\n")
(here / "pictures.txt").write_text("".join(lines))
