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
	line               int
	path, label, split string
}

// A parser reads a file that lists pictures; split: each line is to name one.
type parser func(file string, text io.Reader, found *faults) (lines []listed, split bool)

// readListed takes the pictures that a file lists.
func (r *reader) readListed(s *source, parse parser) {
	file, err := os.Open(s.place)
	if err != nil {
		r.faults.add(s.place, "%s", reason(err))
		return
	}
	defer file.Close()
	var lines []listed
	lines, s.split = parse(s.place, file, &r.faults)
	for _, l := range lines {
		e := entry{label: l.label, where: at(s.place, l.line)}
		if e.picture, err = r.listedPicture(r.root, l.path); err != nil {
			r.faults.add(e.where, "%v", err)
			continue
		}
		if s.split {
			var ok bool
			if e.split, ok = splitName(l.split); !ok {
				r.faults.add(e.where, "the split %q is none of %s, %s and %s", l.split, SplitTraining, SplitValidation, SplitTest)
				continue
			}
		}
		s.entries = append(s.entries, e)
	}
}

// listedPicture finds the file that a path, from a folder on, means.
func (r *reader) listedPicture(folder, path string) (Picture, error) {
	file := filepath.FromSlash(path)
	switch {
	case path == "":
		return Picture{}, errors.New("the path is empty")
	case !printable(path):
		return Picture{}, fmt.Errorf("the path %q is not UTF-8 text of one line", path)
	case filepath.IsAbs(file):
		file = filepath.Clean(file)
	case filepath.IsLocal(file):
		file = filepath.Join(folder, file)
	default:
		return Picture{}, fmt.Errorf("the path %s leads out of the data set's folder %s: write it from there, or in full", path, folder)
	}
	return Picture{ID: r.id(file), File: file}, nil
}

// The columns of a table; others are left out.
const (
	pathColumn  = "path"
	labelColumn = "label"
	splitColumn = "split"
)

// parseTable reads a CSV file with a header.
func parseTable(file string, r io.Reader, found *faults) (all []listed, split bool) {
	rows := csv.NewReader(skipByteOrderMark(r))
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("is empty: want a header with the column %s and, where there are labels, %s", pathColumn, labelColumn)
		}
		found.add(file, "%v", err)
		return nil, false
	}
	header = slices.Clone(header)
	for i, column := range header {
		header[i] = strings.ToLower(strings.TrimSpace(column))
	}
	width, path := len(header), slices.Index(header, pathColumn)
	label, splits := slices.Index(header, labelColumn), slices.Index(header, splitColumn)
	if path < 0 {
		found.add(at(file, 1), "the header has no column %s: it has %q, separated by commas; %s", pathColumn, header, headerAdvice(header[0]))
		return nil, false
	}
	for _, column := range []string{pathColumn, labelColumn, splitColumn} {
		if first := slices.Index(header, column); first >= 0 && slices.Contains(header[first+1:], column) {
			found.add(at(file, 1), "the header has the column %s twice", column)
			return nil, false
		}
	}
	for {
		row, err := rows.Read()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				found.add(file, "%v", err)
			}
			return all, splits >= 0
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
		if splits >= 0 {
			l.split = strings.Clone(row[splits])
		}
		all = append(all, l)
	}
}

// headerAdvice says how to mend a header without a column of paths, by its first field.
func headerAdvice(first string) string {
	switch {
	case !printable(first):
		return "write it as UTF-8"
	case strings.ContainsAny(first, ";\t|"):
		return "put commas between columns"
	}
	return fmt.Sprintf("call the column of the pictures %s, and that of their classes %s", pathColumn, labelColumn)
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
func parseLines(file string, r io.Reader, found *faults) (all []listed, split bool) {
	lines := bufio.NewScanner(skipByteOrderMark(r))
	lines.Buffer(nil, maxLine)
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
	return all, false
}
