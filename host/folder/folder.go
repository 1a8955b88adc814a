// Package folder is a run's folder on disk: one process at a time, bound to one
// configuration, with a record of each finished stage, so that a run goes on
// where it was stopped.
package folder

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// LockedError is returned while another process works in the folder.
type LockedError struct{ Path string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("another run is at work in %s: wait for it, or choose another folder with --out", e.Path)
}

// Folder is an open run folder; Close releases its lock.
type Folder struct {
	Path string
	lock *flock.Flock
}

const (
	lockName  = ".lock"
	stagesDir = "stages"
)

// pending is the name of a file of a run that is not whole yet, as renameio
// gives it: the file's own between a dot and a random number.
var pending = regexp.MustCompile(`^\..+\.(csv|html|json|md|npy|npz|pdf|png|safetensors|svg|tex|yaml)[0-9]+$`)

// Open makes the folder where it is missing, locks it, and removes what a killed
// run left half written. The lock is the system's: it goes with the process,
// however that ends.
func Open(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("making the run folder: %w", err)
	}
	lock := flock.New(filepath.Join(path, lockName))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the run folder: %w", err)
	}
	if !held {
		return nil, &LockedError{Path: path}
	}
	f := &Folder{Path: path, lock: lock}
	if err := f.sweep(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// At is a folder that is only looked into: it is not locked, need not be there, and
// must not be closed.
func At(path string) *Folder { return &Folder{Path: path} }

// Locked reports whether a process works in the folder.
func Locked(path string) (bool, error) {
	name := filepath.Join(path, lockName)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(name)
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("looking at the lock of %s: %w", path, err)
	}
	return !free, lock.Unlock()
}

// sweep removes files that were being written when a run was killed. Folders within
// that have a lock of their own, a matrix's runs, are theirs to sweep.
func (f *Folder) sweep() error {
	err := filepath.WalkDir(f.Path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != f.Path {
			if _, err := os.Stat(filepath.Join(path, lockName)); err == nil {
				return fs.SkipDir
			}
		}
		if !entry.Type().IsRegular() || !pending.MatchString(entry.Name()) {
			return nil
		}
		return os.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("removing what a killed run left half written: %w", err)
	}
	return nil
}

// Close releases the lock.
func (f *Folder) Close() error { return f.lock.Unlock() }

// Join returns the path of a file of the run, name slash-separated.
func (f *Folder) Join(name string) string { return filepath.Join(f.Path, filepath.FromSlash(name)) }

// Write writes a file of the run, whole or not at all.
func (f *Folder) Write(name string, data []byte) error {
	path := f.Join(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// Record is what a finished stage leaves behind, in stages/NAME.json.
type Record struct {
	// Inputs is the hash of all that determines the stage's results.
	Inputs string `json:"inputs"`
	// Outputs maps the stage's files to the SHA-256 of their content.
	Outputs map[string]string `json:"outputs"`
	Seconds float64           `json:"seconds"`
	// Warnings and Metrics are what the stage had to say; they hold as long as its results do.
	Warnings []string `json:"warnings,omitempty"`
	Metrics  []Metric `json:"metrics,omitempty"`
}

// Metric is a number that a policy reported.
type Metric struct {
	Plugin string  `json:"plugin"`
	Name   string  `json:"name"`
	Round  int     `json:"round"`
	Value  float64 `json:"value"`
}

// Digest is a hash of the outputs: what the next stage depends on.
func (r Record) Digest() string {
	names := make([]string, 0, len(r.Outputs))
	for name := range r.Outputs {
		names = append(names, name)
	}
	sort.Strings(names)
	hash := sha256.New()
	for _, name := range names {
		fmt.Fprintf(hash, "%q %s\n", name, r.Outputs[name])
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// Finished returns the record of a stage whose inputs are the same now and
// whose files are all there, unchanged. A record that cannot be read, or does
// not fit, means that the stage is to be done anew.
func (f *Folder) Finished(stage, inputs string) (Record, bool) {
	var record Record
	data, err := os.ReadFile(f.recordPath(stage))
	if err != nil || json.Unmarshal(data, &record) != nil || record.Inputs != inputs {
		return Record{}, false
	}
	for name, want := range record.Outputs {
		if got, err := HashFile(f.Join(name)); err != nil || got != want {
			return Record{}, false
		}
	}
	return record, true
}

// Finish records a stage; outputs are names of files in the folder, whose
// hashes are added to the record.
func (f *Folder) Finish(stage string, record Record, outputs []string) (Record, error) {
	record.Outputs = map[string]string{}
	for _, name := range outputs {
		hash, err := HashFile(f.Join(name))
		if err != nil {
			return Record{}, fmt.Errorf("recording stage %s: %w", stage, err)
		}
		record.Outputs[name] = hash
	}
	data, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return Record{}, fmt.Errorf("recording stage %s: %w", stage, err)
	}
	return record, f.Write(stagesDir+"/"+stage+".json", append(data, '\n'))
}

// Empty reports whether nothing but the lock is in the folder.
func (f *Folder) Empty() (bool, error) {
	entries, err := os.ReadDir(f.Path)
	if err != nil {
		return false, fmt.Errorf("reading the run folder: %w", err)
	}
	for _, entry := range entries {
		if entry.Name() != lockName {
			return false, nil
		}
	}
	return true, nil
}

// Exists reports whether the run has a file of that name.
func (f *Folder) Exists(name string) (bool, error) {
	_, err := os.Stat(f.Join(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (f *Folder) recordPath(stage string) string {
	return filepath.Join(f.Path, stagesDir, stage+".json")
}

// HashFile is the SHA-256 of a file's content, in hexadecimal.
func HashFile(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
