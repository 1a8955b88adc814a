// Package vote is the plurality vote of the models' first classes: what most of
// them say, however sure they are; the mean probability decides between equals.
package vote

import (
	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/ensemble/calibration"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "vote".
var Policy = sdk.Policy{
	Name:    "vote",
	Version: "1.0.0",
	Summary: "the class that most models predict, with the mean probabilities of those that do",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"output": {
				"enum": ["mean", "onehot"], "default": "mean",
				"description": "mean: of the models that voted for the winner; onehot: 1 for the winner, which ranks no longer"
			},
			"calibrate": ` + calibration.Parameter + `
		}
	}`,
	Needs:    []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats},
	Rounds:   true,
	Ensemble: func() sdk.Combiner { return &vote{} },
}

type vote struct {
	calibration.Rounds
	onehot bool
	models []*sdk.View[float32]
	stats  []*sdk.View[sdk.Stats]

	// Of the batch at hand, by model.
	rows  [][]float32
	votes [][]sdk.Stats
	sums  []float64 // of a row
}

// Configure reads the parameters.
func (v *vote) Configure(s *sdk.Setup) error {
	output, err := s.Text("output")
	if err != nil {
		return err
	}
	v.onehot = output == "onehot"
	v.rows, v.votes = make([][]float32, s.Models), make([][]sdk.Stats, s.Models)
	v.sums = make([]float64, s.Classes)
	return v.Calibrate(s)
}

// BeginRound opens, in the last round, the models: their first classes, and their
// rows.
func (v *vote) BeginRound(r *sdk.Round) error {
	return v.Begin(r, func(at *sdk.Setup, model int) error {
		rows, err := at.OpenRows(model)
		if err != nil {
			return err
		}
		stats, err := at.OpenStats(model, sdk.FlagNoEntropy)
		v.models, v.stats = append(v.models, rows), append(v.stats, stats)
		return err
	})
}

// Combine finds each row's winner.
func (v *vote) Combine(b *sdk.Batch) (err error) {
	for m := range v.models {
		if v.rows[m], err = v.models[m].Batch(b); err != nil {
			return err
		}
		if v.votes[m], err = v.stats[m].Batch(b); err != nil {
			return err
		}
	}
	out, classes := b.Output(), int(b.Classes)
	for i := range b.Rows {
		winner := v.winner(i, classes)
		row := out[i*classes:][:classes]
		if v.onehot {
			clear(row)
			row[winner] = 1
		} else {
			v.meanOfVoters(i, winner, row)
		}
	}
	return nil
}

// winner is the class with the most votes for a row; of equals that with the larger
// mean over all models, in float32; of equals the lowest.
func (v *vote) winner(i, classes int) uint32 {
	var winner uint32
	var most int
	var confidence float32
	for m := range v.votes {
		class, n := v.votes[m][i].Class, 0
		for _, votes := range v.votes {
			if votes[i].Class == class {
				n++
			}
		}
		if n < most {
			continue
		}
		p := v.mean(i*classes + int(class))
		if n > most || p > confidence || p == confidence && class < winner {
			winner, most, confidence = class, n, p
		}
	}
	return winner
}

// mean is that of all models, of one of the batch's probabilities.
func (v *vote) mean(at int) float32 {
	var sum float64
	for _, rows := range v.rows {
		sum += float64(rows[at])
	}
	return float32(sum / float64(len(v.rows)))
}

// meanOfVoters is that of the models that voted for the winner: its first class is
// the winner, and its largest probability still tells sure from unsure.
func (v *vote) meanOfVoters(i int, winner uint32, out []float32) {
	clear(v.sums)
	voters := 0
	for m, votes := range v.votes {
		if votes[i].Class != winner {
			continue
		}
		voters++
		vector.AddScaled(v.sums, 1, v.rows[m][i*len(out):][:len(out)])
	}
	vector.Divide(out, v.sums, float64(voters))
}
