package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/graphs/savedmodel"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/figures"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/conformance"
	"github.com/upl-host/upl-host/plugins/oci"
	"github.com/upl-host/upl-host/plugins/scaffold"
)

// The exit codes, for scripts.
const (
	exitDone        = 0
	exitFailure     = 1
	exitUsage       = 2   // wrong usage or configuration
	exitPlugin      = 3   // a plugin failed
	exitLimit       = 4   // a limit was exceeded
	exitIntegrity   = 5   // hash, grant, corrupt file
	exitInterrupted = 130 // Ctrl-C
)

// usageError is a wrong command line.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usage(format string, arguments ...any) error {
	return &usageError{fmt.Errorf(format, arguments...)}
}

// exitCode is the one place that maps errors to exit codes.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case is[*plugins.MismatchError](err): // whatever it lists
		return exitIntegrity
	case is[*plugins.LimitError](err), errors.Is(err, preprocess.ErrTooLarge):
		return exitLimit
	case is[*plugins.IntegrityError](err), is[*plugins.TrustError](err), is[*plugins.LockError](err), is[*plugins.UnfitError](err),
		is[*oci.DigestError](err), errors.Is(err, host.ErrIntegrity), errors.Is(err, checkpoint.ErrCorrupt), errors.Is(err, array.ErrSize),
		errors.Is(err, safetensors.ErrFormat), errors.Is(err, savedmodel.ErrFormat),
		errors.Is(err, preprocess.ErrCorrupt), errors.Is(err, preprocess.ErrNotPicture):
		return exitIntegrity
	case is[*usageError](err), is[*host.UsageError](err), is[*arrays.Error](err), is[*config.Error](err), is[*dataset.Error](err), is[*figures.OptionError](err),
		is[*folder.LockedError](err), is[*plugins.NotFoundError](err), is[*plugins.PathError](err), is[*plugins.AmbiguousError](err), is[*plugins.ParameterError](err), is[*plugins.GrantError](err),
		is[*oci.ReferenceError](err), is[*oci.NotFoundError](err), is[*oci.ExistsError](err), is[*scaffold.NameError](err), is[*scaffold.LanguageError](err), is[*scaffold.ExistsError](err),
		is[*graphs.NoDeviceError](err), is[*graphs.PrecisionError](err), errors.Is(err, graphs.ErrConfig), errors.Is(err, graphs.ErrContract), errors.Is(err, savedmodel.ErrExists):
		return exitUsage
	case is[*plugins.ManifestError](err), is[*oci.ArtefactError](err), is[*plugins.GuestError](err), is[*plugins.TrapError](err), is[*plugins.ProtocolError](err), is[*plugins.DataError](err),
		is[*conformance.Error](err):
		return exitPlugin
	}
	return exitFailure
}

func is[T error](err error) bool {
	var target T
	return errors.As(err, &target)
}

// report prints an error for people.
func report(w io.Writer, err error) {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "interrupted; a run keeps what is finished: the same command goes on from there")
		return
	}
	hint := ""
	if errors.Is(err, savedmodel.ErrExists) {
		hint = ": give another folder, or replace it with --overwrite"
	}
	fmt.Fprintf(w, "error: %s%s\n", strings.TrimRight(err.Error(), "\n"), hint)
}
