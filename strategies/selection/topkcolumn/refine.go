package topkcolumn

import (
	"cmp"
	"slices"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/elementary"
	"github.com/upl-host/upl-host/strategies/vector"
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

	members []member  // of the group at hand
	sums    []float64 // of their log q, by class
}

// member is a row of a group.
type member struct {
	q, log   []float64 // and log q
	row      sdk.Ranked
	distance float32
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
	for len(t.members) < len(group) {
		t.members = append(t.members, member{q: make([]float64, len(t.sums)), log: make([]float64, len(t.sums))})
	}
	members := t.members[:len(group)]
	clear(t.sums)
	for i, row := range group {
		p, err := t.rows.Read(int(row.Row), 1)
		if err != nil {
			return nil, err
		}
		row.P = p[class]
		members[i].row = row
		members[i].temper(p, t.temperature)
		vector.AddScaled(t.sums, 1, members[i].log)
	}
	for i := range members {
		members[i].measure(t.sums, float64(len(group)))
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(a.distance, b.distance) })
	chosen := make([]sdk.Ranked, 0, min(t.k, len(group)))
	for _, m := range members[:cap(chosen)] {
		chosen = append(chosen, m.row)
	}
	return chosen, nil
}

// temper makes q softmax(log max(p, tiny) / temperature).
func (m *member) temper(p []float32, temperature float64) {
	elementary.Logs(m.log, p)
	_, largest, _ := vector.FirstTwo(p)
	vector.DivideLess(m.log, temperature, elementary.Log(float64(largest))/temperature)
	copy(m.q, m.log)
	sum := elementary.Exps(m.q)
	vector.DivideLess(m.q, sum, 0)
	vector.DivideLess(m.log, 1, elementary.Log(sum))
}

// measure finds the sum of KL(q || q of each of n members), of whose log q sums are.
func (m *member) measure(sums []float64, n float64) {
	m.distance = float32(float64(n*vector.Dot(m.q, m.log)) - vector.Dot(m.q, sums))
}
