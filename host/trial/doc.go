// Package trial tries a policy on the probabilities of a run that is over: within
// seconds, without TensorFlow, and without touching the run folder. A selection gets
// what the run's own got; an ensemble the models' matrices. Where the run's pictures
// have labels the result is measured against them; the policy never sees them.
package trial
