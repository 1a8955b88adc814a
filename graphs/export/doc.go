// Package export is the room of model folders in the making: a checkpoint, or
// an architecture with random weights, becomes a SavedModel with its upl.json
// and tokenizer files beside it.
package export
