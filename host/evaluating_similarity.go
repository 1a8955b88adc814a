package host

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/learn"
	"github.com/upl-host/upl-host/host/learn/head"
)

// comparedName is a file that is there while prompts are measured: of each test picture
// the logits of all prompts, one after the other [S C].
const comparedName = ".compared.npy"

// comparison are logits of the test pictures that are known. Comparing tokens takes longer
// than all else of an evaluation: N prompts alone, their ensemble and those of the first n
// of them are measured with N comparisons, and not N² / 2.
type comparison struct {
	*array.Mapped
	path string
}

// known is the head of prompts from to to of a comparison, whose rows take the place of
// features: the mean of their logits.
type known struct {
	*comparison
	classes, from, to int
}

func (k known) Classes() int { return k.classes }
func (k known) Width() int   { return k.Cols }

func (k known) Logits(compared, out array.Matrix) error {
	for i := range out.Rows {
		logits := compared.Row(i)
		for class := range k.classes {
			sum := 0.0
			for n := k.from; n < k.to; n++ {
				sum += float64(logits[n*k.classes+class])
			}
			out.Row(i)[class] = float32(sum / float64(k.to-k.from))
		}
	}
	return nil
}

// compareOnce compares the test pictures with each prompt, and gives heads that know what
// came out.
func (e *evaluation) compareOnce(ctx context.Context, prompts []learn.SeedHead) (heads []learn.SeedHead, first func(n int) (head.Head, error), err error) {
	c := &comparison{path: e.folder.Join(comparedName)}
	if err := e.compare(ctx, c.path, prompts); err != nil {
		return nil, nil, fmt.Errorf("comparing the test pictures with the prompts: %w", err)
	}
	if c.Mapped, err = array.Map(c.path); err != nil {
		return nil, nil, err
	}
	e.compared = c
	classes := len(e.classNames)
	for i, p := range prompts {
		heads = append(heads, learn.SeedHead{Seed: p.Seed, Head: known{c, classes, i, i + 1}})
	}
	return heads, func(n int) (head.Head, error) { return known{c, classes, 0, n}, nil }, nil
}

// compare writes the logits of the test pictures, some at a time.
func (e *evaluation) compare(ctx context.Context, path string, prompts []learn.SeedHead) error {
	const atOnce = 32
	rows, classes := e.rows(0, e.kept.test), len(e.classNames)
	w, err := array.Create(path, len(rows), len(prompts)*classes)
	if err != nil {
		return err
	}
	defer w.Abort()
	pictures, logits, all := array.NewMatrix(atOnce, e.features.Cols), array.NewMatrix(atOnce, classes), array.NewMatrix(atOnce, len(prompts)*classes)
	for from := 0; from < len(rows); from += atOnce {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(atOnce, len(rows)-from)
		for i, row := range rows[from : from+n] {
			copy(pictures.Row(i), e.features.Row(row))
		}
		for p, prompt := range prompts {
			if err := prompt.Logits(pictures.Slice(0, n), logits.Slice(0, n)); err != nil {
				return err
			}
			for i := range n {
				copy(all.Row(i)[p*classes:], logits.Row(i))
			}
		}
		if err := w.Append(all.Slice(0, n).Data); err != nil {
			return err
		}
	}
	return w.Close()
}

// shown are what a head is shown of the test pictures: rows of a matrix.
func (e *evaluation) shown(h head.Head) (array.Matrix, []int) {
	k, ok := h.(known)
	if !ok {
		return e.features, e.rows(0, e.kept.test)
	}
	rows := make([]int, k.Rows)
	for i := range rows {
		rows[i] = i
	}
	return k.Matrix, rows
}

// forget removes what was compared.
func (c *comparison) forget() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.Close(), os.Remove(c.path))
}
