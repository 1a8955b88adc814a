package conformance

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/sdk"
)

// on is a check that a policy runs on a data set, or refuses it clearly: as CONFIG or
// DATA, with a message.
func on(data func() fixture) func(context.Context, *subject) verdict {
	return func(ctx context.Context, s *subject) verdict {
		o := s.run(ctx, s.input(data()))
		if message, ok := refusal(o.err, sdk.CodeConfig, sdk.CodeData); ok {
			return pass("the policy refuses it: %s", message)
		}
		if o.err != nil {
			return o.failed("")
		}
		return pass("%s", o.size(s.Kind))
	}
}

func noRows() fixture     { return ordinary(0, ordinaryClasses, ordinaryModels) }
func oneRow() fixture     { return ordinary(1, ordinaryClasses, ordinaryModels) }
func oneClass() fixture   { return ordinary(50, 1, ordinaryModels) }
func oneModel() fixture   { return ordinary(100, ordinaryClasses, 1) }
func manyModels() fixture { return ordinary(100, ordinaryClasses, 5) }
func fewRows() fixture    { return ordinary(5, 50, ordinaryModels) }

func ties() fixture {
	return uniformly(64, ordinaryClasses, ordinaryModels, func(_ int, row []float32) {
		for c := range row {
			row[c] = 0.5 / float32(len(row)-1)
		}
		row[2] = 0.5
	})
}

func oneHot() fixture {
	return uniformly(70, ordinaryClasses, ordinaryModels, func(i int, row []float32) { row[i%len(row)] = 1 })
}

func uniform() fixture {
	return uniformly(64, ordinaryClasses, ordinaryModels, func(_ int, row []float32) {
		for c := range row {
			row[c] = 1 / float32(len(row))
		}
	})
}

// starvedClass has a class of probability 0 in all rows.
func starvedClass() fixture {
	f := ordinary(200, ordinaryClasses, ordinaryModels)
	const starved = 4
	for _, m := range f.models {
		for i := range m.rows {
			row := m.row(i)
			rest := 1 - row[starved]
			row[starved] = 0
			for c := range row {
				row[c] /= rest
			}
		}
	}
	f.ensemble = f.mean()
	return f
}

// halfPrecision is data dumped as float16, whose rows sum to 1 less exactly.
func halfPrecision() fixture {
	f := ordinary(100, 40, ordinaryModels)
	for _, m := range f.models {
		for i, p := range m.values {
			m.values[i] = toHalf(p)
		}
	}
	f.ensemble = f.mean()
	return f
}

// toHalf rounds to the 11 bits that float16 has for numbers from 2^-14 to 1, and to
// multiples of 2^-24 below.
func toHalf(p float32) float32 {
	_, exponent := math.Frexp(float64(p))
	step := math.Ldexp(1, max(exponent-11, -24))
	return float32(math.RoundToEven(float64(p)/step) * step)
}

func oddNames() fixture {
	f := ordinary(50, ordinaryClasses, ordinaryModels)
	f.classNames = []string{`a "quoted" \ name`, "", "Ärzte ☂ 日本語", "tab\tand\nline", "same", "same", "{}"}
	f.modelNames = []string{`ViT-B/16 "openai"`, "", "模型"}
	return f
}

// bare is data as `upl-host select` has it of arrays.
func bare() fixture {
	f := ordinary(50, ordinaryClasses, ordinaryModels)
	f.modelNames, f.logitScales = nil, nil
	return f
}

// withPrior is data whose configuration gives a prior.
func withPrior() fixture {
	f := ordinary(100, ordinaryClasses, ordinaryModels)
	f.prior = []float64{0.4, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05}
	return f
}

// nanIsRefused puts a NaN into the data: the host finds it, where anybody looks.
func nanIsRefused(ctx context.Context, s *subject) verdict {
	f := ordinary(100, ordinaryClasses, ordinaryModels)
	const row = 40
	for _, m := range append(slices.Clone(f.models), f.ensemble) {
		m.row(row)[1] = float32(math.NaN())
	}
	o := s.run(ctx, s.input(f))
	var unusable *plugins.DataError
	if errors.As(o.err, &unusable) {
		return pass("%v", unusable)
	}
	if message, ok := refusal(o.err, sdk.CodeConfig, sdk.CodeData); ok {
		return pass("the policy refuses it: %s", message)
	}
	if o.err != nil {
		return o.failed("")
	}
	return pass("the policy has not looked at the row")
}
