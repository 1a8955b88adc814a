package reweighted

import (
	"slices"
	"strconv"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
	"github.com/upl-host/upl-host/strategies/vector"
)

// OutputParameters are the JSON Schemas of parameters that Output reads.
const OutputParameters = `"k": ` + ranking.KParameter + `,
	"output": {
		"enum": ["hard", "soft"], "default": "hard",
		"description": "of the images picked, their classes, or all of their corrected probabilities"
	},
	"weight": ` + ranking.WeightParameter

// Output picks, of a [Matrix], per class the k most confident rows of those that are
// predicted as it, and gives them hard or soft labels: in one pass or two.
type Output struct {
	k      int
	soft   bool
	weight ranking.Weight
	lists  *ranking.Lists
	picked []int // of soft labels: rows yet to come, once they are known

	row     []float32
	classes []sdk.Candidate
}

// NewOutput reads the parameters.
func NewOutput(s *sdk.Setup) (*Output, error) {
	o := &Output{row: make([]float32, s.Classes)}
	var err error
	if o.k, err = s.Int("k"); err != nil {
		return nil, err
	}
	output, err := s.Text("output")
	if err != nil {
		return nil, err
	}
	if o.soft = output == "soft"; o.soft && !s.Takes(sdk.EmitSoft) {
		return nil, sdk.Unusable("output", `is "soft", and this host takes no soft labels: take "hard"`)
	}
	o.weight, err = ranking.NewWeight(s)
	o.lists = ranking.New(int(s.Classes), o.k)
	return o, err
}

// maxPasses is how often a host that learns between rounds goes over the data before
// each: its MaxRounds are those that learn.
const maxPasses = 100

// CheckIterations refuses more than the host goes over the data for, a pass each and
// those of the output after them.
func (o *Output) CheckIterations(s *sdk.Setup, iterations int) error {
	most := int(s.MaxRounds)
	if s.Learns() {
		most = maxPasses
	}
	if most--; o.soft && o.k > 0 {
		most--
	}
	if iterations > most {
		return sdk.Unusable("iterations", "is "+strconv.Itoa(iterations)+", and this host goes over the data often enough for "+strconv.Itoa(most))
	}
	return nil
}

// Observe takes a batch of a pass.
func (o *Output) Observe(b *sdk.Batch, m *Matrix) error {
	switch {
	case o.soft && o.k == 0:
		return m.Rows(b.First, b.Rows, func(row int, products []float64, sum float64) error {
			o.round(products, sum)
			return o.emitSoft(b.Round, row)
		})
	case o.lists != nil:
		return m.Rows(b.First, b.Rows, func(row int, products []float64, sum float64) error {
			o.round(products, sum)
			class, p, margin := ranking.First(o.row)
			o.lists.Offer(class, ranking.Row{Row: row, P: p, Margin: margin})
			return nil
		})
	}
	for len(o.picked) > 0 && o.picked[0] < b.First+b.Rows {
		row := o.picked[0]
		o.picked = o.picked[1:]
		err := m.Rows(row, 1, func(row int, products []float64, sum float64) error {
			o.round(products, sum)
			return o.emitSoft(b.Round, row)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// EndRound ends a pass; another says that there is one more.
func (o *Output) EndRound(r *sdk.Round) (another bool, err error) {
	switch {
	case !o.soft:
		return false, o.lists.Emit(r, o.weight)
	case o.k == 0 || o.lists == nil:
		return false, nil
	}
	for class := range int(r.Classes) {
		for _, row := range o.lists.Rows(class) {
			o.picked = append(o.picked, row.Row)
		}
	}
	slices.Sort(o.picked)
	o.lists = nil
	return true, nil
}

// round fills o.row with the products by their sum; a row of zeros stays so.
func (o *Output) round(products []float64, sum float64) {
	if sum == 0 {
		clear(o.row)
		return
	}
	vector.Divide(o.row, products, sum)
}

// emitSoft gives a row its probabilities. One of zeros has none to give.
func (o *Output) emitSoft(r *sdk.Round, row int) error {
	o.classes = o.classes[:0]
	for c, p := range o.row {
		if p > 0 {
			o.classes = append(o.classes, sdk.Candidate{Class: uint32(c), P: p})
		}
	}
	if len(o.classes) == 0 {
		return nil
	}
	return r.EmitSoft(row, 1, o.classes...)
}
