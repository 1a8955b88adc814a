// Package serving is the room of classifiers that stand on their own: one
// SavedModel with encoded pictures in and class probabilities out, made of a
// model's SavedModel and of class features. TensorFlow Serving and Python's
// tf.saved_model.load run it, without this program. docs/export-classifier.md
// is its users' description.
//
// The graph is composed as a proto around the model's own, whoever exported it:
// writing needs no TensorFlow, and builds with or without it.
package serving
