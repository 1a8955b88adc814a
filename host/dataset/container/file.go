package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// File is a container's file. It is opened for each read and closed again: a data
// set may have more containers than a process may have files open.
type File struct {
	Path string // absolute
	Size int64
	Time time.Time
}

// ErrChanged says that a container is not the file that was indexed.
var ErrChanged = errors.New("has changed since it was indexed: run the command again")

// Stat finds a container's file.
func Stat(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("is no regular file")}
	}
	return &File{Path: path, Size: info.Size(), Time: info.ModTime()}, nil
}

// Stamp changes when the file may have changed.
func (f *File) Stamp() string { return fmt.Sprint(f.Size, f.Time.UnixNano()) }

// ReadAt is io.ReaderAt's. A file that was changed or replaced is not read.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if info.Size() != f.Size || !info.ModTime().Equal(f.Time) {
		return 0, fmt.Errorf("%s %w", f.Path, ErrChanged)
	}
	return file.ReadAt(p, offset)
}

// Part is a picture that lies in one piece in a container.
type Part struct {
	File         *File
	Offset, Size int64
}

// Read is Content's.
func (p Part) Read() ([]byte, error) {
	data := make([]byte, p.Size)
	if n, err := p.File.ReadAt(data, p.Offset); n < len(data) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("reading %s at %d: %w", p.File.Path, p.Offset, err)
	}
	return data, nil
}

// Stamp is Content's.
func (p Part) Stamp() string { return fmt.Sprint(p.File.Stamp(), " ", p.Offset, " ", p.Size) }

// Reason is the cause of a file system's error, without the path that the message
// names anyway; any other error in full.
func Reason(err error) string {
	failed, ok := err.(*fs.PathError) //nolint:errorlint // what wraps it says more
	switch {
	case !ok:
		return err.Error()
	case errors.Is(failed.Err, fs.ErrNotExist):
		return "does not exist"
	}
	return failed.Err.Error()
}
