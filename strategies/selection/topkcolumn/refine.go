package topkcolumn

import (
	"cmp"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/elementary"
)

// gathered is how many bytes of rows are read by number in a round: well within what
// a host allows, and so few that the time limit of a call is no matter.
const gathered = 256 << 20

// refine chooses, of a group of rows for each class, those with the least sum of
// KL(q of the row || q of another of the group): q is softmax(log p / temperature).
// After the pass that ranks, as many classes as may be read are done in a round.
type refine struct {
	k, pool     int
	temperature float64
	best        *sdk.ClassTopK // of the first round alone
	rows        *sdk.View[float32]
	groups      [][]sdk.Ranked // by class; of those that are done, nil
	chosen      [][]sdk.Ranked // by class, as far as it is done; P is that of the class

	logs [][]float64 // of q, by row of a group
	sums []float64   // of the logs, by class
}

func newRefine(s *sdk.Setup, k int) (*refine, error) {
	temperature, err := s.Float("temperature")
	if err != nil {
		return nil, err
	}
	scale, err := s.Float("logit_scale")
	if err != nil {
		return nil, err
	}
	pool, err := s.Int("pool")
	if err != nil {
		return nil, err
	}
	t := &refine{k: k, pool: within(pool*k, s), temperature: temperature * scale, sums: make([]float64, s.Classes)}
	t.rows, err = s.OpenGather(sdk.Ensemble)
	return t, err
}

// beginRound ranks the columns at the temperature, once.
func (t *refine) beginRound(r *sdk.Round) (err error) {
	if t.groups != nil {
		r.SkipBatches()
		return nil
	}
	t.best, err = r.At(float32(t.temperature)).OpenClassTopK(sdk.Ensemble, t.pool, sdk.FlagAll)
	return err
}

// endRound refines some classes; another says that there are more.
func (t *refine) endRound(r *sdk.Round) (another bool, err error) {
	if t.groups == nil {
		for class := range int(r.Classes) {
			group, err := t.best.Class(class)
			if err != nil {
				return false, err
			}
			t.groups = append(t.groups, slices.Clone(group))
		}
	}
	read := 0
	for len(t.chosen) < len(t.groups) {
		class := len(t.chosen)
		size := 4 * len(t.groups[class]) * len(t.sums)
		if read > 0 && read+size > gathered {
			return true, nil
		}
		read += size
		chosen, err := t.choose(class, t.groups[class])
		if err != nil {
			return false, err
		}
		t.chosen = append(t.chosen, chosen)
	}
	return false, nil
}

// choose refines a class's group.
func (t *refine) choose(class int, group []sdk.Ranked) ([]sdk.Ranked, error) {
	for len(t.logs) < len(group) {
		t.logs = append(t.logs, make([]float64, len(t.sums)))
	}
	clear(t.sums)
	for i := range group {
		p, err := t.rows.Read(int(group[i].Row), 1)
		if err != nil {
			return nil, err
		}
		group[i].P = p[class]
		logSoftmax(t.logs[i], p, t.temperature)
		for c, log := range t.logs[i] {
			t.sums[c] += log
		}
	}
	type member struct {
		sdk.Ranked
		distance float32
	}
	members := make([]member, 0, len(group))
	for i, row := range group {
		var distance float64
		for c, log := range t.logs[i] {
			if q := elementary.Exp(log); q > 0 {
				distance += float64(q * (float64(float64(len(group))*log) - t.sums[c]))
			}
		}
		members = append(members, member{row, float32(distance)})
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.distance, b.distance) })
	chosen := make([]sdk.Ranked, 0, min(t.k, len(group)))
	for _, m := range members[:cap(chosen)] {
		chosen = append(chosen, m.Ranked)
	}
	return chosen, nil
}

// logSoftmax fills dst with log softmax(log max(p, tiny) / temperature).
func logSoftmax(dst []float64, p []float32, temperature float64) {
	largest := elementary.Log(float64(slices.Max(p))) / temperature
	var sum float64
	for c, p := range p {
		dst[c] = elementary.Log(max(float64(p), elementary.Tiny))/temperature - largest
		sum += elementary.Exp(dst[c])
	}
	normaliser := elementary.Log(sum)
	for c := range dst {
		dst[c] -= normaliser
	}
}
