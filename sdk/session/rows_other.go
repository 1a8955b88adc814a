//go:build !amd64

package session

func sumRow(row []float32) (sum float32, signs uint32) { return sumPlain(row) }

func mix(dst []float32, rows [][]float32, weights []float64, by float64) {
	mixPlain(dst, rows, weights, by, 0)
}

func scan(row []float32) top { return scanPlain(row) }
