package figure

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
)

// Table is the data behind a figure.
type Table struct {
	Columns []string
	Rows    [][]string
}

// NewTable starts with no rows.
func NewTable(columns ...string) Table { return Table{Columns: columns} }

// Add adds a row: texts, whole numbers, and reals as the shortest decimals that
// read back the same; a nil pointer, of what is not known, is empty.
func (t *Table) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		switch v := cell.(type) {
		case float64:
			row[i] = strconv.FormatFloat(v, 'g', -1, 64)
		case float32:
			row[i] = strconv.FormatFloat(float64(v), 'g', -1, 32)
		case *float64:
			if v != nil {
				row[i] = strconv.FormatFloat(*v, 'g', -1, 64)
			}
		case *int:
			if v != nil {
				row[i] = strconv.Itoa(*v)
			}
		default:
			row[i] = fmt.Sprint(v)
		}
	}
	t.Rows = append(t.Rows, row)
}

// CSV returns the table as a file.
func (t Table) CSV() []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	_ = w.Write(t.Columns) // a buffer takes everything
	_ = w.WriteAll(t.Rows)
	return out.Bytes()
}
