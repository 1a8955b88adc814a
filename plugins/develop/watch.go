package develop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce is how long nothing has to happen after a save: editors write in several
// steps.
const debounce = 200 * time.Millisecond

// outputs are folders that tools write, not authors; names that begin with a dot
// likewise.
var outputs = []string{buildDir, "target", "node_modules", "__pycache__"}

func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || slices.Contains(outputs, name)
}

// Watch calls run, and again whenever a file of the folder has another content, until
// the context is done; that is no error. A run that is under way then is ended first.
func Watch(ctx context.Context, dir string, run func(context.Context)) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }() // it only listened
	if _, err = os.Stat(dir); err == nil {
		err = listen(watcher, dir)
	}
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	last, err := digest(dir)
	if err != nil {
		return err
	}
	current := begin(ctx, run)
	defer func() { current.end() }()
	quiet := time.NewTimer(debounce)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-watcher.Events:
			if ignored(filepath.Base(event.Name)) {
				continue
			}
			if event.Has(fsnotify.Create) {
				// What cannot be listened to has gone again, or is seen as its folder's change.
				_ = listen(watcher, event.Name)
			}
			quiet.Reset(debounce)
		case _, ok := <-watcher.Errors: // events were lost: look
			if ok {
				quiet.Reset(debounce)
			}
		case <-quiet.C:
			now, err := digest(dir)
			if err != nil {
				return err
			}
			if now != last { // not what the build itself writes, the same each time
				last = now
				current.end()
				current = begin(ctx, run)
			}
		}
	}
}

// running is a run under way.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func begin(ctx context.Context, run func(context.Context)) running {
	ctx, cancel := context.WithCancel(ctx)
	r := running{cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		run(ctx)
	}()
	return r
}

func (r running) end() {
	r.cancel()
	<-r.done
}

// listen watches a folder and those in it.
func listen(watcher *fsnotify.Watcher, dir string) error {
	return walk(dir, func(path string, entry fs.DirEntry) error {
		if !entry.IsDir() {
			return nil
		}
		return watcher.Add(path)
	})
}

// digest is a hash of the contents of a folder's files.
func digest(dir string) ([sha256.Size]byte, error) {
	hash := sha256.New()
	err := walk(dir, func(path string, entry fs.DirEntry) error {
		if !entry.Type().IsRegular() {
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		fmt.Fprintf(hash, "%q\n", path)
		_, err = io.Copy(hash, file)
		return err
	})
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading the sources: %w", err)
	}
	return [sha256.Size]byte(hash.Sum(nil)), nil
}

// walk visits what authors write; what goes while it is visited was never there.
func walk(dir string, visit func(string, fs.DirEntry) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path != dir && ignored(entry.Name()) && entry.IsDir():
			return filepath.SkipDir
		case path != dir && ignored(entry.Name()):
			return nil
		}
		if err := visit(path, entry); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
