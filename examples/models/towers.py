"""Encoders that the models of this folder are made of, small, with random weights."""

import tensorflow as tf

from contract import PADDING, embedded

EPSILON = 1e-5


class Weights(tf.Module):
    """Variables by name, drawn from a seed, in PyTorch's layouts: linear layers are [out, in]."""

    def __init__(self, seed):
        super().__init__()
        self.generator = tf.random.Generator.from_seed(seed)
        self.of = {}

    def __getitem__(self, name):
        return self.of[name]

    def normal(self, name, *shape, deviation):
        self.of[name] = tf.Variable(self.generator.normal(shape) * deviation, name=name)

    def linear(self, name, outputs, inputs, separator="."):
        self.normal(f"{name}{separator}weight", outputs, inputs, deviation=inputs**-0.5)
        self.of[f"{name}{separator}bias"] = tf.Variable(tf.zeros([outputs]), name=f"{name}{separator}bias")

    def norm(self, name, width):
        self.of[f"{name}.weight"] = tf.Variable(tf.ones([width]), name=f"{name}.weight")
        self.of[f"{name}.bias"] = tf.Variable(tf.zeros([width]), name=f"{name}.bias")

    def apply_linear(self, name, x, separator="."):
        product = tf.tensordot(x, self[f"{name}{separator}weight"], [[-1], [1]])
        return product + self[f"{name}{separator}bias"]

    def apply_norm(self, name, x):
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + EPSILON) * self[f"{name}.weight"] + self[f"{name}.bias"]


class Transformer(tf.Module):
    """Pre-LN blocks, named as in open_clip."""

    def __init__(self, weights, prefix, width, layers, heads):
        super().__init__()
        self.weights, self.width, self.heads = weights, width, heads
        self.blocks = [f"{prefix}transformer.resblocks.{layer}." for layer in range(layers)]
        for block in self.blocks:
            for norm in ("ln_1", "ln_2"):
                weights.norm(block + norm, width)
            weights.linear(block + "attn.in_proj", 3 * width, width, "_")
            weights.linear(block + "attn.out_proj", width, width)
            weights.linear(block + "mlp.c_fc", 4 * width, width)
            weights.linear(block + "mlp.c_proj", width, 4 * width)

    def __call__(self, x, hidden=None):
        """x [N, T, W]; hidden, [N or 1, 1, T or 1, T], is added to the scores of what must not be seen."""
        w = self.weights
        for block in self.blocks:
            x += w.apply_linear(block + "attn.out_proj", self.attention(block, w.apply_norm(block + "ln_1", x), hidden))
            rows = w.apply_linear(block + "mlp.c_fc", w.apply_norm(block + "ln_2", x))
            x += w.apply_linear(block + "mlp.c_proj", tf.nn.gelu(rows, approximate=False))
        return x

    def attention(self, block, x, hidden):
        qkv = self.weights.apply_linear(block + "attn.in_proj", x, "_")
        n, length = tf.shape(x)[0], tf.shape(x)[1]
        qkv = tf.reshape(qkv, [n, length, 3, self.heads, self.width // self.heads])
        q, k, v = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) * (self.width // self.heads) ** -0.5
        if hidden is not None:
            scores += hidden
        return tf.reshape(tf.transpose(tf.nn.softmax(scores) @ v, [0, 2, 1, 3]), [n, length, self.width])


class TextEncoder(tf.Module):
    """Token ids to the hidden states of a transformer that sees only what is before a token, or all of a text."""

    def __init__(self, weights, vocabulary, width, layers, heads, context_length, causal):
        super().__init__()
        self.weights, self.width, self.context_length, self.causal = weights, width, context_length, causal
        self.layers, self.heads, self.vocabulary = layers, heads, vocabulary
        weights.normal("token_embedding.weight", vocabulary, width, deviation=0.02)
        weights.normal("positional_embedding", context_length, width, deviation=0.01)
        self.transformer = Transformer(weights, "", width, layers, heads)
        weights.norm("ln_final", width)

    def __call__(self, tokens, context=None):
        """tokens [C, T] to hidden states [C, T, W]; an id of -k is row k-1 of the context."""
        length = tf.shape(tokens)[1]
        x = embedded(self.weights["token_embedding.weight"], tokens, context)
        x += self.weights["positional_embedding"][:length]
        if self.causal:
            seen = tf.linalg.band_part(tf.ones([length, length]), -1, 0)[None, None]
        else:
            seen = tf.cast(tokens != PADDING, tf.float32)[:, None, None, :]
        return self.weights.apply_norm("ln_final", self.transformer(x, -1e9 * (1 - seen)))

    def tower(self, projection):
        """upl.json's text_tower, by which upl-host computes prompts over these weights in fewer operations."""
        names = ["token_embedding.weight", "positional_embedding", "ln_final.weight", "ln_final.bias", projection]
        names += [name for name in self.weights.of if name.startswith("transformer.")]
        return {
            "layers": self.layers,
            "heads": self.heads,
            "mlp_width": 4 * self.width,
            "vocabulary": self.vocabulary,
            "quick_gelu": False,
            "layer_norm_epsilon": EPSILON,
            "variables": {name: self.weights[name].name.removesuffix(":0") for name in names},
        }


class VisionTransformer(tf.Module):
    """Pictures to the hidden states of their patches."""

    def __init__(self, weights, image_size, patch, width, layers, heads):
        super().__init__()
        self.weights, self.patch, self.width, self.tokens = weights, patch, width, (image_size // patch) ** 2
        weights.normal("visual.conv1.weight", patch, patch, 3, width, deviation=(3 * patch * patch) ** -0.5)
        weights.normal("visual.positional_embedding", self.tokens, width, deviation=0.02)
        self.transformer = Transformer(weights, "visual.", width, layers, heads)
        weights.norm("visual.ln_post", width)

    def __call__(self, pixels):
        """pixels [N, H, W, 3] to [N, patches, width]."""
        x = tf.nn.conv2d(pixels, self.weights["visual.conv1.weight"], self.patch, "VALID")
        x = tf.reshape(x, [-1, self.tokens, self.width]) + self.weights["visual.positional_embedding"]
        return self.weights.apply_norm("visual.ln_post", self.transformer(x))


def mean_of_texts(states, tokens):
    """The mean over a text's tokens, without padding: [C, T, W] to [C, W]."""
    here = tf.cast(tokens != PADDING, tf.float32)[..., None]
    return tf.reduce_sum(states * here, 1) / tf.reduce_sum(here, 1)
