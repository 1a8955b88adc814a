package session

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/upl-host/upl-host/sdk"
)

// Label is a hard pseudo label.
type Label struct {
	Row    int
	Class  int
	Weight float32
}

// SoftLabel is a distribution over classes.
type SoftLabel struct {
	Row    int
	Weight float32
	P      []sdk.Candidate // by ascending class; sums to 1 within 1e-3
}

// CandidateSet is a set of classes of which one is right.
type CandidateSet struct {
	Row     int
	Weight  float32
	Classes []int // ascending
}

// Selection is the result of a selection policy: each list sorted by row. A row
// is in one of them, and once, but for hard labels of several classes.
type Selection struct {
	Labels     []Label // of a row by class
	Soft       []SoftLabel
	Candidates []CandidateSet
	Drops      []int
	Record
}

// Empty says whether nothing was selected.
func (s *Selection) Empty() bool {
	return len(s.Labels)+len(s.Soft)+len(s.Candidates)+len(s.Drops) == 0
}

// emitted is a record that a guest has emitted. The classes of soft labels and
// candidate sets are elsewhere, n of them from at on; at of a hard label is its
// class.
type emitted struct {
	row    int
	kind   sdk.EmitKind
	weight float32
	at, n  uint32
}

// emission is what a round emits.
type emission struct {
	records []emitted
	classes []sdk.Candidate // of candidate sets without probabilities
	taken   []uint8         // the kind of record that each row has; nil before the first
}

// claim says why a row cannot have a record of a kind, with those it has.
func (e *emission) claim(row, rows int, kind sdk.EmitKind) string {
	if e.taken == nil {
		e.taken = make([]uint8, rows)
	}
	had := sdk.EmitKind(e.taken[row])
	if had != 0 && (had != kind || kind != sdk.EmitHard) {
		return fmt.Sprintf("row %d among the %s, and before among the %s", row, kind, had)
	}
	e.taken[row] = uint8(kind)
	return ""
}

// sort puts the records in order and finds a row that is labelled as a class twice.
func (e *emission) sort() error {
	e.taken = nil
	slices.SortFunc(e.records, func(a, b emitted) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.at, b.at))
	})
	for i := 1; i < len(e.records); i++ {
		if a, b := e.records[i-1], e.records[i]; a.row == b.row && a.at == b.at {
			return &ProtocolError{fmt.Sprintf("it labelled row %d as class %d twice", a.row, a.at)}
		}
	}
	return nil
}

func (e *emission) classesOf(r emitted) []sdk.Candidate { return e.classes[r.at:][:r.n:r.n] }

// selection is the sorted records by kind.
func (e *emission) selection(record Record) Selection {
	s := Selection{Record: record}
	for _, r := range e.records {
		switch r.kind {
		case sdk.EmitHard:
			s.Labels = append(s.Labels, Label{r.row, int(r.at), r.weight})
		case sdk.EmitSoft:
			s.Soft = append(s.Soft, SoftLabel{r.row, r.weight, e.classesOf(r)})
		case sdk.EmitCandidates:
			classes := make([]int, 0, r.n)
			for _, c := range e.classesOf(r) {
				classes = append(classes, int(c.Class))
			}
			s.Candidates = append(s.Candidates, CandidateSet{r.row, r.weight, classes})
		case sdk.EmitDrop:
			s.Drops = append(s.Drops, r.row)
		}
	}
	return s
}

// previous is the last selection as ViewPrevious has it: a record a class.
type previous struct {
	emission
	ends []int // records up to and with each of the emission's
}

func newPrevious(e emission) previous {
	p := previous{e, make([]int, 0, len(e.records))}
	end := 0
	for _, r := range e.records {
		end += max(int(r.n), 1) // hard labels and drops have none elsewhere
		p.ends = append(p.ends, end)
	}
	return p
}

func (p *previous) len() int {
	if len(p.ends) == 0 {
		return 0
	}
	return p.ends[len(p.ends)-1]
}

// read fills dst with records from first on.
func (p *previous) read(first int, dst []byte) {
	at := sort.SearchInts(p.ends, first+1)
	for ; len(dst) > 0; at++ {
		r := p.records[at]
		out := sdk.Emitted{Row: uint64(r.row), Weight: r.weight, Kind: r.kind}
		switch r.kind {
		case sdk.EmitHard:
			out.Class = r.at
		case sdk.EmitDrop:
			out.Class = sdk.NoClass
		}
		begin := p.ends[at] - max(int(r.n), 1)
		for ; first < p.ends[at] && len(dst) > 0; first++ {
			if r.n > 0 {
				c := p.classes[int(r.at)+first-begin]
				out.Class, out.P = c.Class, c.P
			}
			dst = dst[copy(dst, bytesOf([]sdk.Emitted{out})):]
		}
	}
}
