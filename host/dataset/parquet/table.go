package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/upl-host/upl-host/host/dataset/container"
)

// table is one file: its pictures' places, and its labels.
type table struct {
	file     *container.File
	features *features
	rows     int64
	groups   []group
	labels   []label // of the rows; nil without a column of labels
	pages    *pages
}

// group is a row group's part of the column of pictures.
type group struct {
	first, rows int64
	chunk       parquet.ColumnChunk
	missing     int64 // values that are known to be missing
}

// label is a row's class, by number or by name; an empty name: none.
type label struct {
	numeric bool
	number  int64
	name    string
}

// A file begins with magic, and ends with its footer's length and magic.
const (
	magic    = "PAR1"
	tailSize = 8
)

// openTable reads a file's footer and labels.
func openTable(path string, pages *pages) (_ *table, err error) {
	stat, err := container.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkMagic(stat); err != nil {
		return nil, err
	}
	defer recoverDamage(&err)
	// Page indices are left alone: pages are read one after the other.
	f, err := parquet.OpenFile(stat, stat.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w: fetch it again", err)
	}
	t := &table{file: stat, rows: f.NumRows(), pages: pages}
	if t.features, err = readFeatures(f); err != nil {
		return nil, err
	}
	if err := t.readGroups(f); err != nil {
		return nil, err
	}
	return t, t.readLabels(f)
}

// recoverDamage makes an error of a panic: the library reads what strangers made.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("is damaged: %v: fetch it again", r)
	}
}

// checkMagic tells the usual mishaps of downloads apart.
func checkMagic(f *container.File) error {
	head, tail := make([]byte, min(f.Size, 64)), make([]byte, min(f.Size, tailSize))
	for _, part := range []struct {
		bytes  []byte
		offset int64
	}{{head, 0}, {tail, f.Size - int64(len(tail))}} {
		if n, err := f.ReadAt(part.bytes, part.offset); n < len(part.bytes) {
			return err
		}
	}
	switch {
	case f.Size == 0:
		return errors.New("is empty: fetch it again")
	case strings.HasPrefix(string(head), "version https://git-lfs"):
		return errors.New("is a pointer of Git LFS, not the data: run `git lfs pull` in its folder")
	case !strings.HasPrefix(string(head), magic):
		return errors.New("is no Parquet file: it does not begin with " + magic)
	case !strings.HasSuffix(string(tail), magic):
		return errors.New("is truncated: a Parquet file ends with " + magic + "; fetch it again")
	case f.Size < int64(len(magic))+tailSize, int64(binary.LittleEndian.Uint32(tail)) > f.Size-int64(len(magic))-tailSize:
		return errors.New("is damaged: its footer is said to be longer than the file; fetch it again")
	}
	return nil
}

// checkCodecs refuses LZ4: for a damaged page the library takes ever more memory, until
// the program ends (v0.32).
func checkCodecs(columns []format.ColumnChunk) error {
	for _, c := range columns {
		if codec := c.MetaData.Codec; codec == format.Lz4 || codec == format.Lz4Raw {
			return errors.New("is compressed with LZ4, which is not read: write it again with Snappy, Zstandard or Gzip " +
				"(pyarrow: write_table(..., compression=\"zstd\"))")
		}
	}
	return nil
}

// readGroups finds where the pictures lie, and whether they can be there.
func (t *table) readGroups(f *parquet.File) error {
	column, first := t.features.bytes.ColumnIndex, int64(0)
	for i, rg := range f.RowGroups() {
		columns := f.Metadata().RowGroups[i].Columns
		if err := checkCodecs(columns); err != nil {
			return err
		}
		meta := &columns[column].MetaData
		begin := meta.DataPageOffset
		if meta.DictionaryPageOffset > 0 {
			begin = min(begin, meta.DictionaryPageOffset)
		}
		if begin < 0 || meta.TotalCompressedSize < 0 || begin > t.file.Size-meta.TotalCompressedSize {
			return fmt.Errorf("is truncated: its row group %d lies beyond its end; fetch it again", i)
		}
		if rg.NumRows() < 0 || meta.NumValues != rg.NumRows() {
			return fmt.Errorf("is damaged: row group %d has %d rows and %d pictures; fetch it again", i, rg.NumRows(), meta.NumValues)
		}
		g := group{first: first, rows: rg.NumRows(), chunk: rg.ColumnChunks()[column]}
		g.missing = meta.Statistics.NullCount
		t.groups = append(t.groups, g)
		first += g.rows
	}
	if first != t.rows {
		return fmt.Errorf("is damaged: %d rows, and %d in its row groups; fetch it again", t.rows, first)
	}
	return nil
}

// allMissing reports whether no row has a picture, where the file says so.
func (t *table) allMissing() bool {
	missing := int64(0)
	for _, g := range t.groups {
		missing += g.missing
	}
	return t.rows > 0 && missing == t.rows
}

// group finds the row group of a row.
func (t *table) group(row int64) int {
	return sort.Search(len(t.groups), func(i int) bool { return t.groups[i].first > row }) - 1
}

// readLabels reads the whole column of labels: a few bytes a row.
func (t *table) readLabels(f *parquet.File) error {
	if t.features.labelColumn == "" {
		return nil
	}
	t.labels = []label{}
	for _, rg := range f.RowGroups() {
		chunk := rg.ColumnChunks()[t.features.label.ColumnIndex].Pages()
		err := eachPage(chunk, func(page parquet.Page) error {
			return eachValue(page, func(v parquet.Value) { t.labels = append(t.labels, readLabel(v)) })
		})
		if err = errors.Join(err, chunk.Close()); err != nil {
			return fmt.Errorf("is damaged: reading the column %s: %w: fetch it again", t.features.labelColumn, err)
		}
	}
	if int64(len(t.labels)) != t.rows {
		return fmt.Errorf("is damaged: %d rows and %d labels; fetch it again", t.rows, len(t.labels))
	}
	return nil
}

func readLabel(v parquet.Value) label {
	switch {
	case v.IsNull():
		return label{}
	case v.Kind() == parquet.Int32:
		return label{numeric: true, number: int64(v.Int32())}
	case v.Kind() == parquet.Int64:
		return label{numeric: true, number: v.Int64()}
	}
	return label{name: strings.TrimSpace(string(v.ByteArray()))}
}

// eachPage reads a chunk's pages to the end.
func eachPage(pages parquet.PageReader, use func(parquet.Page) error) error {
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = use(page)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
}

// eachValue reads a page's values; none may be kept.
func eachValue(page parquet.Page, use func(parquet.Value)) error {
	values := page.Values()
	var some [64]parquet.Value
	for {
		n, err := values.ReadValues(some[:])
		for _, v := range some[:n] {
			use(v)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
