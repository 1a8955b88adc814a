package session

import (
	"fmt"
	"math"

	"github.com/upl-host/upl-host/sdk"
)

// gatherView reads rows by number: a pass of its own, over what is asked for.
func (r *run) gatherView(v *view) error {
	v.size = 4 * r.classes
	p := r.emptyPlan()
	place := p.want(r, v.origin)
	for _, needed := range p.needed {
		if needed {
			v.bytes += int64(min(int(r.dataset.BatchRows), r.rows)) * 4 * int64(r.classes)
		}
	}
	v.origin = origin{model: -1} // the round's passes have nothing to do with it
	b := &batch{sources: make([]*source, len(p.needed))}
	v.direct = &direct{records: func() int { return r.rows }, read: func(first, n int, dst []byte) error {
		if r.gathered += int64(len(dst)); r.gathered > r.limits.Gather {
			return r.breach(sdk.CodeLimit, &LimitError{Limit: LimitGather, Detail: fmt.Sprintf("more than %d bytes of rows by number in a round", r.limits.Gather)})
		}
		for end := first + n; first < end; first += b.rows {
			b.first, b.rows = first, min(end-first, int(r.dataset.BatchRows))
			if err := r.make(b, &p); err != nil {
				return r.breach(sdk.CodeData, err)
			}
			dst = dst[copy(dst, bytesOf(b.sources[place].rows)):]
		}
		return nil
	}}
	return nil
}

// previousView reads the last selection.
func (r *run) previousView(v *view) error {
	if r.policy.Kind != sdk.KindSelection {
		return refuse(sdk.CodeNotSupported, "view %s: an ensemble has no selection", v.spec.Kind)
	}
	v.size = sdk.SizeEmitted
	v.direct = &direct{
		records: func() int { return r.previous.len() },
		read:    func(first, _ int, dst []byte) error { r.previous.read(first, dst); return nil },
		ragged:  true,
	}
	return nil
}

// featureView reads the features of images batch by batch, those of texts at any
// time.
func (r *run) featureView(v *view) error {
	from, model := r.in.Features, int(v.spec.Model)
	text := v.spec.Flags&sdk.FlagText != 0
	if text {
		from = r.in.TextFeatures
	}
	switch {
	case !r.in.GrantFeatures:
		return refuse(sdk.CodeDenied, "features are not granted to this policy")
	case model < 0:
		return refuse(sdk.CodeRange, "an ensemble has no features")
	case len(from) == 0:
		return refuse(sdk.CodeNotSupported, "there are no features")
	}
	features := from[model]
	v.size = 4 * features.Width()
	read := func(first, n int, dst []byte) error {
		values := make([]float32, n*features.Width())
		if err := features.Read(first, n, values); err != nil {
			return fmt.Errorf("reading features of %s: %w", r.in.source(model), err)
		}
		for i, x := range values {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return &DataError{"features", r.in.source(model), first + i/features.Width(), fmt.Sprintf("value %d is %v", i%features.Width(), x)}
			}
		}
		copy(dst, bytesOf(values))
		return nil
	}
	if !text {
		v.fill = func(b *batch, dst []byte) error { return read(b.first, b.rows, dst) }
		return nil
	}
	v.direct = &direct{records: features.Rows, read: func(first, n int, dst []byte) error {
		if err := read(first, n, dst); err != nil {
			return r.breach(sdk.CodeData, err)
		}
		return nil
	}}
	return nil
}
