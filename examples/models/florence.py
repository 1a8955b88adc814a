"""Florence's kind (Yuan et al. 2021, arXiv 2111.11432): a Swin transformer for pictures, a text encoder that looks both ways.

Swin (Liu et al. 2021, arXiv 2103.14030) attends within windows, which every second
block shifts by half their size; between its stages four neighbours become one token.
"""

import numpy as np
import tensorflow as tf

from contract import FIRST_WORD
from towers import TextEncoder, Weights, mean_of_texts

WINDOW = 4


class Swin(tf.Module):
    """Pictures [N, H, W, 3] to [N, width]; a block is (resolution, width, heads, shift)."""

    def __init__(self, weights, image_size, width, stages=2):
        super().__init__()
        self.weights, self.stages = weights, []
        weights.normal("patch", 4, 4, 3, width, deviation=48**-0.5)
        resolution = image_size // 4
        for stage in range(stages):
            if stage > 0:
                weights.norm(f"{stage}.merge", 4 * width)
                weights.normal(f"{stage}.reduce", 4 * width, 2 * width, deviation=(4 * width) ** -0.5)
                resolution, width = resolution // 2, 2 * width
            heads = width // 16
            self.stages.append([(f"{stage}.{shift}", resolution, width, heads, shift) for shift in (0, WINDOW // 2)])
            for name, *_ in self.stages[-1]:
                for norm in ("norm1", "norm2"):
                    weights.norm(f"{name}.{norm}", width)
                weights.linear(f"{name}.qkv", 3 * width, width)
                weights.linear(f"{name}.out", width, width)
                weights.normal(f"{name}.bias", (2 * WINDOW - 1) ** 2, heads, deviation=0.02)
                weights.linear(f"{name}.fc1", 4 * width, width)
                weights.linear(f"{name}.fc2", width, 4 * width)
        weights.norm("norm", width)
        self.width = width

    def __call__(self, pixels):
        w = self.weights
        x = tf.nn.conv2d(pixels, w["patch"], 4, "VALID")
        for stage, blocks in enumerate(self.stages):
            if stage > 0:
                corners = [x[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
                x = tf.tensordot(w.apply_norm(f"{stage}.merge", tf.concat(corners, -1)), w[f"{stage}.reduce"], 1)
            for block in blocks:
                x = self.block(x, *block)
        return tf.reduce_mean(w.apply_norm("norm", x), [1, 2])

    def block(self, x, name, resolution, width, heads, shift):
        w = self.weights
        h = w.apply_norm(f"{name}.norm1", x)
        if shift:
            h = tf.roll(h, [-shift, -shift], [1, 2])
        h = self.attention(windows(h, resolution, width), name, width, heads, hidden(resolution, shift))
        h = whole(h, resolution, width)
        if shift:
            h = tf.roll(h, [shift, shift], [1, 2])
        x += h
        rows = tf.nn.gelu(w.apply_linear(f"{name}.fc1", w.apply_norm(f"{name}.norm2", x)), approximate=False)
        return x + w.apply_linear(f"{name}.fc2", rows)

    def attention(self, x, name, width, heads, mask):
        """x [N * windows, tokens, width]; mask [windows, tokens, tokens] is added to the scores."""
        w, tokens = self.weights, WINDOW * WINDOW
        qkv = tf.reshape(w.apply_linear(f"{name}.qkv", x), [-1, tokens, 3, heads, width // heads])
        q, k, v = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) * (width // heads) ** -0.5
        bias = tf.gather(w[f"{name}.bias"], RELATIVE)  # [tokens, tokens, heads]
        scores += tf.transpose(bias, [2, 0, 1])
        by_window = tf.reshape(scores, [-1, len(mask), heads, tokens, tokens]) + mask[None, :, None]
        values = tf.nn.softmax(tf.reshape(by_window, [-1, heads, tokens, tokens])) @ v
        return w.apply_linear(f"{name}.out", tf.reshape(tf.transpose(values, [0, 2, 1, 3]), [-1, tokens, width]))


def windows(x, resolution, width):
    """[N, R, R, width] to [N * windows, tokens, width]."""
    n = resolution // WINDOW
    x = tf.transpose(tf.reshape(x, [-1, n, WINDOW, n, WINDOW, width]), [0, 1, 3, 2, 4, 5])
    return tf.reshape(x, [-1, WINDOW * WINDOW, width])


def whole(x, resolution, width):
    """The inverse of windows."""
    n = resolution // WINDOW
    x = tf.transpose(tf.reshape(x, [-1, n, n, WINDOW, WINDOW, width]), [0, 1, 3, 2, 4, 5])
    return tf.reshape(x, [-1, resolution, resolution, width])


def hidden(resolution, shift):
    """What hides tokens of a shifted window from those that came round from the other side: [windows, tokens, tokens]."""
    region = np.zeros([resolution, resolution], np.int64)
    if shift:
        edges = (slice(0, -WINDOW), slice(-WINDOW, -shift), slice(-shift, None))
        for i, rows in enumerate(edges):
            for j, columns in enumerate(edges):
                region[rows, columns] = 3 * i + j
    n = resolution // WINDOW
    region = region.reshape(n, WINDOW, n, WINDOW).transpose(0, 2, 1, 3).reshape(n * n, -1)
    return np.where(region[:, :, None] == region[:, None, :], 0, -1e9).astype(np.float32)


def relative():
    """For each pair of tokens of a window the row of the bias table: [tokens, tokens]."""
    places = np.stack(np.meshgrid(np.arange(WINDOW), np.arange(WINDOW), indexing="ij"), -1).reshape(-1, 2)
    offsets = places[:, None] - places[None] + WINDOW - 1
    return offsets[..., 0] * (2 * WINDOW - 1) + offsets[..., 1]


RELATIVE = relative()


class Florence(tf.Module):
    image_size, text_width, embedding_width, logit_scale = 64, 64, 48, 30.0
    text_tower = None

    def __init__(self, words, longest, seed):
        super().__init__()
        self.context_length = max(32, longest)
        self.weights = Weights(seed)
        self.visual = Swin(self.weights, self.image_size, 32)
        self.text = TextEncoder(self.weights, FIRST_WORD + words, self.text_width, 2, 4, self.context_length, causal=False)
        self.weights.normal("image_out", self.visual.width, self.embedding_width, deviation=self.visual.width**-0.5)
        self.weights.normal("text_out", self.text_width, self.embedding_width, deviation=self.text_width**-0.5)

    def images(self, pixels):
        return tf.math.l2_normalize(self.visual(pixels) @ self.weights["image_out"], -1)

    def texts(self, tokens, context=None):
        pooled = mean_of_texts(self.text(tokens, context), tokens)
        return tf.math.l2_normalize(pooled @ self.weights["text_out"], -1)


def make(words, longest, seed):
    return Florence(words, longest, seed)
