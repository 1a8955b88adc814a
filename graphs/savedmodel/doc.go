// Package savedmodel is the room of TensorFlow's SavedModel folders: written
// from a graph and its variables' values, which TensorFlow's C API cannot, and
// looked into without loading them.
//
// A written folder is TensorFlow's format, loaded by its C API, by Python's
// tf.saved_model.load and by TensorFlow Serving: saved_model.pb (SavedModel
// proto, one meta graph, tag "serve") and variables/ (tensor bundle).
package savedmodel

import "errors"

// The names of the parts of a SavedModel folder.
const (
	GraphFile      = "saved_model.pb"
	variableFolder = "variables"
	bundlePrefix   = "variables" // of the files in variableFolder
	// ExtraFolder holds what belongs to the model and is no part of its graph.
	ExtraFolder = "assets.extra"
)

// Tag is the tag of the meta graph.
const Tag = "serve"

// ErrExists is returned where a folder would have to be overwritten.
var ErrExists = errors.New("exists already")
