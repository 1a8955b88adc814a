"""CLIP's own kind: a vision transformer, a causal text transformer, CLIP's tokenizer.

Its upl.json names the text tower's weights, so that upl-host learns prompts by its
packed gradient over them, and texts may be any: there is no list of token ids.
"""

import tensorflow as tf

from towers import TextEncoder, VisionTransformer, Weights

VOCABULARY = 49408  # of CLIP's byte-pair encoding


class CausalCLIP(tf.Module):
    image_size, text_width, embedding_width, context_length, logit_scale = 64, 64, 48, 77, 40.0

    def __init__(self, seed):
        super().__init__()
        self.weights = Weights(seed)
        self.visual = VisionTransformer(self.weights, self.image_size, 16, 96, layers=2, heads=4)
        self.text = TextEncoder(self.weights, VOCABULARY, self.text_width, 2, 4, self.context_length, causal=True)
        self.weights.normal("visual.proj", 96, self.embedding_width, deviation=96**-0.5)
        self.weights.normal("text_projection", self.text_width, self.embedding_width, deviation=self.text_width**-0.5)
        self.text_tower = self.text.tower("text_projection")

    def images(self, pixels):
        return tf.math.l2_normalize(tf.reduce_mean(self.visual(pixels), 1) @ self.weights["visual.proj"], -1)

    def texts(self, tokens, context=None):
        end = tf.argmax(tokens, 1, tf.int32)  # CLIP's end token has the largest id
        states = tf.gather(self.text(tokens, context), end, batch_dims=1)
        return tf.math.l2_normalize(states @ self.weights["text_projection"], -1)


def make(words, longest, seed):
    del words, longest  # CLIP's tokenizer, whatever the texts
    return CausalCLIP(seed)
