package plugins

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/sdk/session"
)

// What a policy is given and gives, and how it fails.
type (
	// Input is all that a policy may know, and its limits.
	Input = session.Input
	// Limits are the ceilings of one run of a policy.
	Limits = session.Limits
	// Probabilities is a matrix of probabilities.
	Probabilities = session.Probabilities
	// Features are features of images or texts.
	Features = session.Features
	// Learnt is what the next round of a policy sees.
	Learnt = session.Learnt
	// Selection is the result of a selection policy.
	Selection = session.Selection
	// Label is a hard pseudo label.
	Label = session.Label
	// SoftLabel is a distribution over classes.
	SoftLabel = session.SoftLabel
	// CandidateSet is a set of classes of which one is right.
	CandidateSet = session.CandidateSet
	// Record is what a run leaves beside its result.
	Record = session.Record
	// Description is what a plugin says of one of its policies.
	Description = session.Description

	// GuestError is an error that the policy itself returned.
	GuestError = session.GuestError
	// TrapError is a policy's crash.
	TrapError = session.TrapError
	// LimitError says which limit a policy exceeded.
	LimitError = session.LimitError
	// ProtocolError is a breach of the contract.
	ProtocolError = session.ProtocolError
	// DataError says which probabilities or features cannot be used.
	DataError = session.DataError
)

// NotFoundError says that no folder of the catalogue has a policy of that name.
type NotFoundError struct {
	Name    string
	Known   []string // names there are
	Folders []string // where they were looked for
	Broken  []error  // plugins that could not be read
}

func (e *NotFoundError) Error() string {
	s := fmt.Sprintf("no policy %q in %s", e.Name, strings.Join(e.Folders, ", "))
	if len(e.Known) > 0 {
		s += "; there are " + strings.Join(e.Known, ", ")
	}
	for _, err := range e.Broken {
		s += "\nunusable: " + err.Error()
	}
	return s
}

// PathError says why there is no plugin at a path, and where there is one.
type PathError struct {
	Path   string
	Reason string
	Err    error // the cause, where it is the system's
}

func (e *PathError) Error() string { return e.Path + ": " + e.Reason }

// Unwrap returns the cause.
func (e *PathError) Unwrap() error { return e.Err }

// AmbiguousError says that a name stands for several policies.
type AmbiguousError struct {
	Name    string
	Choices []string // names or paths that each stand for one
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s stands for several policies: say which, %s", e.Name, strings.Join(e.Choices, " or "))
}

// ManifestError says what is wrong with a plugin's manifest.
type ManifestError struct {
	Path   string
	Reason string
}

func (e *ManifestError) Error() string { return e.Path + ": " + e.Reason }

// ParameterError says which parameter of a policy the user has to change, and
// what it may be.
type ParameterError struct {
	Policy    string
	Parameter string // empty where it is not one alone
	Reason    string
}

func (e *ParameterError) Error() string {
	if e.Parameter == "" {
		return fmt.Sprintf("policy %s: %s", e.Policy, e.Reason)
	}
	return fmt.Sprintf("policy %s: parameter %s: %s", e.Policy, e.Parameter, e.Reason)
}

// IntegrityError says that a module is not the one that was asked for.
type IntegrityError struct {
	Path      string
	Want, Got string // "sha256:…"
}

func (e *IntegrityError) Error() string {
	return fmt.Sprintf("%s has changed: %s, and expected was %s", e.Path, e.Got, e.Want)
}

// LockError says what is wrong with a lock file.
type LockError struct {
	Path string
	Err  error
}

func (e *LockError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *LockError) Unwrap() error { return e.Err }

// UnfitError says what in a plugin's folder keeps it from being pinned.
type UnfitError struct {
	Folder string
	Name   string // of the file, in the folder
	Reason string
}

func (e *UnfitError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Folder, e.Name, e.Reason) }

// TrustError says why a plugin may not run here, and how it may.
type TrustError struct {
	Plugin  string // its name
	Path    string // of its folder or module; of the lock where it is missing
	State   State
	Reason  string
	Command string // the shell command that allows it, or mends it
	Err     error  // *IntegrityError where bytes differ
}

func (e *TrustError) Error() string {
	purpose := "allow"
	if e.State == StateCopyChanged || e.State == StateMissing {
		purpose = "mend"
	}
	return fmt.Sprintf("plugin %s (%s) may not run: %s; to %s it: %s", e.Plugin, e.Path, e.Reason, purpose, e.Command)
}

// Unwrap returns the cause.
func (e *TrustError) Unwrap() error { return e.Err }

// MismatchError lists what is not as a lock pins it.
type MismatchError struct {
	Lock string
	Errs []error
}

func (e *MismatchError) Error() string {
	s := e.Lock + " and what is there differ:"
	for _, err := range e.Errs {
		s += "\n  " + err.Error()
	}
	return s
}

// Unwrap returns the causes.
func (e *MismatchError) Unwrap() []error { return e.Errs }
