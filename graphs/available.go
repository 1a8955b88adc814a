//go:build tensorflow

package graphs

// Available reports whether this build has TensorFlow.
func Available() bool { return true }
