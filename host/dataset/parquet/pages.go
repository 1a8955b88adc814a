package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
)

// What is kept of a data set in memory, whatever its size: pages just read, and
// places in files just read from. Pictures are read roughly in order, by several
// goroutines at once, which are then near each other.
const (
	keptBytes   = 64 << 20
	keptPages   = 2 // at least, however large
	keptCursors = 2
)

// pages reads a data set's pictures a page at a time. One lock serves all: reading a
// page takes a small part of the time that decoding its pictures takes.
type pages struct {
	mutex   sync.Mutex
	blocks  []*block  // the last used last
	cursors []*cursor // the last used last
	bytes   int64     // in blocks
}

// block is a page, uncompressed.
type block struct {
	table *table
	first int64 // its first row
	data  []byte
	ends  []int  // of each row's bytes in data
	null  []bool // of each row
}

// cursor stands between two pages of a row group.
type cursor struct {
	table *table
	group int
	next  int64 // the first row of the page that is read next
	pages parquet.Pages
}

// read returns a copy of a row's bytes; nil where it has none.
func (p *pages) read(t *table, row int64) ([]byte, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	b, err := p.block(t, row)
	if err != nil {
		return nil, err
	}
	i, begin := row-b.first, 0
	if b.null[i] {
		return nil, nil
	}
	if i > 0 {
		begin = b.ends[i-1]
	}
	return append([]byte{}, b.data[begin:b.ends[i]]...), nil
}

// block finds the page of a row, or reads on to it.
func (p *pages) block(t *table, row int64) (*block, error) {
	for i, b := range p.blocks {
		if b.table == t && row >= b.first && row < b.first+int64(len(b.ends)) {
			p.blocks = append(slices.Delete(p.blocks, i, i+1), b)
			return b, nil
		}
	}
	c := p.cursor(t, t.group(row), row)
	for {
		// Pages that are passed are kept too: another goroutine may be a little behind.
		b, err := c.read()
		if err != nil {
			p.drop(c)
			return nil, err
		}
		p.keep(b)
		if g := t.groups[c.group]; c.next >= g.first+g.rows {
			p.drop(c)
		}
		if row < b.first+int64(len(b.ends)) {
			return b, nil
		}
	}
}

// cursor finds a place before a row, or begins its row group.
func (p *pages) cursor(t *table, group int, row int64) *cursor {
	for i, c := range p.cursors {
		if c.table == t && c.group == group && c.next <= row {
			p.cursors = append(slices.Delete(p.cursors, i, i+1), c)
			return c
		}
	}
	if len(p.cursors) == keptCursors {
		p.drop(p.cursors[0])
	}
	c := &cursor{table: t, group: group, next: t.groups[group].first, pages: t.groups[group].chunk.Pages()}
	p.cursors = append(p.cursors, c)
	return c
}

// drop lets go of a cursor, and the page that it holds on to.
func (p *pages) drop(c *cursor) {
	p.cursors = slices.DeleteFunc(p.cursors, func(other *cursor) bool { return other == c })
	_ = c.pages.Close() // of what was only read
}

// keep takes a page in, and lets go of those not used for longest.
func (p *pages) keep(b *block) {
	p.blocks = append(p.blocks, b)
	p.bytes += int64(len(b.data))
	for len(p.blocks) > keptPages && p.bytes > keptBytes {
		p.bytes -= int64(len(p.blocks[0].data))
		p.blocks = slices.Delete(p.blocks, 0, 1)
	}
}

// read reads the next page.
func (c *cursor) read() (_ *block, err error) {
	defer recoverDamage(&err)
	page, err := c.pages.ReadPage()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("row group %d ends at row %d: %w", c.group, c.next, io.ErrUnexpectedEOF)
	}
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w: fetch it again", err)
	}
	defer parquet.Release(page)
	b := &block{table: c.table, first: c.next}
	var data bytes.Buffer
	err = eachValue(page, func(v parquet.Value) {
		if !v.IsNull() {
			data.Write(v.ByteArray())
		}
		b.null = append(b.null, v.IsNull())
		b.ends = append(b.ends, data.Len())
	})
	b.data = data.Bytes()
	c.next += int64(len(b.ends))
	if g := c.table.groups[c.group]; err == nil && c.next > g.first+g.rows {
		err = fmt.Errorf("row group %d has more than its %d rows", c.group, g.rows)
	}
	if err != nil {
		return nil, fmt.Errorf("is damaged: %w: fetch it again", err)
	}
	return b, nil
}
