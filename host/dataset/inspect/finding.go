package inspect

import "fmt"

// Severity is how bad a finding is.
type Severity string

// The severities.
const (
	// Wrong is what `run` refuses, or what makes its results false.
	Wrong Severity = "error"
	// Doubtful is what a person should look at.
	Doubtful Severity = "warning"
	// Known is what a person may not expect, and may be right.
	Known Severity = "note"
)

// Kind is what a finding is about.
type Kind string

// The kinds.
const (
	KindDataset    Kind = "dataset"      // what keeps the data set from being read
	KindMissing    Kind = "missing"      // listed, and not there
	KindUnreadable Kind = "unreadable"   // there, and cannot be read
	KindCorrupt    Kind = "corrupt"      // no picture, or a damaged one
	KindTooLarge   Kind = "too-large"    // more pixels than allowed
	KindDuplicate  Kind = "duplicate"    // the same bytes under two names
	KindLeak       Kind = "leak"         // the same bytes in two splits
	KindLabels     Kind = "labels"       // the same bytes with two labels
	KindName       Kind = "class-name"   // a name that a model cannot take, or makes nothing of
	KindEmpty      Kind = "empty-class"  // a class without pictures
	KindUnlabelled Kind = "unlabelled"   // pictures that cannot be evaluated
	KindSplit      Kind = "split"        // what is odd about the splits
	KindIgnored    Kind = "ignored-file" // files that are no pictures
)

// Finding is one thing that is wrong, or worth knowing.
type Finding struct {
	Severity Severity `json:"severity"`
	Kind     Kind     `json:"kind"`
	Where    string   `json:"where"` // a picture, a class, a configuration's key
	What     string   `json:"what"`
	Do       string   `json:"do"`
	Others   []string `json:"others,omitempty"` // pictures or classes that it is about too
}

func (f Finding) String() string {
	text := fmt.Sprintf("%s: %s: %s", f.Severity, f.Where, f.What)
	if f.Do != "" {
		text += ": " + f.Do
	}
	return text
}

// Result is what was found.
type Result struct {
	Pictures int       `json:"pictures"` // that were looked at
	Classes  int       `json:"classes"`
	JPEG     int       `json:"jpeg"`     // how many of the pictures are JPEG
	Findings []Finding `json:"findings"` // the worst first
}

// Count is how many findings have a severity.
func (r *Result) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}
