package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/host/evaluate"
	"github.com/upl-host/upl-host/host/learn/head"
)

// ensembles measures the ensembles of the first n seeds, which first gives: the first is
// a seed alone, the last the ensemble of all, which are known.
func (e *evaluation) ensembles(ctx context.Context, first func(n int) (head.Head, error), known *evaluate.Learned) ([]evaluate.Ensemble, error) {
	if !e.truth.Has() {
		return nil, nil
	}
	list := make([]evaluate.Ensemble, len(known.Seeds))
	for i := range list {
		list[i].Size = i + 1
		switch {
		case i == len(list)-1:
			list[i].Top1 = known.Top1
		case i == 0:
			list[i].Top1 = known.Seeds[0].Top1
		default:
			h, err := first(i + 1)
			if err != nil {
				return nil, err
			}
			c, err := e.measure(ctx, h, nil)
			if err != nil {
				return nil, err
			}
			list[i].Top1 = c.Measures().Top1
		}
	}
	return list, nil
}

// measureModels measures what each model, and their ensemble, says of the
// unlabeled pictures zero-shot, and writes the measures of each class.
func (x *examiner) measureModels(ctx context.Context) (_ *evaluate.Unlabeled, err error) {
	names := make([]string, 0, len(x.models)+1)
	for _, m := range x.models {
		names = append(names, m.Name)
	}
	names = append(names, ensembleModel)
	matrices, tallies := make([]*array.Mapped, len(names)), make([]*evaluate.Tally, len(names))
	for i, name := range names {
		if matrices[i], err = array.Map(x.folder.Join(probabilitiesName(name))); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, matrices[i].Close()) }()
		tallies[i] = evaluate.NewTally(name, x.classNames)
	}
	differ, err := x.tally(ctx, matrices, tallies)
	if err != nil {
		return nil, err
	}
	measures, classes := &evaluate.Unlabeled{}, []evaluate.ModelClass(nil)
	for _, t := range tallies {
		measures.Models = append(measures.Models, t.Measures())
		classes = append(classes, t.Classes()...)
	}
	if n := len(x.kept.unlabeled); n > 0 && len(x.models) > 1 {
		share := float64(differ) / float64(n)
		measures.Disagreement = &share
	}
	return measures, evaluate.WriteModelClasses(x.folder.Join(modelsName), classes)
}

// tally shows every unlabeled picture to the tallies, the last of which is the
// ensemble's, and counts those that the models do not agree on.
func (x *examiner) tally(ctx context.Context, matrices []*array.Mapped, tallies []*evaluate.Tally) (differ int, err error) {
	const check = 4096 // pictures between two looks at ctx
	predicted := make([]int, len(tallies))
	for row, picture := range x.kept.unlabeled {
		if row%check == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		for i, t := range tallies {
			if predicted[i], err = t.Add(matrices[i].Row(row), x.truth.Label(picture)); err != nil {
				return 0, fmt.Errorf("%s: %s: %w", x.data.Pictures[picture].ID, probabilitiesDir, err)
			}
		}
		models := predicted[:len(predicted)-1]
		if slices.ContainsFunc(models, func(class int) bool { return class != models[0] }) {
			differ++
		}
	}
	return differ, nil
}
