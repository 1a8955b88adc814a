// Package container is what the readers of pictures inside containers have in
// common: what they say about a data set, how they say what is wrong with it,
// and the container's file.
package container

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Set is what the containers of a data set say.
type Set struct {
	// Pictures are in the order of their containers' names and places in them.
	Pictures []Picture
	// Classes are the names of the class numbers; empty where nothing names them.
	Classes []string
	// Templates are those that came with the data set, with {} for the class name.
	Templates []string
	Notes     []string // what a person should know, though nothing is wrong
}

// Picture is one picture inside a container.
type Picture struct {
	ID   string // the container's path below the data set's folder, and the place in it
	File string // the container
	// Split is one of those below, or what the container calls it; empty where it
	// says nothing.
	Split   string
	Label   string // the class's name as the container has it; empty: none, or Class alone
	Class   int    // the class's number; Unlabelled: none, or Label alone
	Content Content
}

// Content is where a picture's bytes are.
type Content interface {
	// Read returns the whole encoded picture. It may be called concurrently.
	Read() ([]byte, error)
	// Stamp changes when the content may have changed.
	Stamp() string
}

// The splits that have a name of their own here.
const (
	Train      = "train"
	Validation = "val"
	Test       = "test"
)

// Unlabelled stands for a class that is not known.
const Unlabelled = -1

// SplitName is what a split is called here, whatever its folder or file calls it.
func SplitName(name string) string {
	switch lower := strings.ToLower(name); lower {
	case "train", "training":
		return Train
	case "val", "valid", "validation", "dev":
		return Validation
	case "test", "testing":
		return Test
	default:
		return lower
	}
}

// Error is all that is wrong with the containers of a data set: the user's to mend.
type Error struct {
	Faults []Fault // the first ones
	More   int     // how many there are beside these
}

// Fault is one thing that is wrong.
type Fault struct {
	Where   string // a file, and the place in it
	Message string // what is wrong, and what to do
}

func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Faults)+1)
	for _, f := range e.Faults {
		lines = append(lines, f.Where+": "+f.Message)
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// maxFaults bounds what is listed: enough to see a pattern, few enough to read.
const maxFaults = 20

// Faults collects what is wrong.
type Faults struct {
	found    Error
	repeated map[string]*repetition // by message
}

// repetition is one thing that is wrong in many places.
type repetition struct {
	first string // place
	times int
	fault int // its index in found; -1: it is one of those not listed
}

// Add adds a fault.
func (f *Faults) Add(where, format string, arguments ...any) {
	if len(f.found.Faults) == maxFaults {
		f.found.More++
		return
	}
	f.found.Faults = append(f.found.Faults, Fault{Where: where, Message: fmt.Sprintf(format, arguments...)})
}

// AddRepeated adds a fault that may be in many places: the first stands for all of
// the same message.
func (f *Faults) AddRepeated(where, format string, arguments ...any) {
	message := fmt.Sprintf(format, arguments...)
	if r := f.repeated[message]; r != nil {
		if r.times++; r.fault >= 0 {
			f.found.Faults[r.fault].Where = fmt.Sprintf("%s (and %d more)", r.first, r.times-1)
		}
		return
	}
	if f.repeated == nil {
		f.repeated = map[string]*repetition{}
	}
	r := &repetition{first: where, times: 1, fault: len(f.found.Faults)}
	if r.fault == maxFaults {
		r.fault = -1
	}
	f.repeated[message] = r
	f.Add(where, "%s", message)
}

// Len is how many faults there are.
func (f *Faults) Len() int { return len(f.found.Faults) + f.found.More }

// Err is an *Error of all faults; nil where there are none.
func (f *Faults) Err() error {
	if f.Len() == 0 {
		return nil
	}
	return &f.found
}

// maxExamples bounds the lists within a message.
const maxExamples = 5

// Examples lists the first few of many.
func Examples(all []string) string {
	if len(all) <= maxExamples {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:maxExamples], ", "), len(all)-maxExamples)
}

// Printable reports whether a name can stand in a table or a message.
func Printable(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsAny(name, "\n\r\x00")
}

var digits = regexp.MustCompile(`\d+`)

// Natural is a key that sorts names as people count: 2.tar before 10.tar.
func Natural(name string) string {
	return digits.ReplaceAllStringFunc(name, func(number string) string {
		number = strings.TrimLeft(number, "0")
		return fmt.Sprintf("%03d%s", len(number), number)
	}) + "\x00" + name // 1 and 01 are two names
}
