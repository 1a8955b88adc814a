#!/usr/bin/env python3
"""Exports a model of one's own to upl-host, from Python.

    export.py --classes classes.txt -o DIR

Any pair of an image and a text encoder that meet in one space will do. The one
here is small and unlike CLIP on purpose: a two-layer convolutional network, a
text encoder that looks both ways, a tokenizer of whole words. Its weights are
random; put your own model into `DualEncoder`, and keep what is below it. The
signatures are described in docs/model-contract.md; `upl-host model check DIR`
tells whether a model keeps them.

Needs: tensorflow (pip install tensorflow-cpu). --classes: a file of class
names, one a line, or of folder<TAB>name.
"""
import argparse
import json
import os
import re
import shutil
import tempfile

import tensorflow as tf

PADDING, START, END, FIRST_WORD = 0, 1, 2, 3


class DualEncoder(tf.Module):
    """An image and a text encoder with random weights."""

    def __init__(self, words, image_size=32, width=48, embedding=32, context_length=32, seed=0):
        super().__init__()
        self.image_size, self.width, self.embedding, self.context_length = image_size, width, embedding, context_length
        generator = tf.random.Generator.from_seed(seed)

        def weight(name, *shape):
            return tf.Variable(generator.normal(shape) * shape[-2] ** -0.5, name=name)

        self.conv1 = tf.Variable(generator.normal([4, 4, 3, 24]) * 0.2, name="conv1")
        self.conv2 = tf.Variable(generator.normal([2, 2, 24, 48]) * 0.15, name="conv2")
        self.image_out = weight("image_out", 48, embedding)
        self.words = weight("words", FIRST_WORD + words, width)
        self.positions = weight("positions", context_length, width)
        self.query, self.key, self.value = (weight(n, width, width) for n in ("query", "key", "value"))
        self.text_out = weight("text_out", width, embedding)

    def images(self, pixels):
        x = tf.nn.relu(tf.nn.conv2d(pixels, self.conv1, 4, "VALID"))
        x = tf.nn.relu(tf.nn.conv2d(x, self.conv2, 2, "VALID"))
        return tf.math.l2_normalize(tf.reduce_mean(x, [1, 2]) @ self.image_out, -1)

    def texts(self, tokens, context=None):
        """Token ids [C, T] to features [C, D]; an id of -k is row k-1 of the context."""
        x = tf.gather(self.words, tf.maximum(tokens, 0))
        if context is not None:
            learnt = tf.gather(tf.pad(context, [[1, 0], [0, 0]]), tf.maximum(-tokens, 0))
            x = tf.where((tokens < 0)[..., None], learnt, x)
        x += self.positions[: tf.shape(tokens)[1]]
        here = tf.cast(tokens != PADDING, tf.float32)
        # Every token sees every other, but no padding.
        scores = tf.matmul(x @ self.query, x @ self.key, transpose_b=True) * self.width**-0.5
        x += tf.nn.softmax(scores - 1e9 * (1 - here[:, None, :])) @ (x @ self.value)
        pooled = tf.reduce_sum(x * here[..., None], 1) / tf.reduce_sum(here, 1, keepdims=True)
        return tf.math.l2_normalize(pooled @ self.text_out, -1)


def signatures(model):
    """The model contract over a model with `images` and `texts`."""
    size, width, embedding = model.image_size, model.width, model.embedding

    def spec(name, *shape, dtype=tf.float32):
        return tf.TensorSpec(shape, dtype, name)

    pixels = spec("pixels", None, size, size, 3)
    tokens = spec("tokens", None, None, dtype=tf.int32)
    context = spec("context", None, width)

    @tf.function(input_signature=[pixels])
    def encode_image(pixels):
        return {"features": model.images(pixels)}

    @tf.function(input_signature=[tokens])
    def encode_text(tokens):
        return {"features": model.texts(tokens)}

    @tf.function(input_signature=[context, tokens])
    def encode_prompt(context, tokens):
        return {"features": model.texts(tokens, context)}

    @tf.function(input_signature=[
        context, tokens, spec("features", None, embedding), spec("targets", None, None), spec("scale"),
    ])
    def prompt_gradient(context, tokens, features, targets, scale):
        with tf.GradientTape() as tape:
            tape.watch(context)
            logits = scale * tf.matmul(features, model.texts(tokens, context), transpose_b=True)
            # Not softmax_cross_entropy_with_logits: its gradient takes each row
            # of targets to sum to 1, and weighted rows do not.
            loss = -tf.reduce_mean(tf.reduce_sum(targets * tf.nn.log_softmax(logits), -1))
        gradient = tf.convert_to_tensor(tape.gradient(loss, context))
        return {"loss": loss, "gradient": gradient, "logits": logits}

    return {
        "encode_image": encode_image,
        "encode_text": encode_text,
        "encode_prompt": encode_prompt,
        "prompt_gradient": prompt_gradient,
    }


def tokenize(text, ids):
    """A toy tokenizer: whole words. Yours brings its own; upl-host sees only its ids."""
    return [ids.setdefault(word, FIRST_WORD + len(ids)) for word in re.findall(r"[a-z0-9]+", text.lower())]


def token_lines(names, templates, vectors):
    """The lines of tokens.jsonl: texts, and prompts with ids below zero."""
    ids, lines = {}, []
    for name in names:
        for template in templates:
            text = template.replace("{}", name)
            lines.append({"text": text, "ids": [START, *tokenize(text, ids), END]})
        prompt = [START, *range(-1, -vectors - 1, -1), *tokenize(name, ids), END]
        lines.append({"text": name, "ids": prompt})
    return lines, len(ids)


def read_names(path):
    with open(path, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t")[-1].replace("_", " ") for line in lines if line.strip()]


def save(model, lines, directory, name):
    """Writes the SavedModel, and what upl-host reads beside it."""
    parent = os.path.dirname(os.path.abspath(directory))
    os.makedirs(parent, exist_ok=True)
    partial = tempfile.mkdtemp(prefix=".export-", dir=parent)
    try:
        tf.saved_model.save(model, partial, signatures=signatures(model))
        extra = os.path.join(partial, "assets.extra")
        os.makedirs(extra, exist_ok=True)
        with open(os.path.join(extra, "tokens.jsonl"), "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with open(os.path.join(extra, "upl.json"), "w", encoding="utf-8") as file:
            json.dump({
                "name": name,
                "image_size": model.image_size,
                "resize_mode": "clip",
                "interpolation": "bicubic",
                "mean": [0.5, 0.5, 0.5],
                "std": [0.5, 0.5, 0.5],
                "tokenizer": {"kind": "tokens", "tokens": "tokens.jsonl"},
                "context_length": model.context_length,
                "logit_scale": 20.0,
                "embedding_width": model.embedding,
                "text_width": model.width,
                "causal": False,
            }, file, indent=2)
        os.chmod(partial, 0o755)
        os.rename(partial, directory)  # whole or not at all
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="Exports a small dual encoder with random weights to upl-host.")
    parser.add_argument("--classes", required=True, help="class names, one a line, or folder<TAB>name")
    parser.add_argument("-o", "--output", required=True, help="the model's folder; must not exist")
    parser.add_argument("--template", action="append", help='default: "a photo of a {}."; may be given more than once')
    parser.add_argument("--context-vectors", type=int, default=16, help="L, of the prompts; default: 16")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = read_names(arguments.classes)
    lines, words = token_lines(names, arguments.template or ["a photo of a {}."], arguments.context_vectors)
    longest = max(len(line["ids"]) for line in lines)
    model = DualEncoder(words, context_length=max(32, longest), seed=arguments.seed)
    save(model, lines, arguments.output, "python-example")
    print(f"{arguments.output}: {len(names)} classes, {words} words")


if __name__ == "__main__":
    main()
