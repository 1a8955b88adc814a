package dataset

import (
	"fmt"
	"strings"
)

// Error is all that is wrong with a data set: the user's to mend.
type Error struct {
	Faults []Fault // the first ones
	More   int     // how many there are beside these
}

// Fault is one thing that is wrong.
type Fault struct {
	Where   string // a file and its line, a folder, or a configuration's key
	Message string // what is wrong, and what to do
}

func (f Fault) String() string { return f.Where + ": " + f.Message }

func (e *Error) Error() string {
	if len(e.Faults) == 1 && e.More == 0 {
		return "data set: " + e.Faults[0].String()
	}
	var out strings.Builder
	fmt.Fprintf(&out, "data set: %d faults:", len(e.Faults)+e.More)
	for _, fault := range e.Faults {
		fmt.Fprintf(&out, "\n  %s", fault)
	}
	if e.More > 0 {
		fmt.Fprintf(&out, "\n  and %d more", e.More)
	}
	return out.String()
}

// maxFaults bounds what is listed: enough to see a pattern, few enough to read.
const maxFaults = 20

// faults collects what is wrong.
type faults struct {
	listed []Fault
	more   int
}

func (f *faults) add(where, format string, arguments ...any) {
	if len(f.listed) == maxFaults {
		f.more++
		return
	}
	f.listed = append(f.listed, Fault{where, fmt.Sprintf(format, arguments...)})
}

func (f *faults) err() error {
	if len(f.listed) == 0 {
		return nil
	}
	return &Error{Faults: f.listed, More: f.more}
}

// maxExamples bounds the lists within a message.
const maxExamples = 5

// examples lists the first few of many.
func examples(all []string) string {
	if len(all) <= maxExamples {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:maxExamples], ", "), len(all)-maxExamples)
}
