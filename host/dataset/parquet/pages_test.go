package parquet

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	library "github.com/parquet-go/parquet-go"
)

// Reading a large file keeps to the bounds, and reads every page once: here, as the
// encoder reads, in order.
func TestPagesAreBounded(t *testing.T) {
	type row struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
	}
	const rows, size, perGroup = 120, 1 << 20, 16
	path := filepath.Join(t.TempDir(), "a.parquet")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := library.NewGenericWriter[row](file, library.MaxRowsPerRowGroup(perGroup), library.PageBufferSize(4<<20))
	for i := range rows {
		var r row
		r.Image.Bytes = bytes.Repeat([]byte{byte(i)}, size)
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	set, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	pages := set.Pictures[0].Content.(picture).table.pages
	for i, p := range set.Pictures {
		data, err := p.Content.Read()
		if err != nil || len(data) != size || data[0] != byte(i) || data[size-1] != byte(i) {
			t.Fatalf("row %d: %d bytes, %v", i, len(data), err)
		}
		held := int64(0)
		for _, b := range pages.blocks {
			held += int64(len(b.data))
		}
		if held != pages.bytes || held > keptBytes || len(pages.cursors) > keptCursors {
			t.Fatalf("behind row %d: %d bytes kept, counted as %d, in %d pages, %d cursors", i, held, pages.bytes, len(pages.blocks), len(pages.cursors))
		}
	}
	if len(pages.cursors) != 0 {
		t.Errorf("%d places in the file are kept at its end", len(pages.cursors))
	}
}
