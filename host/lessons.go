package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
)

// shotsName is the table of the true labels that were learnt from.
const shotsName = "shots.csv"

// lessons are the pictures that a run learns from, and their targets.
type lessons struct {
	learn.Data
	// place is where what is learnt of them is written: "" or "rounds/1/".
	place string
	seeds []uint64
	// rows are, by seed, those of Data that it learns from, as many for each; nil: all
	// of them for all seeds.
	rows map[uint64][]int
	// shots is K: the number asked for of each class, or the most that one has.
	shots int
}

// of are a seed's.
func (l *lessons) of(seed uint64) learn.Data {
	if rows := l.rows[seed]; rows != nil {
		return l.Select(rows)
	}
	return l.Data
}

// pictures are how many each seed learns from.
func (l *lessons) pictures() int {
	if l.rows != nil {
		return len(l.rows[l.seeds[0]])
	}
	return l.Features.Rows
}

// lessons gathers what there is to learn from, and the tables that it wrote of it: the
// pseudo labels below a place, or true labels.
func (r *run) lessons(ctx context.Context, place string, seeds []uint64) (l *lessons, tables []string, err error) {
	if r.supervision == nil {
		l, err = r.pseudoLessons(ctx, place)
	} else {
		l, err = r.trueLessons(ctx, seeds)
		tables = []string{shotsName}
	}
	if err != nil {
		return nil, nil, err
	}
	l.place, l.seeds = place, seeds
	return l, tables, nil
}

// pseudoLessons are the picked pictures.
func (r *run) pseudoLessons(ctx context.Context, place string) (*lessons, error) {
	picks, _, err := r.picksAt(place)
	if err != nil {
		return nil, err
	}
	pictures, classes, labels := make([]int, len(picks)), make([]int, len(picks)), make([]learn.Label, len(picks))
	for i, p := range picks {
		pictures[i], classes[i], labels[i] = r.kept.unlabeled[p.row], p.class, p.label()
	}
	data, err := r.taught(ctx, pictures, labels)
	return &lessons{Data: data, shots: slices.Max(append(r.perClass(classes), 0))}, err
}

// trueLessons are K pictures of each class, drawn by each seed, with their true labels.
func (r *run) trueLessons(ctx context.Context, seeds []uint64) (*lessons, error) {
	kept, k := *r.data, r.config.Learn.Shots
	kept.Unlabeled = r.kept.unlabeled // of those that can be decoded
	all, err := r.supervision.Shots(&kept, 0, 0)
	if err != nil {
		return nil, err
	}
	drawn := map[uint64][]int{}
	var pictures []int
	for _, seed := range seeds {
		if drawn[seed], err = r.supervision.Shots(&kept, k, seed); err != nil {
			return nil, err
		}
		pictures = append(pictures, drawn[seed]...)
	}
	slices.Sort(pictures)
	pictures = slices.Compact(pictures)
	counts := r.perClass(r.trueClasses(all))
	r.warnFewShots(k, counts)
	labels := make([]learn.Label, len(pictures))
	for i, class := range r.trueClasses(pictures) {
		labels[i] = learn.Label{Class: class, Weight: 1}
	}
	data, err := r.taught(ctx, pictures, labels)
	if err != nil {
		return nil, err
	}
	l := &lessons{Data: data, shots: k}
	if k == 0 {
		l.shots = slices.Max(counts)
	}
	if len(drawn[seeds[0]]) < len(all) { // else there is nothing to draw
		l.rows = map[uint64][]int{}
		for seed, shots := range drawn {
			for _, picture := range shots {
				row, _ := slices.BinarySearch(pictures, picture)
				l.rows[seed] = append(l.rows[seed], row)
			}
		}
	}
	return l, r.writeShots(pictures, drawn)
}

// perClass counts the pictures of each class.
func (r *run) perClass(classes []int) []int {
	counts := make([]int, len(r.classNames))
	for _, class := range classes {
		counts[class]++
	}
	return counts
}

func (r *run) trueClasses(pictures []int) []int {
	classes := make([]int, len(pictures))
	for i, picture := range pictures {
		classes[i] = r.supervision.Label(picture)
	}
	return classes
}

// warnFewShots reports classes with fewer pictures than are asked for: all that there
// are serve.
func (r *run) warnFewShots(k int, counts []int) {
	var none, few []string
	for class, n := range counts {
		switch {
		case n == 0:
			none = append(none, r.classNames[class])
		case n < k:
			few = append(few, r.classNames[class])
		}
	}
	if len(none) > 0 {
		r.warn("%d of %d classes have no labelled picture to learn from: %s", len(none), len(counts), shortList(none))
	}
	switch most := slices.Max(counts); {
	case len(few) > 0 && most < k:
		r.warn("learn.shots is %d, and the largest class has %d labelled pictures: all of every class are learnt from", k, most)
	case len(few) > 0:
		r.warn("learn.shots is %d, and %d of %d classes have fewer labelled pictures, which are all learnt from: %s", k, len(few), len(counts), shortList(few))
	}
}

// writeShots lists the pictures that are learnt from, and the seeds that drew each.
func (r *run) writeShots(pictures []int, drawn map[uint64][]int) error {
	rows := [][]string{{"path", "class", "seeds"}}
	for _, picture := range pictures {
		var seeds []string
		for _, seed := range r.config.Learn.Seeds {
			if _, there := slices.BinarySearch(drawn[seed], picture); there {
				seeds = append(seeds, strconv.FormatUint(seed, 10))
			}
		}
		class := r.classNames[r.supervision.Label(picture)]
		rows = append(rows, []string{r.data.Pictures[picture].ID, class, strings.Join(seeds, " ")})
	}
	return r.writeTable(shotsName, rows)
}

// taught are the features of pictures, of their views where there are several, and the
// targets of their labels.
func (r *run) taught(ctx context.Context, pictures []int, labels []learn.Label) (data learn.Data, err error) {
	if data.Features, err = r.featuresOf(pictures); err != nil {
		return learn.Data{}, err
	}
	if views := r.config.Learn.Views; views > 1 {
		if data.Views, err = r.viewFeatures(ctx, pictures, views); err != nil {
			return learn.Data{}, err
		}
	}
	data.Targets, err = learn.Targets(labels, len(r.classNames))
	return data, err
}

// featuresOf are the first model's features of pictures.
func (r *run) featuresOf(pictures []int) (_ array.Matrix, err error) {
	features, err := r.features(0)
	if err != nil {
		return array.Matrix{}, err
	}
	defer func() { err = errors.Join(err, features.Close()) }()
	picked := array.NewMatrix(len(pictures), features.Cols)
	for i, row := range r.rows(0, pictures) {
		copy(picked.Row(i), features.Row(row))
	}
	return picked, nil
}

// examination are the validation pictures with a true label: searches may use them.
type examination struct {
	features array.Matrix
	labels   []int
	// why says, where there are none, why.
	why string
}

// examination is there where true labels are learnt from.
func (r *run) examination() (*examination, error) {
	if r.supervision == nil {
		return &examination{why: "with pseudo labels nothing is searched"}, nil
	}
	if len(r.data.Validation) == 0 {
		return &examination{why: "there is no validation split (dataset.validation)"}, nil
	}
	e := &examination{}
	var pictures []int
	for _, picture := range r.kept.validation {
		if label := r.supervision.Label(picture); label >= 0 {
			pictures, e.labels = append(pictures, picture), append(e.labels, label)
		}
	}
	if len(pictures) == 0 {
		return &examination{why: fmt.Sprintf("none of the %d validation pictures has a label", len(r.data.Validation))}, nil
	}
	var err error
	e.features, err = r.featuresOf(pictures)
	return e, err
}
