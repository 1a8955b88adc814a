"""ALIGN's kind (Jia et al. 2021, arXiv 2102.05918): EfficientNet's blocks for pictures, BERT's for texts.

The text encoder looks both ways, and the tokenizer is its own: the model brings the
token ids of every text that will be asked for.
"""

import tensorflow as tf

from contract import FIRST_WORD
from towers import TextEncoder, Weights, mean_of_texts


class ALIGN(tf.Module):
    image_size, text_width, embedding_width, logit_scale = 64, 48, 32, 20.0
    text_tower = None
    # Channels, stride and expansion of the blocks (MBConv, Tan & Le 2019, arXiv 1905.11946).
    blocks = ((16, 1, 1), (24, 2, 4), (40, 2, 4))

    def __init__(self, words, longest, seed):
        super().__init__()
        self.context_length = max(32, longest)
        self.weights = Weights(seed)
        self.weights.normal("stem", 3, 3, 3, 16, deviation=27**-0.5)
        channels = 16
        for i, (out, _, expansion) in enumerate(self.blocks):
            wide = channels * expansion
            self.weights.normal(f"{i}.expand", 1, 1, channels, wide, deviation=channels**-0.5)
            self.weights.normal(f"{i}.depthwise", 3, 3, wide, 1, deviation=1 / 3)
            self.weights.linear(f"{i}.squeeze", max(4, wide // 8), wide)
            self.weights.linear(f"{i}.excite", wide, max(4, wide // 8))
            self.weights.normal(f"{i}.project", 1, 1, wide, out, deviation=wide**-0.5)
            channels = out
        self.weights.normal("image_out", channels, self.embedding_width, deviation=channels**-0.5)
        self.text = TextEncoder(self.weights, FIRST_WORD + words, self.text_width, 2, 4, self.context_length, causal=False)
        self.weights.normal("text_out", self.text_width, self.embedding_width, deviation=self.text_width**-0.5)

    def images(self, pixels):
        x = tf.nn.silu(tf.nn.conv2d(pixels, self.weights["stem"], 4, "SAME"))
        for i, (out, stride, _) in enumerate(self.blocks):
            x = self.block(i, x, stride, out)
        return tf.math.l2_normalize(tf.reduce_mean(x, [1, 2]) @ self.weights["image_out"], -1)

    def block(self, i, x, stride, out):
        w = self.weights
        h = tf.nn.silu(tf.nn.conv2d(x, w[f"{i}.expand"], 1, "SAME"))
        h = tf.nn.silu(tf.nn.depthwise_conv2d(h, w[f"{i}.depthwise"], [1, stride, stride, 1], "SAME"))
        squeezed = tf.nn.silu(w.apply_linear(f"{i}.squeeze", tf.reduce_mean(h, [1, 2])))
        h *= tf.sigmoid(w.apply_linear(f"{i}.excite", squeezed))[:, None, None]
        h = tf.nn.conv2d(h, w[f"{i}.project"], 1, "SAME")
        return x + h if stride == 1 and x.shape[-1] == out else h

    def texts(self, tokens, context=None):
        pooled = mean_of_texts(self.text(tokens, context), tokens)
        return tf.math.l2_normalize(pooled @ self.weights["text_out"], -1)


def make(words, longest, seed):
    return ALIGN(words, longest, seed)
