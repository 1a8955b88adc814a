// Package inspect tells a person what is in a data set, and what is wrong with it,
// before a run spends time on it. It needs no model, and TensorFlow nowhere.
package inspect

import (
	"context"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/upl-host/upl-host/host/dataset"
)

// Splits are a data set's splits by the names that people know them by; those that
// are the same pictures are one.
func splits(d *dataset.Dataset) []split {
	all := []split{{"unlabeled", d.Unlabeled}, {"validation", d.Validation}, {"test", d.Test}}
	if same(d.Unlabeled, d.Test) {
		all = []split{{bothSplits, d.Unlabeled}, {"validation", d.Validation}}
	}
	kept := all[:0]
	for _, s := range all {
		if len(s.pictures) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// bothSplits is what the pictures are called that get pseudo labels and are tested.
const bothSplits = "unlabeled and test"

type split struct {
	name     string
	pictures []int
}

func same(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// union are the pictures of all splits, ascending.
func union(d *dataset.Dataset, of []split) []int {
	in := make([]bool, len(d.Pictures))
	for _, s := range of {
		for _, i := range s.pictures {
			in[i] = true
		}
	}
	var all []int
	for i, yes := range in {
		if yes {
			all = append(all, i)
		}
	}
	return all
}

// each does something with all pictures, in their order and several at once: near
// ones lie near each other in containers.
func each(ctx context.Context, pictures []int, workers int, progress func(done int), do func(k, picture int)) error {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next, done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(workers, len(pictures)) {
		group.Go(func() error {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(pictures) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				do(k, pictures[k])
				if n := done.Add(1); progress != nil {
					progress(int(n))
				}
			}
		})
	}
	return group.Wait()
}

// spread takes some of many, at even distances.
func spread(all []int, most int) []int {
	if len(all) <= most {
		return all
	}
	some := make([]int, most)
	for k := range some {
		some[k] = all[k*len(all)/most]
	}
	return some
}
