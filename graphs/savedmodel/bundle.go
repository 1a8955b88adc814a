//go:build tensorflow

package savedmodel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	tf "github.com/wamuir/graft/tensorflow"
	"github.com/wamuir/graft/tensorflow/op"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/pools"
)

const defaultShardSize = 256 << 20

// writeBundle writes the variables' values shard by shard, as TensorFlow's own
// SaveV2 does, and merges the shards' indices.
func writeBundle(ctx context.Context, dir string, m Model) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	parts := filepath.Join(dir, "parts")
	if err := os.Mkdir(parts, 0o755); err != nil {
		return err
	}
	var prefixes []string
	size := m.ShardSize
	if size == 0 {
		size = defaultShardSize
	}
	for _, shard := range shards(m.Variables, size) {
		if err := ctx.Err(); err != nil {
			return err
		}
		prefix := filepath.Join(parts, fmt.Sprintf("part-%05d", len(prefixes)))
		if err := writeShard(prefix, shard); err != nil {
			return err
		}
		prefixes = append(prefixes, prefix)
		runtime.GC() // graft frees tensors by finalizers alone
	}
	s := op.NewScope()
	merge := op.MergeV2Checkpoints(s, op.Const(s.SubScope("from"), prefixes),
		op.Const(s.SubScope("to"), filepath.Join(dir, bundlePrefix)), op.MergeV2CheckpointsDeleteOldDirs(true))
	if err := runTarget(s, nil, merge); err != nil {
		return fmt.Errorf("merging the shards: %w", err)
	}
	return os.RemoveAll(parts)
}

// shards cuts the variables into runs of at most limit bytes, each of one variable at least.
func shards(variables []Variable, limit int) [][]Variable {
	var all [][]Variable
	first, bytes := 0, 0
	for i, v := range variables {
		size := 4 * elements(v.Shape)
		if i > first && bytes+size > limit {
			all = append(all, variables[first:i])
			first, bytes = i, 0
		}
		bytes += size
	}
	return append(all, variables[first:])
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// writeShard runs SaveV2 over the values of one shard.
func writeShard(prefix string, variables []Variable) error {
	s := op.NewScope()
	feeds := make(map[tf.Output]*tf.Tensor, len(variables))
	names := make([]string, len(variables))
	values := make([]tf.Output, len(variables))
	for i, v := range variables {
		data, err := v.Load()
		if err != nil {
			return err
		}
		if len(data) != elements(v.Shape) {
			return fmt.Errorf("variable %s has %d values, its shape is %v", v.Name, len(data), v.Shape)
		}
		tensor, err := tf.ReadTensor(tf.Float, dims(v.Shape), bytes.NewReader(array.Bytes(data)))
		if err != nil {
			return fmt.Errorf("variable %s: %w", v.Name, err)
		}
		names[i] = v.Name
		values[i] = op.Placeholder(s.SubScope("value"), tf.Float)
		feeds[values[i]] = tensor
	}
	save := op.SaveV2(s, op.Const(s.SubScope("prefix"), prefix), op.Const(s.SubScope("names"), names),
		op.Const(s.SubScope("slices"), make([]string, len(names))), values)
	return runTarget(s, feeds, save)
}

func dims(shape []int) []int64 {
	d := make([]int64, len(shape))
	for i, n := range shape {
		d[i] = int64(n)
	}
	return d
}

// runTarget runs one operation of a graph of its own.
func runTarget(s *op.Scope, feeds map[tf.Output]*tf.Tensor, target *tf.Operation) (err error) {
	g, err := s.Finalize()
	if err != nil {
		return err
	}
	session, err := pools.Open(g, &tf.SessionOptions{}, 0)
	if err != nil {
		return err
	}
	defer func() {
		if closing := session.Close(); err == nil {
			err = closing
		}
	}()
	_, err = session.Run(feeds, nil, []*tf.Operation{target})
	return err
}
