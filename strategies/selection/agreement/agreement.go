// Package agreement picks images on which several models agree: those whose class at
// least a quorum of the models predict, and of them per class the k with the largest
// mean probability. Models of different architecture err on different images, so
// that agreement says more than one model's confidence (as in co-training and in
// ensembles of teachers; the rule is ours). It gives fewer labels, which are better.
//
// Of several classes with as many votes the one of the larger mean probability wins.
// Mean probabilities are those of the models, whatever makes the run's ensemble.
package agreement

import (
	"strconv"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "agreement".
var Policy = sdk.Policy{
	Name:    "agreement",
	Version: "1.0.0",
	Summary: "per class the K most confident of the images on which enough models agree",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"quorum": {
				"type": "integer", "minimum": 0, "default": 0,
				"description": "models that have to predict the class; 0: all"
			},
			"k": ` + ranking.KParameter + `,
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewRows, sdk.ViewAgree},
	Selection: func() sdk.Selection { return &agreement{} },
}

type agreement struct {
	quorum int
	weight ranking.Weight
	votes  *sdk.View[sdk.Candidate] // each model's first class
	models []*sdk.View[float32]
	best   *ranking.Lists

	sums []float64
	mean []float32
}

// Configure opens the views.
func (a *agreement) Configure(s *sdk.Setup) (err error) {
	models := int(s.Models)
	if a.quorum, err = s.Int("quorum"); err != nil {
		return err
	}
	if a.quorum > models {
		return sdk.Unusable("quorum", "is "+strconv.Itoa(a.quorum)+", and there are "+strconv.Itoa(models)+" models")
	}
	if a.quorum == 0 {
		a.quorum = models
	}
	k, err := s.Int("k")
	if err != nil {
		return err
	}
	if a.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
	a.best = ranking.New(int(s.Classes), k)
	a.sums, a.mean = make([]float64, s.Classes), make([]float32, s.Classes)
	for m := range models {
		view, err := s.OpenRows(m)
		if err != nil {
			return err
		}
		a.models = append(a.models, view)
	}
	a.votes, err = s.OpenAgree()
	return err
}

// Observe ranks the images that have a quorum.
func (a *agreement) Observe(b *sdk.Batch) error {
	votes, err := a.votes.Batch(b)
	if err != nil {
		return err
	}
	models := len(a.models)
	for i := range b.Rows {
		cast := votes[i*models : (i+1)*models]
		if most(cast) < a.quorum || a.hopeless(cast) {
			continue
		}
		if err := a.average(b.First + i); err != nil {
			return err
		}
		class := a.winner(cast)
		a.best.Offer(class, ranking.Row{Row: b.First + i, P: a.mean[class], Margin: a.margin(class)})
	}
	return nil
}

// EndRound emits the first of each class.
func (a *agreement) EndRound(r *sdk.Round) (bool, error) {
	return false, a.best.Emit(r, a.weight)
}

// most is the number of votes of a class that has most.
func most(cast []sdk.Candidate) (n int) {
	for _, vote := range cast {
		n = max(n, count(cast, vote.Class))
	}
	return n
}

func count(cast []sdk.Candidate, class uint32) (n int) {
	for _, vote := range cast {
		if vote.Class == class {
			n++
		}
	}
	return n
}

// hopeless says that all agree on a class whose list has no room for the image: its
// mean is the votes', so that no row has to be read for it.
func (a *agreement) hopeless(cast []sdk.Candidate) bool {
	last, full := a.best.Last(int(cast[0].Class))
	if !full || count(cast, cast[0].Class) < len(cast) {
		return false
	}
	var sum float64
	for _, vote := range cast {
		sum += float64(vote.P)
	}
	return float32(sum/float64(len(cast))) < last.P
}

// average fills a.mean with the models' mean of a row.
func (a *agreement) average(row int) error {
	for m, view := range a.models {
		p, err := view.Read(row, 1)
		if err != nil {
			return err
		}
		if m == 0 {
			clear(a.sums)
		}
		vector.AddScaled(a.sums, 1, p)
	}
	vector.Divide(a.mean, a.sums, float64(len(a.models)))
	return nil
}

// winner is the class of most votes; of equals that of the larger mean, then the
// lowest.
func (a *agreement) winner(cast []sdk.Candidate) int {
	needed := most(cast)
	winner := -1
	for _, vote := range cast {
		class := int(vote.Class)
		if count(cast, vote.Class) < needed {
			continue
		}
		if winner < 0 || a.mean[class] > a.mean[winner] || a.mean[class] == a.mean[winner] && class < winner {
			winner = class
		}
	}
	return winner
}

// margin is the mean of a class minus the largest of the others: below 0 where the
// class is not the first.
func (a *agreement) margin(class int) float32 {
	if len(a.mean) == 1 {
		return a.mean[0]
	}
	first, other, second := vector.FirstTwo(a.mean)
	if first == class {
		other = second
	}
	return a.mean[class] - other
}
