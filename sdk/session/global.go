package session

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"unsafe"

	"github.com/upl-host/upl-host/sdk"
)

// global accumulates a global view over a pass. It is fed rows in ascending
// order by one goroutine, so its sums are the same on any machine.
type global interface {
	add(first int, s *source)
	finish()
	records() int
	read(first int, dst []byte)
}

// ranked is a row in a class's order.
type ranked struct {
	row       int
	p, margin float32
}

const sizeRanked = int64(unsafe.Sizeof(ranked{}))

// compare puts the better first: larger p, larger margin, lower row.
func (a ranked) compare(b ranked) int {
	return cmp.Or(cmp.Compare(b.p, a.p), cmp.Compare(b.margin, a.margin), cmp.Compare(a.row, b.row))
}

// classTopK keeps the m best rows of each class.
type classTopK struct {
	m       int
	all     bool
	classes [][]ranked // each a heap, its worst first, once it is full
}

func newClassTopK(classes, m int, all bool) *classTopK {
	return &classTopK{m, all, make([][]ranked, classes)}
}

func (t *classTopK) add(first int, s *source) {
	for i, top := range s.tops {
		if !t.all {
			t.offer(int(top.class), ranked{first + i, top.p, top.margin()})
			continue
		}
		for c, p := range s.row(i) {
			margin := p - top.p
			if c == int(top.class) {
				margin = top.margin()
			}
			t.offer(c, ranked{first + i, p, margin})
		}
	}
}

func (t *classTopK) offer(class int, r ranked) {
	heap := t.classes[class]
	if len(heap) < t.m {
		if heap = append(heap, r); len(heap) == t.m {
			for i := len(heap)/2 - 1; i >= 0; i-- {
				sift(heap, i)
			}
		}
		t.classes[class] = heap
	} else if heap[0].compare(r) > 0 {
		heap[0] = r
		sift(heap, 0)
	}
}

// sift moves element i down to its place in a heap whose worst is first.
func sift(heap []ranked, i int) {
	for {
		worst := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(heap); child++ {
			if heap[child].compare(heap[worst]) > 0 {
				worst = child
			}
		}
		if worst == i {
			return
		}
		heap[i], heap[worst] = heap[worst], heap[i]
		i = worst
	}
}

func (t *classTopK) finish() {
	for _, class := range t.classes {
		slices.SortFunc(class, ranked.compare)
	}
}

func (t *classTopK) records() int { return len(t.classes) * t.m }

func (t *classTopK) read(first int, dst []byte) {
	class, place := first/t.m, first%t.m
	for ; len(dst) > 0; dst = dst[sdk.SizeRanked:] {
		record := []sdk.Ranked{{Row: sdk.NoRow}}
		if place < len(t.classes[class]) {
			r := t.classes[class][place]
			record[0] = sdk.Ranked{Row: uint64(r.row), P: r.p}
		}
		copy(dst, bytesOf(record))
		if place++; place == t.m {
			class, place = class+1, 0
		}
	}
}

// classMean sums whole rows by predicted class, or all in one.
type classMean struct {
	classes int
	sums    [][]float64 // a record each: count, then sums
}

func newClassMean(records, classes int) *classMean {
	m := &classMean{classes, make([][]float64, records)}
	for i := range m.sums {
		m.sums[i] = make([]float64, 1+classes)
	}
	return m
}

func (m *classMean) add(_ int, s *source) {
	for i, top := range s.tops {
		record := m.sums[0]
		if len(m.sums) > 1 {
			record = m.sums[top.class]
		}
		record[0]++
		sums := record[1:]
		for c, p := range s.row(i) {
			sums[c] += float64(p)
		}
	}
}

func (m *classMean) finish() {}

func (m *classMean) records() int { return len(m.sums) }

func (m *classMean) read(first int, dst []byte) {
	size := 8 * (1 + m.classes)
	for ; len(dst) > 0; dst = dst[size:] {
		copy(dst, bytesOf(m.sums[first]))
		first++
	}
}

// quantile keeps statistics of every row: one, or its probabilities of classes.
type quantile struct {
	statistic uint32 // where there are no columns
	m         int
	columns   []int
	values    [][]float32 // by column; one list without
	whole     bool        // a record is all quantiles of a column
}

func newQuantile(spec sdk.ViewSpec, classes int) *quantile {
	q := &quantile{statistic: spec.Class, m: int(spec.M), whole: spec.Flags&sdk.FlagAll != 0}
	switch {
	case q.whole:
		for c := range classes {
			q.columns = append(q.columns, c)
		}
	case spec.Flags&sdk.FlagColumn != 0:
		q.columns = []int{int(spec.Class)}
	}
	q.values = make([][]float32, max(len(q.columns), 1))
	return q
}

func (q *quantile) add(_ int, s *source) {
	if q.columns != nil {
		for i := range len(s.rows) / s.classes {
			for j, c := range q.columns {
				q.values[j] = append(q.values[j], s.row(i)[c])
			}
		}
		return
	}
	for i, top := range s.tops {
		x := top.p
		switch q.statistic {
		case sdk.QuantileMargin:
			x = top.margin()
		case sdk.QuantileEntropy:
			x = entropy(s.row(i))
		}
		q.values[0] = append(q.values[0], x)
	}
}

func (q *quantile) finish() {
	for _, values := range q.values {
		slices.Sort(values)
	}
}

func (q *quantile) records() int {
	if q.whole {
		return len(q.columns)
	}
	return q.m + 1
}

func (q *quantile) read(first int, dst []byte) {
	column := 0
	if q.whole {
		column, first = first, 0
	}
	for ; len(dst) > 0; dst = dst[8:] {
		binary.LittleEndian.PutUint64(dst, math.Float64bits(q.at(column, first)))
		if first++; first > q.m && q.whole {
			column, first = column+1, 0
		}
	}
}

// at is the i/m quantile, linear between order statistics.
func (q *quantile) at(column, i int) float64 {
	values := q.values[column]
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	h := float64(i) / float64(q.m) * float64(n-1)
	low := min(int(h), n-1)
	a, b := float64(values[low]), float64(values[min(low+1, n-1)])
	return a + (b-a)*(h-float64(low))
}
