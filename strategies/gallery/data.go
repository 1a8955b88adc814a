package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
)

// archive has the data set that all are shown on: 600 pictures of 12 classes, seen
// by three models that are too sure of themselves and favour some classes. It is
// what the rules and measures are tested on.
const archive = "strategies/testdata/inputs.npz"

// data is that data set.
type data struct {
	classes []string
	models  []sdktest.Matrix
	mean    sdktest.Matrix // of the models
	labels  []int          // of the pictures; no policy sees them
	counts  []int          // pictures of each class
	first   []int          // of the mean, each picture's first class
	rows    []int          // each class's place from the bottom: the one predicted most is on top
}

func readData(root string) (*data, error) {
	arrays, err := array.ReadArchive(filepath.Join(root, archive))
	if err != nil {
		return nil, err
	}
	probabilities := arrays["probabilities"]
	values, err := probabilities.Float32()
	if err != nil {
		return nil, fmt.Errorf("%s: probabilities: %w", archive, err)
	}
	d := &data{}
	if d.labels, err = arrays["labels"].Int(); err != nil {
		return nil, fmt.Errorf("%s: labels: %w", archive, err)
	}
	models, size, classes := probabilities.Shape[0], probabilities.Shape[1]*probabilities.Shape[2], probabilities.Shape[2]
	for m := range models {
		d.models = append(d.models, sdktest.Matrix{Values: values[m*size : (m+1)*size], C: classes})
	}
	for c := range classes {
		d.classes = append(d.classes, "class "+strconv.Itoa(c))
	}
	d.mean = average(d.models)
	d.counts = make([]int, classes)
	for _, label := range d.labels {
		d.counts[label]++
	}
	d.first = firsts(d.mean)
	d.rows = places(d.first, classes)
	return d, nil
}

func (d *data) input(params string) session.Input {
	in := session.Input{ClassNames: d.classes, Params: []byte(params)}
	for _, m := range d.models {
		in.Models = append(in.Models, m)
	}
	return in
}

// average is the mean of the models, as the host makes it.
func average(models []sdktest.Matrix) sdktest.Matrix {
	out := sdktest.Matrix{Values: make([]float32, len(models[0].Values)), C: models[0].C}
	for i := range out.Values {
		var sum float64
		for _, m := range models {
			sum += float64(m.Values[i])
		}
		out.Values[i] = float32(sum / float64(len(models)))
	}
	return out
}

func row(m sdktest.Matrix, i int) []float32 { return m.Values[i*m.C:][:m.C] }

// firsts are the first classes of a matrix.
func firsts(m sdktest.Matrix) []int {
	out := make([]int, m.Rows())
	for i := range out {
		out[i] = slices.Index(row(m, i), slices.Max(row(m, i)))
	}
	return out
}

// places sorts classes by how often they are predicted.
func places(first []int, classes int) []int {
	times, order := tally(first, classes), make([]int, classes)
	for c := range order {
		order[c] = c
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(times[b], times[a]) })
	rows := make([]int, classes)
	for i, c := range order {
		rows[c] = classes - 1 - i
	}
	return rows
}

// tally counts classes.
func tally(first []int, classes int) []int {
	counts := make([]int, classes)
	for _, c := range first {
		counts[c]++
	}
	return counts
}

// names are the classes in the order of their places.
func (d *data) names() []string {
	names := make([]string, len(d.classes))
	for c, name := range d.classes {
		names[d.rows[c]] = name
	}
	return names
}
