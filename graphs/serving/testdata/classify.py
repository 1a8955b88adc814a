"""Classifies pictures with served classifiers, all in one Python process.

    classify.py OUTPUT.npz NAME=DIR[,NAME=DIR...] PICTURES...

Writes NAME/probabilities, NAME/class and NAME/classes of each.
"""
import sys

import numpy as np
import tensorflow as tf

output, folders, *pictures = sys.argv[1:]
# All are loaded before any runs: they must not share variables or functions.
models = {name: tf.saved_model.load(folder) for name, folder in (f.split("=", 1) for f in folders.split(","))}
files = []
for path in pictures:
    with open(path, "rb") as file:
        files.append(file.read())
results = {}
for name, model in models.items():
    outputs = model.signatures["serving_default"](image_bytes=tf.constant(files))
    outputs.update(model.signatures["class_names"]())
    for key, value in outputs.items():
        value = value.numpy()
        if value.dtype == object:
            value = np.array([v.decode("utf-8") for v in value])
        results[f"{name}/{key}"] = value
np.savez(output, **results)
