package develop

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// BuildError says why a plugin does not build.
type BuildError struct {
	Source string
	Output string // of make and what it ran
	Err    error
}

func (e *BuildError) Error() string {
	return fmt.Sprintf("%smake in %s: %v", e.Output, e.Source, e.Err)
}

// Unwrap returns the cause.
func (e *BuildError) Unwrap() error { return e.Err }

// Build runs make in a source folder. When the context is done it ends, with all that
// it has started.
func Build(ctx context.Context, source string) error {
	command := exec.CommandContext(ctx, "make")
	command.Dir = source
	// A group of its own, so that compilers end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	var output strings.Builder
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("building a plugin takes make, which is not installed: %w", err)
	}
	return &BuildError{source, output.String(), err}
}
