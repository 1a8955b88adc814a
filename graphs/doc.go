// Package graphs is the room of everything that is TensorFlow: the model
// contract (assets.extra/upl.json and the signatures), models opened on a
// device, and what a model needs around it (checkpoint, clip, preprocess,
// prompt, savedmodel, tokenizer). Nothing outside this folder imports graft.
//
// Built without the tag `tensorflow` the package still reads contracts; opening
// a model then fails with ErrNoTensorFlow.
package graphs
