// Package align is the distribution alignment of ReMixMatch (arXiv 1911.09785,
// section 3.1): each class's probabilities are scaled so that the classes are
// predicted, in the mean over all images, as often as a prior says; rows are then
// made to sum to 1 again. CLIP favours some classes, and starves others: this takes
// from the former and gives to the latter.
package align

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/parameter"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "align".
var Policy = sdk.Policy{
	Name:    "align",
	Version: "1.0.0",
	Summary: "probabilities scaled so that classes are as frequent as a prior says",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"model": {
				"anyOf": [{"type": "integer", "minimum": -1}, {"type": "string"}], "default": -1,
				"description": "the model's place in the configuration, from 0, or its name; -1: the mean of all"
			},
			"prior": {
				"enum": ["uniform", "given"], "default": "uniform",
				"description": "how frequent the classes are: all alike, or as the configuration's prior says"
			}
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewClassMean},
	Ensemble: func() sdk.Combiner { return &align{} },
}

type align struct {
	prior  []float64
	rows   *sdk.View[float32]
	sums   *sdk.View[float64] // one record: the number of rows, and the columns' sums
	ratios []float64          // prior by mean, of each class
	scaled []float64          // of a row
}

// Configure opens the rows, and their sums.
func (a *align) Configure(s *sdk.Setup) error {
	model, err := parameter.Model(s, true)
	if err != nil {
		return err
	}
	if a.prior, err = prior(s); err != nil {
		return err
	}
	if a.rows, err = s.OpenRows(model); err != nil {
		return err
	}
	a.sums, err = s.OpenClassMean(model, sdk.FlagAll)
	return err
}

// prior gives shares that sum to 1.
func prior(s *sdk.Setup) ([]float64, error) {
	kind, err := s.Text("prior")
	if err != nil {
		return nil, err
	}
	shares := make([]float64, s.Classes)
	if kind == "uniform" {
		for c := range shares {
			shares[c] = 1 / float64(len(shares))
		}
		return shares, nil
	}
	if len(s.Prior) == 0 {
		return nil, sdk.Unusable("prior", `is "given", and none is: set label.prior in the configuration, or --prior on the command line`)
	}
	var sum float64
	for _, share := range s.Prior {
		sum += share
	}
	for c, share := range s.Prior {
		shares[c] = share / sum
	}
	return shares, nil
}

// EndRound has the sums of all rows.
func (a *align) EndRound(*sdk.Round) (bool, error) {
	record, err := a.sums.Read(0, 1)
	if err != nil {
		return false, err
	}
	rows, sums := record[0], record[1:]
	a.ratios, a.scaled = make([]float64, len(sums)), make([]float64, len(sums))
	for c, sum := range sums {
		if sum > 0 {
			a.ratios[c] = a.prior[c] * rows / sum
		}
	}
	return false, nil
}

// Combine scales the rows.
func (a *align) Combine(b *sdk.Batch) error {
	rows, err := a.rows.Batch(b)
	if err != nil {
		return err
	}
	out, classes := b.Output(), int(b.Classes)
	for i := 0; i < len(out); i += classes {
		a.scale(rows[i:i+classes], out[i:i+classes])
	}
	return nil
}

// scale leaves a row as it is of which nothing would be left: all its classes have a
// prior of 0.
func (a *align) scale(row, out []float32) {
	vector.Products(a.scaled, row, a.ratios)
	sum := vector.Sum(a.scaled)
	if sum == 0 {
		copy(out, row)
		return
	}
	vector.Divide(out, a.scaled, sum)
}
