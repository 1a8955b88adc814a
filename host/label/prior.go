package label

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/upl-host/upl-host/graphs/array"
)

// Prior checks a prior over C classes and divides it by its sum: counts serve as
// well as probabilities.
func Prior(values []float64, classes int) ([]float64, error) {
	if len(values) != classes {
		return nil, fmt.Errorf("%d values for %d classes", len(values), classes)
	}
	sum := 0.0
	for c, v := range values {
		if !(v >= 0 && v <= math.MaxFloat64) { // NaN is neither
			return nil, fmt.Errorf("class %d has %v: want finite numbers, at least 0", c, v)
		}
		sum += v
	}
	if sum == 0 || math.IsInf(sum, 0) {
		return nil, fmt.Errorf("it sums to %v", sum)
	}
	prior := make([]float64, classes)
	for c, v := range values {
		prior[c] = v / sum
	}
	return prior, nil
}

// ReadPrior reads a prior from a file: a .npy array [C] in the order of the
// classes, or a .csv table of class names and numbers, in any order.
func ReadPrior(path string, classNames []string) ([]float64, error) {
	var values []float64
	var err error
	switch ending := strings.ToLower(filepath.Ext(path)); ending {
	case ".npy":
		values, err = readArray(path, len(classNames))
	case ".csv":
		values, err = readTable(path, classNames)
	default:
		return nil, fmt.Errorf("%s: its ending %q is none of .npy, .csv", path, ending)
	}
	if err != nil {
		return nil, err
	}
	prior, err := Prior(values, len(classNames))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return prior, nil
}

func readArray(path string, classes int) ([]float64, error) {
	a, err := array.ReadFileAtMost(path, classes)
	if err != nil {
		return nil, err
	}
	if len(a.Shape) != 1 {
		return nil, fmt.Errorf("%s: shape %v, where one number for each class is wanted", path, a.Shape)
	}
	if exact, ok := a.Data.([]float64); ok {
		return exact, nil
	}
	rounded, err := a.Float32()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	values := make([]float64, len(rounded))
	for i, v := range rounded {
		values[i] = float64(v)
	}
	return values, nil
}

// readTable reads lines of a class name and a number; a first line without a
// number is a heading.
func readTable(path string, classNames []string) ([]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	classes := make(map[string]int, len(classNames))
	for c, name := range classNames {
		classes[name] = c
	}
	values := make([]float64, len(classNames))
	seen := make([]bool, len(classNames))
	rows := csv.NewReader(f)
	rows.FieldsPerRecord = 2
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: a class name and a number a line are wanted: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		value, err := strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
		c, known := classes[row[0]]
		switch {
		case err != nil && first:
			continue
		case err != nil:
			return nil, fmt.Errorf("%s:%d: %q is no number", path, line, row[1])
		case !known:
			return nil, fmt.Errorf("%s:%d: there is no class %q", path, line, row[0])
		case seen[c]:
			return nil, fmt.Errorf("%s:%d: class %q for the second time", path, line, row[0])
		}
		values[c], seen[c] = value, true
	}
	for c, name := range classNames {
		if !seen[c] {
			return nil, fmt.Errorf("%s: class %q is missing", path, name)
		}
	}
	return values, nil
}
