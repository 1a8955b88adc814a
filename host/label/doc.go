// Package label is the stage between features and prompts: zero-shot
// probabilities of each model (classify), one matrix out of several (combine),
// and the pseudo labels that a policy picks from it (select).
package label
