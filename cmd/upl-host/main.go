// Command upl-host turns pictures without labels and a list of class names into
// a better classifier than zero-shot CLIP, by Unsupervised Prompt Learning.
//
// One source makes two programs. The pure-Go one starts at once and does what
// needs no TensorFlow; for the rest it executes its twin (build tag
// `tensorflow`), which lies beside it. See twin.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "unknown"

func main() {
	restoreStderr()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once: finished work is on disk already.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
