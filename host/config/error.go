package config

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxFaults bounds what an [Error] lists.
const maxFaults = 20

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	// File is the configuration file as it was given. It is empty where the
	// value came from elsewhere.
	File string
	// Origin is "environment UPL_…" or "--set KEY=VALUE" where the value came
	// from there.
	Origin string
	// Line and Column count from 1; 0 where there is no position.
	Line, Column int
	// Key is the key's path, learn.epochs or models[1].path; empty where the
	// fault is no key's.
	Key string
	// Message says what is wrong and what is allowed.
	Message string
}

func (f Fault) String() string {
	var parts []string
	if f.Origin != "" {
		parts = append(parts, f.Origin)
	} else if f.File != "" {
		place := f.File
		if f.Line > 0 {
			place += fmt.Sprintf(":%d", f.Line)
		}
		if f.Line > 0 && f.Column > 0 {
			place += fmt.Sprintf(":%d", f.Column)
		}
		parts = append(parts, place)
	}
	if f.Key != "" {
		parts = append(parts, f.Key)
	}
	return strings.Join(append(parts, f.Message), ": ")
}

// Error is a configuration that cannot be used: exit code 2.
type Error struct {
	// Faults are what was found, in the order of the file, then of the
	// environment and of --set; at most 20.
	Faults []Fault
	// More is the number of faults beyond those listed.
	More int
}

// Error lists the faults, a line each.
func (e *Error) Error() string {
	if len(e.Faults) == 1 && e.More == 0 {
		return "configuration: " + e.Faults[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "configuration: %d faults", len(e.Faults)+e.More)
	for _, f := range e.Faults {
		b.WriteString("\n  " + f.String())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\n  and %d more", e.More)
	}
	return b.String()
}

// place is where a value stands.
type place struct {
	file, origin string
	line, column int
	// order sorts the sources: files that are extended (below 0), the file, the
	// environment, then each --set.
	order int
	// base is the folder that relative paths start from.
	base string
	// written is a path's own text.
	written string
}

// faults collects what is wrong.
type faults struct {
	list []located
	more int
}

type located struct {
	Fault
	order int
}

func (f *faults) add(at place, key, format string, args ...any) {
	if len(f.list) == maxFaults {
		f.more++
		return
	}
	f.list = append(f.list, located{order: at.order, Fault: Fault{
		File: at.file, Origin: at.origin, Line: at.line, Column: at.column,
		Key: key, Message: fmt.Sprintf(format, args...),
	}})
}

// err returns the faults in the order of their sources, or nil where there are
// none. What is missing has no line and comes after what has.
func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	line := func(l located) int {
		if l.Line == 0 {
			return math.MaxInt
		}
		return l.Line
	}
	slices.SortStableFunc(f.list, func(a, b located) int {
		return cmp.Or(
			cmp.Compare(a.order, b.order),
			cmp.Compare(line(a), line(b)),
			cmp.Compare(a.Column, b.Column),
		)
	})
	e := &Error{More: f.more}
	for _, l := range f.list {
		e.Faults = append(e.Faults, l.Fault)
	}
	return e
}
