// Package pickle reads Python's pickles as data. Nothing is ever called: what a
// pickle would construct comes back as an Object that names the class and the
// arguments, and a class or function that the caller has not allowed by name is
// an error, as is any opcode that a checkpoint does not need.
//
// It is our own because github.com/nlpodyssey/gopickle cannot be held to that.
// It allocates what a length prefix announces before looking whether it is
// there, panics on an empty LONG1, an odd SETITEMS and opcode 255, resolves some
// globals before its hook is asked, and prints whole values into errors, which
// for a list that holds itself never ends.
//
// Memory is bounded: an operation takes at least one byte of the pickle and
// makes at most one value, and there may be no more than a fixed number of them.
//
// Source: CPython, Lib/pickletools.py, which describes all opcodes.
package pickle

import (
	"errors"
	"fmt"
)

// ErrFormat marks bytes that are no whole pickle of the kind described above.
var ErrFormat = errors.New("not a readable pickle")

// GlobalError is the refusal of a class or function that is not allowed.
type GlobalError struct {
	Module, Name string
	Offset       int // of the opcode, in bytes from the beginning of the pickle
}

func (e *GlobalError) Error() string {
	return fmt.Sprintf("the pickle asks for %q at byte %d; only tensors and plain containers are read, and nothing is executed", e.Module+"."+e.Name, e.Offset)
}

// The values of a pickle are: nil, bool, int64, Long, float64, string, []byte,
// Tuple, *List, *Dict, Global, *Object, and what Options.Persistent returns.
// They may hold themselves, and share parts: bound every walk through them.
type (
	// Tuple is a Python tuple.
	Tuple []any
	// List is a Python list.
	List struct{ Items []any }
	// Dict is a Python dict in the order of insertion; a repeated key stays repeated.
	Dict struct{ Entries []Entry }
	// Entry is a key of a Dict and its value.
	Entry struct{ Key, Value any }
	// Long is a whole number beyond int64: two's complement, little-endian.
	Long []byte
	// Global is a class or function, by name.
	Global struct{ Module, Name string }
	// Object is what calling Class with Args would have given.
	Object struct {
		Class Global
		Args  Tuple
		State any     // what BUILD would have set; nil if nothing
		Items []Entry // what SETITEMS would have set
	}
)

// Get returns the last value under a string key.
func (d *Dict) Get(key string) (any, bool) {
	for i := len(d.Entries) - 1; i >= 0; i-- {
		if name, ok := d.Entries[i].Key.(string); ok && name == key {
			return d.Entries[i].Value, true
		}
	}
	return nil, false
}

// Options say what a pickle may hold.
type Options struct {
	// Allow reports whether a class or function may be named.
	Allow func(Global) bool
	// Persistent turns a persistent id into a value; without it such ids are refused.
	Persistent func(id any) (any, error)
}

// maxOperations is some fifty times what the pickle of the largest CLIP with its
// optimiser's state takes; an operation costs some hundred bytes at most.
const maxOperations = 1 << 22

// Load reads the pickle that data begin with, and returns how long it is.
// Errors are ErrFormat, a *GlobalError, or Persistent's.
func Load(data []byte, options Options) (value any, length int, err error) {
	m := &machine{data: data, options: options, memo: map[uint32]any{}}
	for range maxOperations {
		m.start = m.next
		op, err := m.byte()
		if err != nil {
			return nil, 0, m.fault(err)
		}
		if op == opStop {
			value, err := m.pop()
			if err != nil {
				return nil, 0, m.fault(err)
			}
			return value, m.next, nil
		}
		if err := m.execute(op); err != nil {
			return nil, 0, m.fault(err)
		}
	}
	return nil, 0, m.fault(fmt.Errorf("more than %d operations", maxOperations))
}

// errForeign wraps an error that is not the pickle's own.
type errForeign struct{ error }

func (m *machine) fault(err error) error {
	var global *GlobalError
	var foreign errForeign
	switch {
	case errors.As(err, &global):
		return err
	case errors.As(err, &foreign):
		return foreign.error
	}
	return fmt.Errorf("%w: at byte %d: %w", ErrFormat, m.start, err)
}
