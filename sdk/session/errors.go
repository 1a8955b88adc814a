package session

import (
	"fmt"
	"strings"

	"github.com/upl-host/upl-host/sdk"
)

// GuestError is an error that the policy itself returned.
type GuestError struct {
	Call    string // the function that returned it, as "upl_configure"
	Code    sdk.Code
	Message string // the policy's own words; may be empty; a crash's stack is in the lines below the first
}

func (e *GuestError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s: %s", e.Call, e.Code)
	}
	if e.Code == sdk.CodeConfig {
		return e.Message
	}
	first, stack, ok := strings.Cut(e.Message, "\n")
	s := fmt.Sprintf("%s: %s (%s)", e.Call, first, e.Code)
	if ok {
		s += "\n" + stack
	}
	return s
}

// TrapError is a policy's crash.
type TrapError struct {
	Call   string
	Reason string
	Stack  string // the guest's functions, innermost first; a line each
	Output string // the end of what the guest had printed
}

func (e *TrapError) Error() string {
	s := e.Call + ": crashed: " + e.Reason
	if e.Stack != "" {
		s += "\n" + e.Stack
	}
	if e.Output != "" {
		s += "\noutput:\n" + e.Output
	}
	return s
}

// The limits that a LimitError names.
const (
	LimitTime    = "time"
	LimitMemory  = "memory"
	LimitRecords = "records"
	LimitOutput  = "output"
	LimitViews   = "views"
	LimitGather  = "gather"
	LimitRounds  = "rounds"
	LimitSize    = "size"
)

// LimitError says which limit a policy exceeded.
type LimitError struct {
	Limit  string // LimitTime, LimitMemory …
	Detail string
	Err    error // how the policy ended because of it, where that says more
}

func (e *LimitError) Error() string { return e.Limit + " limit exceeded: " + e.Detail }

func (e *LimitError) Unwrap() error { return e.Err }

// ProtocolError is a breach of the contract.
type ProtocolError struct{ Message string }

func (e *ProtocolError) Error() string { return "breaks the plugin contract: " + e.Message }

// DataError says which probabilities or features cannot be used.
type DataError struct {
	What   string // "probabilities", "features"
	Model  string // "the ensemble", "model 2"
	Row    int
	Reason string
}

func (e *DataError) Error() string {
	return fmt.Sprintf("%s of %s, row %d: %s", e.What, e.Model, e.Row, e.Reason)
}
