"""What every exporter of this folder shares: the model contract (docs/model-contract.md).

A model here is a tf.Module with

    image_size, text_width, embedding_width, context_length, logit_scale
    images(pixels [N, H, W, 3])            -> features [N, D], of length 1
    texts(tokens [C, T], context=None)     -> class features [C, D], of length 1
    text_tower                             -> upl.json's text_tower, or None
    compare, optional: (features [B, ...], class features [C, ...]) -> [B, C], in place
        of inner products; the model then has a `similarity` signature
"""

import json
import os
import re
import shutil
import tempfile

import tensorflow as tf

PADDING, START, END, FIRST_WORD = 0, 1, 2, 3


def signatures(model):
    """The contract's signatures over a model."""
    size, own = model.image_size, hasattr(model, "compare")
    image_width = None if own else model.embedding_width

    def spec(name, *shape, dtype=tf.float32):
        return tf.TensorSpec(shape, dtype, name)

    def compare(features, classes):
        return model.compare(features, classes) if own else tf.matmul(features, classes, transpose_b=True)

    pixels = spec("pixels", None, size, size, 3)
    tokens = spec("tokens", None, None, dtype=tf.int32)
    context = spec("context", None, model.text_width)
    features = spec("features", None, image_width)

    @tf.function(input_signature=[pixels])
    def encode_image(pixels):
        return {"features": model.images(pixels)}

    @tf.function(input_signature=[tokens])
    def encode_text(tokens):
        return {"features": model.texts(tokens)}

    @tf.function(input_signature=[context, tokens])
    def encode_prompt(context, tokens):
        return {"features": model.texts(tokens, context)}

    @tf.function(input_signature=[context, tokens, features, spec("targets", None, None), spec("scale")])
    def prompt_gradient(context, tokens, features, targets, scale):
        with tf.GradientTape() as tape:
            tape.watch(context)
            logits = scale * compare(features, model.texts(tokens, context))
            # Not softmax_cross_entropy_with_logits: its gradient takes each row
            # of targets to sum to 1, and weighted rows do not.
            loss = -tf.reduce_mean(tf.reduce_sum(targets * tf.nn.log_softmax(logits), -1))
        gradient = tf.convert_to_tensor(tape.gradient(loss, context))
        return {"loss": loss, "gradient": gradient, "logits": logits}

    @tf.function(input_signature=[features, spec("class_features", None, None)])
    def similarity(features, class_features):
        return {"logits": model.logit_scale * compare(features, class_features)}

    all_of_them = {
        "encode_image": encode_image,
        "encode_text": encode_text,
        "encode_prompt": encode_prompt,
        "prompt_gradient": prompt_gradient,
    }
    return {**all_of_them, "similarity": similarity} if own else all_of_them


def embedded(table, tokens, context):
    """Token ids [C, T] to their embeddings [C, T, W]; an id of -k is row k-1 of the context."""
    x = tf.gather(table, tf.maximum(tokens, 0))
    if context is None:
        return x
    learnt = tf.gather(tf.pad(context, [[1, 0], [0, 0]]), tf.maximum(-tokens, 0))
    return tf.where((tokens < 0)[..., None], learnt, x)


def tokenize(text, ids):
    """A toy tokenizer: whole words. Yours brings its own; upl-host sees only its ids."""
    return [ids.setdefault(word, FIRST_WORD + len(ids)) for word in re.findall(r"[a-z0-9]+", text.lower())]


def token_lines(names, templates, vectors):
    """The lines of tokens.jsonl, texts and prompts with ids below zero, and the number of words."""
    ids, lines = {}, []
    for name in names:
        for template in templates:
            text = template.replace("{}", name)
            lines.append({"text": text, "ids": [START, *tokenize(text, ids), END]})
        prompt = [START, *range(-1, -vectors - 1, -1), *tokenize(name, ids), END]
        lines.append({"text": name, "ids": prompt})
    return lines, len(ids)


def read_names(path):
    """Class names, one a line, or folder<TAB>name."""
    with open(path, encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t")[-1].replace("_", " ") for line in lines if line.strip()]


def save(model, lines, directory, name):
    """Writes the SavedModel, and what upl-host reads beside it; without lines the tokenizer is CLIP's own."""
    parent = os.path.dirname(os.path.abspath(directory))
    os.makedirs(parent, exist_ok=True)
    partial = tempfile.mkdtemp(prefix=".export-", dir=parent)
    try:
        tf.saved_model.save(model, partial, signatures=signatures(model))
        extra = os.path.join(partial, "assets.extra")
        os.makedirs(extra, exist_ok=True)
        if lines is not None:
            with open(os.path.join(extra, "tokens.jsonl"), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with open(os.path.join(extra, "upl.json"), "w", encoding="utf-8") as file:
            json.dump(description(model, lines is not None, name), file, indent=2)
        os.chmod(partial, 0o755)
        os.rename(partial, directory)  # whole or not at all
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def description(model, has_tokens, name):
    """upl.json."""
    keys = {
        "name": name,
        "image_size": model.image_size,
        "resize_mode": "clip",
        "interpolation": "bicubic",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "tokenizer": {"kind": "tokens", "tokens": "tokens.jsonl"} if has_tokens else {"kind": "clip"},
        "context_length": model.context_length,
        "logit_scale": model.logit_scale,
        "embedding_width": model.embedding_width,
        "text_width": model.text_width,
        "causal": model.text_tower is not None,
    }
    return keys if model.text_tower is None else {**keys, "text_tower": model.text_tower}
