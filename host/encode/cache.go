package encode

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/upl-host/upl-host/graphs/array"
)

// Key names a picture by its content: the SHA-256 of its file.
type Key [sha256.Size]byte

// keyColumns is the width of a key in a shard, in float32 columns.
const keyColumns = sha256.Size / 4

const shardSuffix = ".npy"

// Cache keeps the features of one model in a folder of its own, as immutable
// shards: .npy matrices whose rows are a key's 32 bytes, in the place of 8
// float32 values, and the features. Shards are memory-mapped. Several processes
// may share a folder: a shard appears whole, under a name that its content gives.
// A cache is safe for concurrent use.
type Cache struct {
	folder string
	width  int

	mutex  sync.RWMutex
	rows   map[Key][]float32
	shards []*array.Mapped
	// fresh are keys that no shard holds yet, in the order of their arrival.
	fresh []Key
}

// OpenCache maps the shards of folder, making it where it is missing. A shard
// that is not what its name says is dropped with a warning: its pictures are
// encoded anew. Close the cache when its features are no longer used.
func OpenCache(folder string, width int, log *slog.Logger) (*Cache, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("making the feature cache: %w: set cache.dir to a folder that can be written to", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("reading the feature cache: %w", err)
	}
	c := &Cache{folder: folder, width: width, rows: map[Key][]float32{}}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			sweep(folder, entry)
		}
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), shardSuffix) {
			continue
		}
		path := filepath.Join(folder, entry.Name())
		if err := c.load(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("a shard of the feature cache is unreadable; its pictures are encoded anew", "shard", path, "error", err)
			if err := os.Remove(path); err != nil {
				return nil, errors.Join(fmt.Errorf("removing an unreadable shard of the feature cache: %w", err), c.Close())
			}
		}
	}
	return c, nil
}

// sweep removes a shard that a killed process left half-written. A young one may
// be another process's at work; what cannot be removed does no harm.
func sweep(folder string, entry fs.DirEntry) {
	const old = time.Hour
	if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > old {
		_ = os.Remove(filepath.Join(folder, entry.Name()))
	}
}

// NewCache returns a cache in memory alone: Flush writes nothing.
func NewCache(width int) *Cache { return &Cache{width: width, rows: map[Key][]float32{}} }

// load maps one shard and checks that its content is what its name says.
func (c *Cache) load(path string) error {
	shard, err := array.Map(path)
	if err != nil {
		return err
	}
	if shard.Cols != keyColumns+c.width {
		return errors.Join(fmt.Errorf("rows of %d values, not of %d", shard.Cols, keyColumns+c.width), shard.Close())
	}
	if want := shardName(shard.Data); filepath.Base(path) != want {
		return errors.Join(fmt.Errorf("its content belongs to %s: it was changed", want), shard.Close())
	}
	c.shards = append(c.shards, shard)
	for i := range shard.Rows {
		row := shard.Row(i)
		c.rows[keyOf(row)] = row[keyColumns:]
	}
	return nil
}

func keyOf(row []float32) (key Key) {
	copy(key[:], array.Bytes(row[:keyColumns]))
	return key
}

func shardName(data []float32) string {
	sum := sha256.Sum256(array.Bytes(data))
	return hex.EncodeToString(sum[:16]) + shardSuffix
}

// Get returns a picture's features, valid until Close, or nil.
func (c *Cache) Get(key Key) []float32 {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	return c.rows[key]
}

// Len is the number of pictures whose features there are.
func (c *Cache) Len() int {
	c.mutex.RLock()
	defer c.mutex.RUnlock()
	return len(c.rows)
}

// Put adds a copy of a picture's features; Flush makes them last. What the
// cache already has stays as it is.
func (c *Cache) Put(key Key, features []float32) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if _, there := c.rows[key]; there {
		return
	}
	c.rows[key] = append([]float32(nil), features...)
	c.fresh = append(c.fresh, key)
}

// Flush writes what was put since the last Flush as a shard.
func (c *Cache) Flush() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.fresh) == 0 || c.folder == "" {
		return nil
	}
	shard := array.NewMatrix(len(c.fresh), keyColumns+c.width)
	for i, key := range c.fresh {
		row := shard.Row(i)
		copy(array.Bytes(row[:keyColumns]), key[:])
		copy(row[keyColumns:], c.rows[key])
	}
	path := filepath.Join(c.folder, shardName(shard.Data))
	if err := array.WriteFile(path, shard.Array()); err != nil {
		return fmt.Errorf("writing the feature cache: %w", err)
	}
	c.fresh = c.fresh[:0]
	return c.load(path)
}

// Close unmaps the shards; what was not flushed is lost.
func (c *Cache) Close() error {
	var errs []error
	for _, shard := range c.shards {
		errs = append(errs, shard.Close())
	}
	c.rows, c.shards, c.fresh = nil, nil, nil
	return errors.Join(errs...)
}
