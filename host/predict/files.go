package predict

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/upl-host/upl-host/host"
	"github.com/upl-host/upl-host/host/dataset"
)

// Files resolves what a command line names: a picture, a folder (all pictures
// below it, sorted), a glob, or "-", a list of paths on standard input.
func Files(arguments []string, stdin io.Reader) ([]string, error) {
	var files []string
	for _, argument := range arguments {
		if argument == "-" {
			lines, err := Lines(stdin)
			if err != nil {
				return nil, err
			}
			files = append(files, lines...)
			continue
		}
		found, err := resolve(argument)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, &host.UsageError{Err: fmt.Errorf("no pictures in %s", strings.Join(arguments, ", "))}
	}
	return files, nil
}

func resolve(argument string) ([]string, error) {
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		return walk(argument)
	case err == nil:
		return []string{argument}, nil
	}
	matches, globErr := filepath.Glob(argument)
	if globErr != nil || len(matches) == 0 {
		return nil, &host.UsageError{Err: err}
	}
	var files []string
	for _, match := range matches { // sorted
		if hidden(match) && !hidden(argument) {
			continue // as shells have it
		}
		found := []string{match} // a broken link too: that it cannot be read is said later
		if info, err := os.Stat(match); err == nil && info.IsDir() {
			if found, err = walk(match); err != nil {
				return nil, err
			}
		}
		files = append(files, found...)
	}
	return files, nil
}

func hidden(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

// walk lists the pictures below a folder, along symbolic links too, as a data
// set's are; above are the folders that lead to it.
func walk(folder string, above ...fs.FileInfo) ([]string, error) {
	info, err := os.Stat(folder)
	if err != nil {
		return nil, fmt.Errorf("listing pictures: %w", err)
	}
	for _, other := range above {
		if os.SameFile(info, other) {
			return nil, nil // a link back to where it lies
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("listing pictures: %w", err)
	}
	above = append(above[:len(above):len(above)], info)
	var files []string
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		info, err := os.Stat(path)
		switch {
		case err == nil && info.IsDir():
			below, err := walk(path, above...)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
		case err == nil && !info.Mode().IsRegular(): // reading a pipe would wait for ever
		case dataset.IsPicture(path): // a broken link too
			files = append(files, path)
		}
	}
	return files, nil
}

// Lines reads a list, an entry a line; empty lines are passed over.
func Lines(r io.Reader) ([]string, error) {
	var lines []string
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if line := strings.TrimRight(scanner.Text(), "\r"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("reading the list on standard input: %w", err)
	}
	return lines, nil
}
