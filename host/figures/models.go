package figures

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/report"
	"github.com/upl-host/upl-host/host/report/figure"
)

// perModel shows which classes each model knows, of the first run of each.
func perModel(cells []cell) (figure.Figure, string) {
	var all []evaluate.ModelClass
	for _, model := range distinct(cells, modelOf) {
		rows, err := readModel(filter(cells, func(c cell) bool { return c.model == model && c.folder != "" }))
		if err != nil {
			return figure.Figure{}, err.Error()
		}
		all = append(all, rows...)
	}
	if len(all) == 0 {
		return figure.Figure{}, "no run has a models.csv"
	}
	return report.AccuracyPerModel(all)
}

// readModel reads what their model predicts from the first of the cells that has it.
func readModel(cells []cell) (rows []evaluate.ModelClass, err error) {
	for _, c := range cells {
		all, err := evaluate.ReadModelClasses(filepath.Join(c.folder, "models.csv"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		for _, row := range all {
			if row.Model == c.model {
				rows = append(rows, row)
			}
		}
		return rows, err
	}
	return nil, nil
}
