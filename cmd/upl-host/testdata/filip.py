"""What upl-host's run of a FILIP model should say, computed anew: filip.py RUN MODEL PROMPTS.

Encoders are the SavedModel's own, a text at a time and unpadded; what compares their
tokens, averages and normalises is numpy's, in float64. PROMPTS has the texts of each class.
Prints how far the run is off.
"""

import csv
import json
import struct
import sys

import numpy as np
import tensorflow as tf

TOKEN_WIDTH = 32

run, folder, said = sys.argv[1:]
model = tf.saved_model.load(folder)
signatures = model.signatures
with open(f"{folder}/assets.extra/upl.json", encoding="utf-8") as file:
    scale = json.load(file)["logit_scale"]
with open(f"{folder}/assets.extra/tokens.jsonl", encoding="utf-8") as file:
    lines = [json.loads(line) for line in file]
texts = {line["text"]: line["ids"] for line in lines if min(line["ids"]) >= 0}
prompts = {line["text"]: line["ids"] for line in lines if min(line["ids"]) < 0}


def table(name):
    with open(f"{run}/{name}", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tensor(name, path):
    """One tensor of a safetensors file of float32."""
    with open(f"{run}/{path}", "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))[name]
        data = file.read()[slice(*header["data_offsets"])]
    return np.frombuffer(data, "<f4").reshape(header["shape"])


def tokens(features, count=None):
    """Rows of flattened tokens to [N, T, W], of length 1; count: those that are no padding."""
    t = np.asarray(features, np.float64).reshape(len(features), -1, TOKEN_WIDTH)[:, :count]
    return t / np.linalg.norm(t, axis=-1, keepdims=True)


def compared(ids, context=None):
    """The logits of all pictures and one text: each patch and the token most like it."""
    row = tf.constant([ids], tf.int32)
    if context is None:
        features = signatures["encode_text"](tokens=row)["features"]
    else:
        features = signatures["encode_prompt"](context=tf.constant(context), tokens=row)["features"]
    text = tokens(features.numpy(), len(ids))[0]
    return scale * (patches @ text.T).max(-1).mean(-1)


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def gradient_off(context):
    """The exported gradient against that of a loss put together here, in TensorFlow."""
    some, ids = features[:6], list(prompts.values())
    targets = np.eye(len(ids), dtype=np.float32)[np.arange(6) * 3] * np.float32(0.5)
    longest = max(map(len, ids))
    padded = tf.constant([row + [0] * (longest - len(row)) for row in ids], tf.int32)
    v = tf.constant(context)
    with tf.GradientTape() as tape:
        tape.watch(v)
        columns = []
        for row in ids:
            text = signatures["encode_prompt"](context=v, tokens=tf.constant([row], tf.int32))["features"]
            text = tf.math.l2_normalize(tf.reshape(text, [-1, TOKEN_WIDTH])[: len(row)], -1)
            pairs = tf.tensordot(tf.constant(tokens(some), tf.float32), text, [[-1], [-1]])
            columns.append(scale * tf.reduce_mean(tf.reduce_max(pairs, -1), -1))
        loss = -tf.reduce_mean(tf.reduce_sum(targets * tf.nn.log_softmax(tf.stack(columns, 1)), 1))
    want = tape.gradient(loss, v).numpy()
    got = signatures["prompt_gradient"](
        context=v, tokens=padded, features=tf.constant(some), targets=tf.constant(targets), scale=tf.constant(scale)
    )
    return {
        "loss": float(abs(got["loss"] - loss)),
        "gradient": float(np.linalg.norm(got["gradient"] - want) / np.linalg.norm(want)),
    }


names = [row["name"] for row in table("classes.csv")]
features = np.load(f"{run}/features/filip.npy")
patches = tokens(features)
pictures = table("pictures.csv")
unlabeled = [i for i, row in enumerate(pictures) if row["split"] in ("unlabeled", "both")]
test = [i for i, row in enumerate(pictures) if row["split"] in ("test", "both")]
predictions = table("predictions.csv")
assert [pictures[i]["path"] for i in test] == [row["path"] for row in predictions]
with open(f"{run}/metrics.json", encoding="utf-8") as file:
    metrics = json.load(file)

with open(said, encoding="utf-8") as file:
    said = json.load(file)
zero_shot = np.stack([np.mean([compared(texts[text]) for text in said[n]], 0) for n in names], 1)

seeds = metrics["learned"]["seeds"]
contexts = [tensor("context", f"contexts/seed-{s['seed']}.safetensors") for s in seeds]
learned = [np.stack([compared(prompts[n], context) for n in names], 1) for context in contexts]


def off(logits, column):
    p = softmax(logits)[test]
    assert [names[i] for i in p.argmax(1)] == [row[column] for row in predictions], column
    return float(np.abs(p.max(1) - [float(row[column + "_probability"]) for row in predictions]).max())


def top1_off(logits, reported):
    right = [names[i] == row["label"] for i, row in zip(logits[test].argmax(1), predictions)]
    return abs(float(np.mean(right)) - reported["top1"])


ensembles = metrics["learned"]["ensembles"]
print(json.dumps({
    "probabilities": float(np.abs(softmax(zero_shot)[unlabeled] - np.load(f"{run}/probabilities/filip.npy")).max()),
    "zero-shot predictions": off(zero_shot, "zero_shot"),
    "learned predictions": off(np.mean(learned, 0), "learned"),
    "accuracy of seeds": max(map(top1_off, learned, seeds)),
    "accuracy of ensembles": max(top1_off(np.mean(learned[: e["size"]], 0), e) for e in ensembles),
    **gradient_off(contexts[0]),
}))
