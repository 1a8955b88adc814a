// Package matrix does the runs of a matrix, one after the other in one process, and
// sets them side by side: cells.csv has a row a run, and the tables (CSV, Markdown,
// LaTeX, HTML) a row for all seeds of a method. Which runs there are, package
// config says.
package matrix
