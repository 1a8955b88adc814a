// Package process runs policies that are programs of their own, by go-plugin over
// gRPC (package sdk/wire).
//
// Such a program is trusted code: it can do what the user can do. What the host
// sees to is hygiene. It starts without the host's environment, standard input and
// terminal, in a process group of its own; it is killed, with its children, when its
// time or memory is spent, when the run ends, and when the host dies. Only the host
// that started it can speak with it: both sides show certificates that are made for
// this one process. What it sends is checked as a module's results are.
package process
