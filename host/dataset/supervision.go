package dataset

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Supervision is what supervised baselines may know: the labels of the training
// (unlabeled) and validation pictures. Of a picture of the test split it knows
// nothing, so that what learns from it cannot either.
type Supervision struct {
	labels              map[int]int // of labelled pictures
	classes             int
	training, validates []int
}

// Supervision returns the labels of the training and validation pictures of the
// data set that came with this truth. A picture of theirs that is a test picture
// too is an error: measured on it, whatever learnt it would look better than it is.
func (t *Truth) Supervision(d *Dataset) (*Supervision, error) {
	s := &Supervision{labels: map[int]int{}, classes: len(d.Classes), training: d.Unlabeled, validates: d.Validation}
	test := make(map[int]bool, len(d.Test))
	for _, i := range d.Test {
		test[i] = true
	}
	var found faults
	for _, split := range []struct {
		key      string
		pictures []int
	}{{"dataset.unlabeled", d.Unlabeled}, {"dataset.validation", d.Validation}} {
		var shared []string
		for _, i := range split.pictures {
			if test[i] {
				shared = append(shared, d.Pictures[i].ID)
			} else if label := t.Label(i); label != unlabelled {
				s.labels[i] = label
			}
		}
		if len(shared) > 0 {
			found.add(split.key, "%d of its pictures are test pictures too (%s): to learn from true labels, give it and dataset.test pictures of their own", len(shared), examples(shared))
		}
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	if len(s.labels) == 0 {
		found.add("dataset.unlabeled", "none of its pictures has a label: to learn from true labels, name them (docs/datasets.md)")
		return nil, found.err()
	}
	return s, nil
}

// Label returns the class of a training or validation picture, by its index in
// the data set; -1 where it is not known, and of every other picture.
func (s *Supervision) Label(picture int) int {
	if label, ok := s.labels[picture]; ok {
		return label
	}
	return unlabelled
}

// Shots draws k labelled training pictures of each class, fewer where there are
// fewer, all of them where k is 0: CoOp's few-shot subsets. See ShotsOf.
func (s *Supervision) Shots(d *Dataset, k int, seed uint64) ([]int, error) {
	return s.ShotsOf(d, SplitTraining, d.Unlabeled, k, seed)
}

// ShotsOf draws k labelled pictures of each class from some of a split's; CoOp
// draws min(k, 4) of its validation split. The result is ascending. The seed and
// the pictures' IDs alone decide, each picture's turn by itself: a picture that is
// gone changes no other's, and the k shots of a seed are among its k + 1.
func (s *Supervision) ShotsOf(d *Dataset, split string, pictures []int, k int, seed uint64) ([]int, error) {
	if k < 0 {
		return nil, fmt.Errorf("%d shots a class: want 0, for all, or more", k)
	}
	type ticket struct {
		picture int
		turn    [sha256.Size]byte
	}
	classes := make([][]ticket, s.classes)
	for _, i := range pictures {
		if label := s.Label(i); label != unlabelled {
			turn := sha256.Sum256(fmt.Appendf(nil, "upl-host shots %s %d %s", split, seed, d.Pictures[i].ID))
			classes[label] = append(classes[label], ticket{i, turn})
		}
	}
	var shots []int
	for _, tickets := range classes {
		slices.SortFunc(tickets, func(a, b ticket) int { return bytes.Compare(a.turn[:], b.turn[:]) })
		if k > 0 {
			tickets = tickets[:min(k, len(tickets))]
		}
		for _, t := range tickets {
			shots = append(shots, t.picture)
		}
	}
	if len(shots) == 0 {
		return nil, fmt.Errorf("no picture of the %s split has a label to learn from", split)
	}
	slices.Sort(shots)
	return shots, nil
}
