package arrays

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/plugins"
)

// WriteSelection writes a selection as a .npz or .csv file, whole or not at all.
func WriteSelection(path string, s plugins.Selection, classes int) error {
	if strings.EqualFold(filepath.Ext(path), ".npz") {
		return array.WriteArchive(path, archive(s, classes))
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer f.Cleanup()
	buffer := bufio.NewWriterSize(f, 1<<20)
	if err := writeTable(buffer, s, classes); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := buffer.Flush(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// mixed says whether records of several kinds were emitted, drops aside.
func mixed(s *plugins.Selection) bool {
	kinds := 0
	for _, n := range []int{len(s.Labels), len(s.Soft), len(s.Candidates)} {
		if n > 0 {
			kinds++
		}
	}
	return kinds > 1
}

// archive is a selection as arrays: rows, classes, weights of hard labels; rows,
// weights, soft; or rows, weights, offsets, classes of candidate sets. Where kinds
// are mixed their arrays begin with hard_, soft_, candidates_. Dropped rows are
// drops. A selection of nothing is one of no hard labels.
func archive(s plugins.Selection, classes int) map[string]array.Array {
	arrays := map[string]array.Array{}
	prefix := func(kind string) string {
		if mixed(&s) {
			return kind + "_"
		}
		return ""
	}
	if len(s.Labels) > 0 || len(s.Soft)+len(s.Candidates) == 0 {
		hardArrays(arrays, prefix("hard"), s.Labels)
	}
	if len(s.Soft) > 0 {
		softArrays(arrays, prefix("soft"), s.Soft, classes)
	}
	if len(s.Candidates) > 0 {
		candidateArrays(arrays, prefix("candidates"), s.Candidates)
	}
	if len(s.Drops) > 0 {
		arrays["drops"] = vector(widen(s.Drops))
	}
	return arrays
}

func hardArrays(arrays map[string]array.Array, prefix string, labels []plugins.Label) {
	rows, classes, weights := make([]int64, len(labels)), make([]int32, len(labels)), make([]float32, len(labels))
	for i, l := range labels {
		rows[i], classes[i], weights[i] = int64(l.Row), int32(l.Class), l.Weight
	}
	arrays[prefix+"rows"], arrays[prefix+"classes"], arrays[prefix+"weights"] = vector(rows), vector(classes), vector(weights)
}

func softArrays(arrays map[string]array.Array, prefix string, labels []plugins.SoftLabel, classes int) {
	rows, weights := make([]int64, len(labels)), make([]float32, len(labels))
	for i, l := range labels {
		rows[i], weights[i] = int64(l.Row), l.Weight
	}
	arrays[prefix+"rows"], arrays[prefix+"weights"] = vector(rows), vector(weights)
	arrays[prefix+"soft"] = array.Array{Shape: []int{len(labels), classes}, Data: array.Generated(func(row int, dst []float32) {
		for _, c := range labels[row].P {
			dst[c.Class] = c.P
		}
	})}
}

func candidateArrays(arrays map[string]array.Array, prefix string, sets []plugins.CandidateSet) {
	rows, weights := make([]int64, len(sets)), make([]float32, len(sets))
	offsets, classes := make([]int64, 1, len(sets)+1), []int32{}
	for i, s := range sets {
		rows[i], weights[i] = int64(s.Row), s.Weight
		for _, c := range s.Classes {
			classes = append(classes, int32(c))
		}
		offsets = append(offsets, int64(len(classes)))
	}
	arrays[prefix+"rows"], arrays[prefix+"weights"] = vector(rows), vector(weights)
	arrays[prefix+"offsets"], arrays[prefix+"classes"] = vector(offsets), vector(classes)
}

func vector[T any](values []T) array.Array {
	return array.Array{Shape: []int{len(values)}, Data: values}
}

func widen(values []int) []int64 {
	wide := make([]int64, len(values))
	for i, v := range values {
		wide[i] = int64(v)
	}
	return wide
}

// writeTable writes a selection as CSV: row,class,weight of hard labels;
// row,weight,p0… of soft ones; row,weight,classes of candidate sets. Where kinds
// are mixed, or rows dropped, it is row,kind,weight,classes,p for all of them.
func writeTable(w io.Writer, s plugins.Selection, classes int) error {
	rows := csv.NewWriter(w)
	switch {
	case mixed(&s) || len(s.Drops) > 0:
		writeMixed(rows, s)
	case len(s.Soft) > 0:
		writeSoft(rows, s.Soft, classes)
	case len(s.Candidates) > 0:
		write(rows, "row", "weight", "classes")
		for _, l := range s.Candidates {
			write(rows, strconv.Itoa(l.Row), number(l.Weight), join(l.Classes))
		}
	default:
		write(rows, "row", "class", "weight")
		for _, l := range s.Labels {
			write(rows, strconv.Itoa(l.Row), strconv.Itoa(l.Class), number(l.Weight))
		}
	}
	rows.Flush()
	return rows.Error()
}

// write leaves an error to the writer: the last Flush has it.
func write(rows *csv.Writer, cells ...string) { _ = rows.Write(cells) }

func writeSoft(rows *csv.Writer, labels []plugins.SoftLabel, classes int) {
	cells := []string{"row", "weight"}
	for c := range classes {
		cells = append(cells, "p"+strconv.Itoa(c))
	}
	write(rows, cells...)
	for _, l := range labels {
		cells[0], cells[1] = strconv.Itoa(l.Row), number(l.Weight)
		for c := range classes {
			cells[2+c] = "0"
		}
		for _, c := range l.P {
			cells[2+c.Class] = number(c.P)
		}
		write(rows, cells...)
	}
}

// writeMixed writes the kinds one after the other, each by row.
func writeMixed(rows *csv.Writer, s plugins.Selection) {
	write(rows, "row", "kind", "weight", "classes", "p")
	for _, l := range s.Labels {
		write(rows, strconv.Itoa(l.Row), "hard", number(l.Weight), strconv.Itoa(l.Class), "")
	}
	for _, l := range s.Soft {
		classes, p := make([]int, len(l.P)), make([]string, len(l.P))
		for i, c := range l.P {
			classes[i], p[i] = int(c.Class), number(c.P)
		}
		write(rows, strconv.Itoa(l.Row), "soft", number(l.Weight), join(classes), strings.Join(p, ";"))
	}
	for _, l := range s.Candidates {
		write(rows, strconv.Itoa(l.Row), "candidates", number(l.Weight), join(l.Classes), "")
	}
	for _, row := range s.Drops {
		write(rows, strconv.Itoa(row), "drop", "0", "", "")
	}
}

func join(classes []int) string {
	cells := make([]string, len(classes))
	for i, c := range classes {
		cells[i] = strconv.Itoa(c)
	}
	return strings.Join(cells, ";")
}

// number writes a float32 in the fewest digits that read back as it.
func number(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }
