package session

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vectors says whether the processor has what rows_amd64.s is written in.
var vectors = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func sumAVX2(row []float32) (sum float32, signs uint32)

//go:noescape
func mixAVX2(dst []float32, rows []*float32, weights []float64, by, inverse float64)

//go:noescape
func topAVX2(row []float32, first, second *[16]float32)

//go:noescape
func findAVX2(row []float32, value float32) int

// sumRow is the sum of a row, and a word whose sign bit is set where one of its
// elements has it.
func sumRow(row []float32) (sum float32, signs uint32) {
	if !vectors {
		return sumPlain(row)
	}
	n := len(row) &^ 31
	sum, signs = sumAVX2(row[:n])
	if signs != 0 {
		signs = 1 << 31
	}
	rest, more := sumPlain(row[n:])
	return sum + rest, signs | more
}

// mix fills dst with the sum of rows times weights, float32 values, in their order,
// by a number; in float64.
func mix(dst []float32, rows [][]float32, weights []float64, by float64) {
	n := 0
	if vectors {
		n = len(dst) &^ 15
		begins := make([]*float32, len(rows))
		for i, row := range rows {
			begins[i] = unsafe.SliceData(row[:len(dst)])
		}
		mixAVX2(dst[:n], begins, weights[:len(rows)], by, 1/by)
	}
	mixPlain(dst, rows, weights, by, n)
}

// scan finds the first class of a row; of equals the lowest.
func scan(row []float32) top {
	n := len(row) &^ 31
	if !vectors || n == 0 {
		return scanPlain(row)
	}
	var first, second [16]float32
	for i := range first {
		first[i], second[i] = -1, -1
	}
	topAVX2(row[:n], &first, &second)
	t := top{p: -1, second: -1}
	for i := range first {
		t.offer(first[i])
		t.offer(second[i])
	}
	for _, p := range row[n:] {
		t.offer(p)
	}
	at := findAVX2(row[:n], t.p)
	for row[at] != t.p {
		at++
	}
	t.class = uint32(at)
	return t
}

// offer takes one more probability into account, of whichever class.
func (t *top) offer(p float32) {
	if p > t.p {
		t.p, t.second = p, t.p
	} else if p > t.second {
		t.second = p
	}
}
