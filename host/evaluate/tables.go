package evaluate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// Prediction is a row of predictions.csv: a test picture.
type Prediction struct {
	// Path is relative to the data set's root, slash-separated.
	Path string
	// Label is empty where it is unknown.
	Label string
	// ZeroShot and Learned are class names; Learned is empty, and its
	// probability 0, where nothing was learnt.
	ZeroShot            string
	ZeroShotProbability float32
	Learned             string
	LearnedProbability  float32
}

// PseudoLabel is a row of pseudo_labels.csv.
type PseudoLabel struct {
	Path, Class string
	// Weight is what the picture counts in training; Probability that of Class.
	Weight, Probability float32
}

var (
	predictionColumns  = []string{"path", "label", "zero_shot", "zero_shot_probability", "learned", "learned_probability"}
	pseudoLabelColumns = []string{"path", "class", "weight", "probability"}
)

// TableError says where a CSV file is not what it should be.
type TableError struct {
	Path string
	Line int
	Err  error
}

func (e *TableError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Path, e.Line, e.Err) }

// Unwrap returns what was wrong.
func (e *TableError) Unwrap() error { return e.Err }

// WritePredictions writes predictions.csv, whole or not at all.
func WritePredictions(path string, predictions []Prediction) error {
	return writeTable(path, predictionColumns, len(predictions), func(i int) []string {
		p := predictions[i]
		learned := ""
		if p.Learned != "" {
			learned = shortest(p.LearnedProbability)
		}
		return []string{p.Path, p.Label, p.ZeroShot, shortest(p.ZeroShotProbability), p.Learned, learned}
	})
}

// ReadPredictions reads predictions.csv; a fault is a *TableError.
func ReadPredictions(path string) ([]Prediction, error) {
	var predictions []Prediction
	err := readTable(path, predictionColumns, func(row []string) error {
		p := Prediction{Path: row[0], Label: row[1], ZeroShot: row[2], Learned: row[4]}
		var err error
		if p.ZeroShotProbability, err = parse(predictionColumns[3], row[3]); err != nil {
			return err
		}
		if p.Learned != "" {
			if p.LearnedProbability, err = parse(predictionColumns[5], row[5]); err != nil {
				return err
			}
		}
		predictions = append(predictions, p)
		return nil
	})
	return predictions, err
}

// WritePseudoLabels writes pseudo_labels.csv, whole or not at all.
func WritePseudoLabels(path string, labels []PseudoLabel) error {
	return writeTable(path, pseudoLabelColumns, len(labels), func(i int) []string {
		l := labels[i]
		return []string{l.Path, l.Class, shortest(l.Weight), shortest(l.Probability)}
	})
}

// ReadPseudoLabels reads pseudo_labels.csv; a fault is a *TableError.
func ReadPseudoLabels(path string) ([]PseudoLabel, error) {
	var labels []PseudoLabel
	err := readTable(path, pseudoLabelColumns, func(row []string) error {
		weight, err := parse(pseudoLabelColumns[2], row[2])
		if err != nil {
			return err
		}
		probability, err := parse(pseudoLabelColumns[3], row[3])
		if err != nil {
			return err
		}
		labels = append(labels, PseudoLabel{Path: row[0], Class: row[1], Weight: weight, Probability: probability})
		return nil
	})
	return labels, err
}

// ReadColumns reads columns of a CSV file by their names; one that is missing is a
// *TableError.
func ReadColumns(path string, names ...string) ([][]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading a table: %w", err)
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(records) == 0 {
		return nil, &TableError{Path: path, Line: 1, Err: errors.New("the file is empty")}
	}
	places := make([]int, len(names))
	for i, name := range names {
		if places[i] = slices.Index(records[0], name); places[i] < 0 {
			return nil, &TableError{Path: path, Line: 1, Err: fmt.Errorf("there is no column %s among %s", name, strings.Join(records[0], ","))}
		}
	}
	rows := make([][]string, 0, len(records)-1)
	for _, record := range records[1:] {
		row := make([]string, len(names))
		for i, place := range places {
			row[i] = record[place]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// shortest is the shortest decimal that reads back as the same float32.
func shortest(v float32) string { return strconv.FormatFloat(float64(v), 'g', -1, 32) }

func parse(column, text string) (float32, error) {
	v, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", column, err)
	}
	return float32(v), nil
}

func writeTable(path string, columns []string, rows int, row func(int) []string) error {
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer file.Cleanup()
	w := csv.NewWriter(file)
	err = w.Write(columns)
	for i := 0; i < rows && err == nil; i++ {
		err = w.Write(row(i))
	}
	w.Flush()
	if err = errors.Join(err, w.Error()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func readTable(path string, columns []string, row func([]string) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading a table: %w", err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.ReuseRecord = true
	for first := true; ; first = false {
		record, err := r.Read()
		line := 1
		if err == nil {
			line, _ = r.FieldPos(0)
		}
		switch {
		case errors.Is(err, io.EOF) && !first:
			return nil
		case errors.Is(err, io.EOF):
			return &TableError{path, line, errors.New("the file is empty")}
		case err != nil:
			var fault *csv.ParseError
			if errors.As(err, &fault) {
				return &TableError{path, fault.Line, fault.Err}
			}
			return fmt.Errorf("reading %s: %w", path, err)
		case first && !slices.Equal(record, columns):
			return &TableError{path, line, fmt.Errorf("the columns are %s, not %s", strings.Join(record, ","), strings.Join(columns, ","))}
		case first:
			continue
		}
		if err := row(record); err != nil {
			return &TableError{path, line, err}
		}
	}
}
