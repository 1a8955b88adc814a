package learn

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"

	"github.com/upl-host/upl-host/graphs/tensorboard"
)

// writeCurve writes training/seed-N.csv.
func writeCurve(path string, curve []Epoch) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	records := make([][]string, 1, 1+len(curve))
	records[0] = []string{"epoch", "learning_rate", "loss", "accuracy"}
	for _, e := range curve {
		records = append(records, []string{strconv.Itoa(e.Epoch), formatReal(e.Rate), formatReal(e.Loss), formatReal(e.Accuracy)})
	}
	if err := w.WriteAll(records); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the training curve: %w", err)
	}
	return nil
}

// WriteCurve writes the curve of a seed's training: training/seed-N.csv, and the same
// for TensorBoard.
func WriteCurve(folder string, seed uint64, curve []Epoch) error {
	path := CurvePath(folder, seed)
	if err := makeFolders(path); err != nil {
		return err
	}
	events, err := board(boardPath(folder, seed), curve)
	if err != nil {
		return err
	}
	if err := events.Close(); err != nil {
		return err
	}
	return writeCurve(path, curve)
}

// boardPath is the folder of a seed's TensorBoard events.
func boardPath(folder string, seed uint64) string {
	return filepath.Join(folder, "tensorboard", seedName(seed))
}

// board begins a seed's TensorBoard events with the epochs that are done.
func board(folder string, curve []Epoch) (*tensorboard.Writer, error) {
	path := filepath.Join(folder, tensorboard.FileName)
	if err := makeFolders(path); err != nil {
		return nil, err
	}
	w, err := tensorboard.Create(path)
	if err != nil {
		return nil, err
	}
	for _, e := range curve {
		if err := show(w, e); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

func show(w *tensorboard.Writer, e Epoch) error {
	return w.Append(
		e.Epoch,
		tensorboard.Scalar{Tag: "loss", Value: float32(e.Loss)},
		tensorboard.Scalar{Tag: "accuracy", Value: float32(e.Accuracy)},
		tensorboard.Scalar{Tag: "learning_rate", Value: float32(e.Rate)},
	)
}
