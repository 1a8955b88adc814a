// Package clip is the room of CLIP's two towers as TensorFlow graphs: the vision
// transformer, the ModifiedResNet and the causal text transformer of Radford et
// al., "Learning Transferable Visual Models From Natural Language Supervision"
// (arXiv 2103.00020), and the signatures of the model contract over them.
//
// Built without the tag `tensorflow` it still describes architectures.
package clip
