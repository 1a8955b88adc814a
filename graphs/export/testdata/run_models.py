"""Loads our models with Python's own TensorFlow and runs every signature.

run_models.py INPUTS.npz OUTPUTS.npz NAME=DIR...

An input that is named signature/key is that signature's alone. All models are loaded first, so that any state that they wrongly shared would show.
"""
import sys

import numpy as np
import tensorflow as tf

inputs = np.load(sys.argv[1])
models = {}
for argument in sys.argv[3:]:
    name, folder = argument.split("=", 1)
    models[name] = tf.saved_model.load(folder)

outputs = {}
for name, model in models.items():
    for signature, function in model.signatures.items():
        keys = function.structured_input_signature[1]
        own = {key: f"{signature}/{key}" for key in keys}
        result = function(**{key: tf.constant(inputs[own[key] if own[key] in inputs else key]) for key in keys})
        for key, value in result.items():
            outputs[f"{name}/{signature}/{key}"] = value.numpy()
np.savez(sys.argv[2], **outputs)
