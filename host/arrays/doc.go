// Package arrays runs policies on anyone's arrays: softmax outputs in .npy files
// instead of a run's models and pictures. It needs no TensorFlow, and never holds
// a matrix of N x C: files are read some rows at a time, an ensemble is streamed
// to disk.
//
// Labels serve the evaluation of what was selected. They are read here, and are
// no part of what a policy is given.
package arrays
