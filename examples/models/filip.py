"""FILIP's and Wukong's kind: token-wise late interaction, by a `similarity` signature.

A picture's features are those of all its patches, a text's those of all its tokens,
each flattened to a row. A picture is as similar to a text as its patches are, in the
mean, each to the text's token that is most like it (Yao et al. 2021, arXiv
2111.07783, eq. 3 and 4). Padding is zeros, which are no token.
"""

import tensorflow as tf

from contract import FIRST_WORD, PADDING
from towers import TextEncoder, VisionTransformer, Weights


class FILIP(tf.Module):
    image_size, text_width, token_width, logit_scale = 64, 64, 32, 25.0
    text_tower = None

    def __init__(self, words, longest, seed):
        super().__init__()
        self.context_length = max(32, longest)
        self.weights = Weights(seed)
        self.visual = VisionTransformer(self.weights, self.image_size, 16, 64, layers=2, heads=4)
        self.text = TextEncoder(self.weights, FIRST_WORD + words, self.text_width, 2, 4, self.context_length, causal=False)
        self.weights.normal("image_out", 64, self.token_width, deviation=1 / 8)
        self.weights.normal("text_out", self.text_width, self.token_width, deviation=1 / 8)
        self.embedding_width = self.visual.tokens * self.token_width

    def images(self, pixels):
        return self.flattened(tf.tensordot(self.visual(pixels), self.weights["image_out"], 1))

    def texts(self, tokens, context=None):
        x = tf.tensordot(self.text(tokens, context), self.weights["text_out"], 1)
        x *= tf.cast(tokens != PADDING, tf.float32)[..., None]
        # As wide whatever the padding.
        return self.flattened(tf.pad(x, [[0, 0], [0, self.context_length - tf.shape(tokens)[1]], [0, 0]]))

    def flattened(self, x):
        """Tokens [N, T, W] at length 1 each, then the row of them all, [N, T * W]."""
        tokens = tf.math.l2_normalize(x, -1)
        width = self.token_width * (self.context_length if x.shape[1] is None else x.shape[1])
        return tf.math.l2_normalize(tf.reshape(tokens, [-1, width]), -1)

    def compare(self, features, class_features):
        """Similarities [B, C] from -1 to 1, without the scale."""
        patches = tf.math.l2_normalize(tf.reshape(features, [tf.shape(features)[0], -1, self.token_width]), -1)
        tokens = tf.math.l2_normalize(
            tf.reshape(class_features, [tf.shape(class_features)[0], -1, self.token_width]), -1
        )
        none = tf.cast(tf.reduce_all(tokens == 0, -1), tf.float32)
        pairs = tf.einsum("bpw,ctw->bcpt", patches, tokens) - 4 * none[None, :, None, :]
        return tf.reduce_mean(tf.reduce_max(pairs, -1), -1)


def make(words, longest, seed):
    return FILIP(words, longest, seed)
