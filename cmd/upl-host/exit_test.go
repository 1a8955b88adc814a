package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/preprocess"
	"github.com/upl-host/upl-host/graphs/safetensors"
	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/arrays"
	"github.com/upl-host/upl-host/host/config"
	"github.com/upl-host/upl-host/host/dataset"
	"github.com/upl-host/upl-host/host/encode"
	"github.com/upl-host/upl-host/host/figures"
	"github.com/upl-host/upl-host/host/folder"
	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/conformance"
)

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{fs.ErrPermission, 1},
		{usage("which?"), 2},
		{&host.UsageError{Err: errors.New("x")}, 2},
		{&arrays.Error{Err: errors.New("x")}, 2},
		{&host.UsageError{Err: &host.OtherConfigurationError{}}, 2},
		{&config.Error{}, 2},
		{&dataset.Error{}, 2},
		{&figures.OptionError{Err: errors.New("x")}, 2},
		{&folder.LockedError{}, 2},
		{&plugins.NotFoundError{}, 2},
		{&plugins.AmbiguousError{}, 2},
		{&plugins.ParameterError{}, 2},
		{&graphs.NoDeviceError{}, 2},
		{&graphs.PrecisionError{}, 2},
		{graphs.ErrContract, 2},
		{&plugins.GuestError{}, 3},
		{&plugins.TrapError{}, 3},
		{&plugins.ProtocolError{}, 3},
		{&plugins.DataError{}, 3},
		{&plugins.ManifestError{}, 3},
		{&conformance.Error{}, 3},
		{&plugins.LimitError{}, 4},
		{&encode.PictureError{Err: preprocess.ErrTooLarge}, 4},
		{&plugins.IntegrityError{}, 5},
		{&plugins.TrustError{}, 5},
		{&plugins.LockError{}, 5},
		{&plugins.UnfitError{}, 5},
		{&plugins.MismatchError{Errs: []error{&plugins.LimitError{}, &plugins.TrustError{}}}, 5},
		{&plugins.GrantError{}, 2},
		{host.ErrIntegrity, 5},
		{checkpoint.ErrCorrupt, 5},
		{safetensors.ErrFormat, 5},
		{array.ErrSize, 5},
		{&encode.PictureError{Err: preprocess.ErrCorrupt}, 5},
		{context.Canceled, 130},
		// Interrupted, whatever else went wrong in stopping.
		{errors.Join(&plugins.TrapError{}, context.Canceled), 130},
	} {
		for _, err := range []error{test.err, wrapped(test.err)} {
			if got := exitCode(err); got != test.want {
				t.Errorf("%T (%v) ends with %d, want %d", err, err, got, test.want)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("a stage: %w", errors.Join(err, errors.New("closing")))
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	report(&out, fmt.Errorf("no such thing, says\n%s", "a tool\n"))
	if got := out.String(); got != "error: no such thing, says\na tool\n" {
		t.Errorf("an error is reported as %q", got)
	}
	out.Reset()
	report(&out, fmt.Errorf("encoding: %w", context.Canceled))
	if got := out.String(); strings.Contains(got, "error") || !strings.Contains(got, "the same command goes on from there") {
		t.Errorf("an interruption is reported as %q", got)
	}
}
