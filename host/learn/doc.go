// Package learn is the room of prompt learning: from pseudo-labelled features to
// contexts (eq. 3 and 4 of arXiv 2204.03649), with CoOp's optimiser, schedule
// and batches, and from the contexts of several seeds to one classifier.
//
// A training depends on its inputs alone: every draw is named by seed and epoch,
// so that an interrupted one goes on without the state of any generator, and
// gives the bytes of one that was never disturbed, however many seeds train at
// once.
package learn
