// Package leaderboard is the assignment of GRIP (Menghini et al., arXiv 2306.01669;
// BatsResearch/menghini-neurips23-code): every class gets a list of k images, whatever
// is predicted most, and an image is in one list at most. An image goes to its most
// probable class that has room, or whose weakest image it beats and replaces. In
// round r of R, k is r/R of the images by the number of classes: lists grow as the
// model gets better.
//
// It is for data whose classes are about equally large: all of them get as many
// labels, also those that the model never predicts. In the mode "stream" an image that
// was replaced is out, so that the result depends on the order of the images; in the
// mode "stable", ours, it goes on to its next class (deferred acceptance, Gale and
// Shapley 1962), and the order is of no consequence. GRIP's code differs in that a
// refused image may get into several lists, which are not kept in order.
package leaderboard

import (
	"math/bits"
	"slices"
	"strconv"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/strategies/selection/ranking"
	"github.com/upl-host/upl-host/strategies/vector"
)

// Policy is "leaderboard".
var Policy = sdk.Policy{
	Name:    "leaderboard",
	Version: "1.0.0",
	Summary: "equally many images for each class, each image in one class's list",
	Parameters: `{
		"type": "object",
		"additionalProperties": false,
		"properties": {
			"k": {
				"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1, "maximum": 4294967295}], "default": null,
				"description": "images per class; null: round / rounds of the images by the number of classes"
			},
			"round": {
				"type": "integer", "minimum": 1, "maximum": 1000000, "default": 1,
				"description": "the round, or where several are run the first"
			},
			"rounds": {
				"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 1, "maximum": 1000000}], "default": null,
				"description": "the round in which all images are in a list; null: the last of the rounds of learning, or 10 where there is one"
			},
			"mode": {
				"enum": ["stream", "stable"], "default": "stream",
				"description": "an image that is replaced in a list is out, or goes on to its next class"
			},
			"weight": ` + ranking.WeightParameter + `
		}
	}`,
	Needs:     []sdk.ViewKind{sdk.ViewRows, sdk.ViewStats, sdk.ViewGather},
	Rounds:    true,
	Selection: func() sdk.Selection { return &leaderboard{} },
}

// gathered is how many bytes of rows are read by number between two passes, well
// within what a host allows.
const gathered = 512 << 20

type leaderboard struct {
	k             int // 0: by round
	round, rounds int
	left          int // rounds that the host learns in, this one included
	stable        bool
	weight        ranking.Weight
	rows          *sdk.View[float32]
	stats         *sdk.View[sdk.Stats]
	gather        *sdk.View[float32] // nil but in the mode stable

	begun   bool // all rows have been offered in this round
	lists   *ranking.Lists
	bars    []float32 // by class: what p has to reach; -1 where there is room
	waiting []int     // rows to be offered again, in this pass
	lost    []int     // and those after it
}

// Configure opens the views.
func (l *leaderboard) Configure(s *sdk.Setup) (err error) {
	if s.Has("k") {
		if l.k, err = s.Int("k"); err != nil {
			return err
		}
	}
	if l.round, err = s.Int("round"); err != nil {
		return err
	}
	l.left = int(s.MaxRounds)
	if err := l.last(s); err != nil {
		return err
	}
	mode, err := s.Text("mode")
	if err != nil {
		return err
	}
	if l.weight, err = ranking.NewWeight(s); err != nil {
		return err
	}
	l.bars = make([]float32, s.Classes)
	if l.rows, err = s.OpenRows(sdk.Ensemble); err != nil {
		return err
	}
	if l.stats, err = s.OpenStats(sdk.Ensemble, sdk.FlagNoEntropy); err != nil {
		return err
	}
	if l.stable = mode == "stable"; l.stable {
		l.gather, err = s.OpenGather(sdk.Ensemble)
	}
	return err
}

// unlearnt are the rounds that GRIP has, for where the host has none.
const unlearnt = 10

// last finds which round is the last, and checks that it is not before the first.
func (l *leaderboard) last(s *sdk.Setup) (err error) {
	switch {
	case s.Has("rounds"):
		l.rounds, err = s.Int("rounds")
	case s.Learns():
		l.rounds = l.round + l.left - 1
	default:
		l.rounds = unlearnt
	}
	if err == nil && l.k == 0 && l.round > l.rounds {
		return sdk.Unusable("round", "is "+strconv.Itoa(l.round)+", of "+strconv.Itoa(l.rounds)+" rounds")
	}
	return err
}

// most is how many images a class gets.
func (l *leaderboard) most(r *sdk.Round) int {
	if l.k > 0 {
		return l.k
	}
	return l.round * int(r.Rows) / (l.rounds * int(r.Classes))
}

// BeginRound makes empty lists. Where few rows are waiting, they are cheaper to read
// by number than in a pass over all.
func (l *leaderboard) BeginRound(r *sdk.Round) error {
	if !l.begun {
		k := l.most(r)
		l.lists = ranking.New(int(r.Classes), k)
		for c := range l.bars {
			l.bars[c] = -1
		}
		if k == 0 {
			r.SkipBatches()
		}
		return nil
	}
	if len(l.lost) <= int(r.Rows/8) {
		r.SkipBatches()
		return nil
	}
	slices.Sort(l.lost)
	l.waiting, l.lost = l.lost, nil
	return nil
}

// Observe offers the rows of a batch: all, or those that are waiting.
func (l *leaderboard) Observe(b *sdk.Batch) error {
	if !l.begun {
		return l.observe(b.First, b.Rows)
	}
	for len(l.waiting) > 0 && l.waiting[0] < b.First+b.Rows {
		row := l.waiting[0]
		l.waiting = l.waiting[1:]
		if err := l.observe(row, 1); err != nil {
			return err
		}
	}
	return nil
}

func (l *leaderboard) observe(first, n int) error {
	stats, err := l.stats.Read(first, n)
	if err != nil {
		return err
	}
	p, err := l.rows.Read(first, n)
	if err != nil {
		return err
	}
	classes := len(l.bars)
	for i, s := range stats {
		l.offer(first+i, p[i*classes:(i+1)*classes], int(s.Class), s.P, s.Margin)
	}
	return nil
}

// offer puts a row into the list of the most probable class that takes it. No class
// that has refused a row, or lost it, will ever take it again: lists only get better.
// So a row that was lost starts from its first class as any other.
func (l *leaderboard) offer(row int, p []float32, first int, largest, lead float32) {
	class, best := -1, float32(-1)
	for begin := 0; begin < len(p); begin += vector.Step {
		end := min(begin+vector.Step, len(p))
		for set := vector.Above(p[begin:end], best, l.bars[begin:end]); set != 0; set &= set - 1 {
			c := begin + bits.TrailingZeros32(set)
			if p[c] <= best {
				continue
			}
			if p[c] == l.bars[c] {
				last, _ := l.lists.Last(c)
				if candidate(row, p[c], c, first, largest, lead).Compare(last) > 0 {
					continue
				}
			}
			class, best = c, p[c]
		}
	}
	if class < 0 {
		return
	}
	lost, full := l.lists.Offer(class, candidate(row, best, class, first, largest, lead))
	if full && l.stable {
		l.lost = append(l.lost, lost.Row)
	}
	if last, full := l.lists.Last(class); full {
		l.bars[class] = last.P
	}
}

// candidate is a row as a class ranks it; first is the row's most probable class.
func candidate(row int, p float32, class, first int, largest, lead float32) ranking.Row {
	if class == first {
		return ranking.Row{Row: row, P: p, Margin: lead}
	}
	return ranking.Row{Row: row, P: p, Margin: p - largest}
}

// EndRound offers what lists have lost until nothing is, and emits the lists. Where
// the host learns, the next round follows.
func (l *leaderboard) EndRound(r *sdk.Round) (another bool, err error) {
	l.begun = true
	if err := l.settle(r); err != nil || len(l.lost) > 0 {
		return true, err
	}
	if l.most(r) > 0 {
		if err := l.lists.Emit(r, l.weight); err != nil {
			return false, err
		}
	}
	if l.left--; l.k > 0 || !r.Learns() || l.round == l.rounds || l.left == 0 {
		return false, nil
	}
	l.round++
	l.begun = false
	return true, nil
}

// settle offers few lost rows again. What is left then is for another pass.
func (l *leaderboard) settle(r *sdk.Round) error {
	size := 4 * int(r.Classes)
	for left := gathered / size; len(l.lost) > 0 && len(l.lost) <= int(r.Rows/8) && left > 0; left-- {
		row := l.lost[len(l.lost)-1]
		l.lost = l.lost[:len(l.lost)-1]
		p, err := l.gather.Read(row, 1)
		if err != nil {
			return err
		}
		class, largest, lead := ranking.First(p)
		l.offer(row, p, class, largest, lead)
	}
	return nil
}
