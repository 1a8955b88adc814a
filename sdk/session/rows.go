package session

import "math"

// What is done with every probability there is: on amd64 also in vectors, with
// the same results (rows_amd64.s; but sums of float32, which only checks use).

// sumPlain is the sum of a row, and a word whose sign bit is set where one of its
// elements has it.
func sumPlain(row []float32) (sum float32, signs uint32) {
	// Four sums, for speed: whichever the rounding, a fault shows in the total.
	var a, b, c, d float32
	i := 0
	for ; i+4 <= len(row); i += 4 {
		w, x, y, z := row[i], row[i+1], row[i+2], row[i+3]
		a, b, c, d = a+w, b+x, c+y, d+z
		signs |= math.Float32bits(w) | math.Float32bits(x) | math.Float32bits(y) | math.Float32bits(z)
	}
	for ; i < len(row); i++ {
		a += row[i]
		signs |= math.Float32bits(row[i])
	}
	return a + b + c + d, signs
}

// mixPlain fills dst, from an element on, with the sum of rows times weights,
// float32 values, in their order, by a number; in float64, where the products are
// exact.
func mixPlain(dst []float32, rows [][]float32, weights []float64, by float64, from int) {
	var sums [1024]float64
	for ; from < len(dst); from += len(sums) {
		part := dst[from:min(from+len(sums), len(dst))]
		clear(sums[:])
		for m, row := range rows {
			for i, p := range row[from : from+len(part)] {
				sums[i] += weights[m] * float64(p)
			}
		}
		for i := range part {
			part[i] = float32(sums[i] / by)
		}
	}
}

// scanPlain finds the first class of a row; of equals the lowest.
func scanPlain(row []float32) top {
	t := top{p: row[0]}
	if len(row) == 1 {
		return t
	}
	first, second, class := row[0], float32(-1), 0
	for c, p := range row[1:] {
		if p > second { // seldom, after the first few
			if p > first {
				first, second, class = p, first, c+1
			} else {
				second = p
			}
		}
	}
	return top{uint32(class), first, second}
}
