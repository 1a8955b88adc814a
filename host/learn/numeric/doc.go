// Package numeric is the arithmetic that all trainings share: matrix products,
// cross-entropy, optimisers, schedules and batches. Results are the same bytes with
// any number of threads.
package numeric
