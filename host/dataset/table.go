package dataset

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listed is a line of a table or a list.
type listed struct {
	line        int
	path, label string
}

// readListed takes the pictures that a file lists.
func (r *reader) readListed(s *split, parse func(string, io.Reader, *faults) []listed) {
	file, err := os.Open(s.source)
	if err != nil {
		r.faults.add(s.source, "%s", reason(err))
		return
	}
	defer file.Close()
	for _, l := range parse(s.source, file, &r.faults) {
		picture, err := r.listedPicture(l.path)
		if err != nil {
			r.faults.add(at(s.source, l.line), "%v", err)
			continue
		}
		s.entries = append(s.entries, entry{picture: picture, label: l.label, where: at(s.source, l.line)})
	}
}

// listedPicture finds the file that a path in a table or list means.
func (r *reader) listedPicture(path string) (Picture, error) {
	file := filepath.FromSlash(path)
	switch {
	case path == "":
		return Picture{}, errors.New("the path is empty")
	case !printable(path):
		return Picture{}, fmt.Errorf("the path %q is not UTF-8 text of one line", path)
	case filepath.IsAbs(file):
		file = filepath.Clean(file)
	case filepath.IsLocal(file):
		file = filepath.Join(r.root, file)
	default:
		return Picture{}, fmt.Errorf("the path %s leads out of the data set's folder %s: write it from there, or in full", path, r.root)
	}
	return Picture{ID: r.id(file), File: file}, nil
}

// The columns of a table; others are left out.
const (
	pathColumn  = "path"
	labelColumn = "label"
)

// parseTable reads a CSV file with a header.
func parseTable(file string, r io.Reader, found *faults) []listed {
	rows := csv.NewReader(skipByteOrderMark(r))
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("is empty: want a header with the column %s and, where there are labels, %s", pathColumn, labelColumn)
		}
		found.add(file, "%v", err)
		return nil
	}
	header = slices.Clone(header)
	for i, column := range header {
		header[i] = strings.ToLower(strings.TrimSpace(column))
	}
	width, path, label := len(header), slices.Index(header, pathColumn), slices.Index(header, labelColumn)
	if path < 0 {
		found.add(at(file, 1), "the header has no column %s: it has %q, separated by commas", pathColumn, header)
		return nil
	}
	for _, column := range []string{pathColumn, labelColumn} {
		if first := slices.Index(header, column); first >= 0 && slices.Contains(header[first+1:], column) {
			found.add(at(file, 1), "the header has the column %s twice", column)
			return nil
		}
	}
	var all []listed
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			found.add(file, "%v", err)
			return all
		}
		line, _ := rows.FieldPos(0)
		if len(row) != width {
			found.add(at(file, line), "has %d fields, the header %d: put quotes around names with commas", len(row), width)
			continue
		}
		l := listed{line: line, path: strings.Clone(row[path])}
		if label >= 0 {
			l.label = strings.Clone(strings.TrimSpace(row[label]))
		}
		all = append(all, l)
	}
}

// skipByteOrderMark leaves out what some spreadsheets write in front.
func skipByteOrderMark(r io.Reader) io.Reader {
	buffered := bufio.NewReader(r)
	if start, err := buffered.Peek(len(byteOrderMark)); err == nil && string(start) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark)) // it is in the buffer
	}
	return buffered
}

// maxLine bounds the length of a path, in bytes; systems allow 4096.
const maxLine = 64 << 10

// parseLines reads a path a line; blank lines and those that begin with # are left out.
func parseLines(file string, r io.Reader, found *faults) []listed {
	lines := bufio.NewScanner(skipByteOrderMark(r))
	lines.Buffer(nil, maxLine)
	var all []listed
	number := 0
	for lines.Scan() {
		number++
		path := strings.TrimSpace(lines.Text())
		if path != "" && !strings.HasPrefix(path, "#") {
			all = append(all, listed{line: number, path: path})
		}
	}
	if err := lines.Err(); err != nil {
		found.add(at(file, number+1), "%v", err)
	}
	return all
}
