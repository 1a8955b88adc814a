package session

import (
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
)

// view is one that a guest has opened.
type view struct {
	spec   sdk.ViewSpec
	size   int    // bytes of a row's records, or of one record
	round  int    // the only round that it is of; -1: all
	origin origin // of its probabilities, where it has any
	source int    // its place in a pass's plan
	top    bool   // needs the first class of each row
	bytes  int64  // what it takes of the host at most: a batch's, or all of a global view's
	global global // nil for others

	// fill computes the records of a batch; nil for others, and for rows.
	fill func(b *batch, dst []byte) error
	// fresh makes the global view of a round; nil for others.
	fresh func() global
	// direct is a view that does not depend on a pass; nil for others.
	direct *direct
}

// direct is what a view that can be read at any time reads.
type direct struct {
	records func() int
	read    func(first, n int, dst []byte) error
	// ragged: the number of records is the guest's to find out, so that it may ask
	// for more than there are.
	ragged bool
}

// newView checks a specification and makes the view.
func (r *run) newView(spec sdk.ViewSpec) (*view, error) {
	kind := spec.Kind
	models := len(r.in.Models)
	switch {
	case kind < sdk.ViewRows || kind > sdk.ViewFeatures:
		return nil, refuse(sdk.CodeNotSupported, "%s", kind)
	case !r.declares(kind):
		return nil, refuse(sdk.CodeDenied, "view %s is not among those the policy declares as needed", kind)
	case spec.Model < sdk.Ensemble || int(spec.Model) >= models:
		return nil, refuse(sdk.CodeRange, "model %d of %d", spec.Model, models)
	case spec.Flags&^flagsOf(kind) != 0:
		return nil, refuse(sdk.CodeInvalid, "flags %#x of view %s", spec.Flags, kind)
	case !(spec.Temperature >= 0 && spec.Temperature <= math.MaxFloat32): // NaN is neither
		return nil, refuse(sdk.CodeRange, "temperature %v", spec.Temperature)
	}
	v := &view{spec: spec, origin: origin{int(spec.Model), spec.Temperature}}
	if spec.Model == sdk.Ensemble {
		v.origin.model = models
	}
	switch kind {
	case sdk.ViewAgree, sdk.ViewPrevious, sdk.ViewFeatures:
		if spec.Temperature != 0 {
			return nil, refuse(sdk.CodeInvalid, "view %s at a temperature", kind)
		}
		v.origin.model = -1
	}
	if err := r.build(v); err != nil {
		return nil, err
	}
	return v, r.afford(v)
}

// build makes what is particular to a kind.
func (r *run) build(v *view) error {
	switch v.spec.Kind {
	case sdk.ViewClassTopK, sdk.ViewClassMean, sdk.ViewQuantile:
		return r.globalView(v)
	case sdk.ViewGather:
		return r.gatherView(v)
	case sdk.ViewPrevious:
		return r.previousView(v)
	case sdk.ViewFeatures:
		return r.featureView(v)
	}
	return r.batchView(v)
}

// afford refuses a view that takes more of the host's memory than is left: views are
// the host's to keep, so that a guest could fill it with them.
func (r *run) afford(v *view) error {
	batch := int64(min(int(r.dataset.BatchRows), r.rows))
	if v.direct == nil && v.fresh == nil {
		v.bytes += batch * int64(v.size)
	}
	if v.origin.temperature != 0 {
		v.bytes += batch * 4 * int64(r.classes) // probabilities of its own
	}
	bytes := v.bytes
	for _, other := range r.views {
		bytes += other.bytes
	}
	if bytes > r.limits.Views {
		return refuse(sdk.CodeLimit, "views of %d bytes, of %d allowed", bytes, r.limits.Views)
	}
	return nil
}

func (r *run) declares(kind sdk.ViewKind) bool {
	return slices.Contains(r.policy.Needs.Views, kind.String())
}

func flagsOf(kind sdk.ViewKind) uint16 {
	switch kind {
	case sdk.ViewClassTopK, sdk.ViewClassMean:
		return sdk.FlagAll
	case sdk.ViewStats:
		return sdk.FlagNoEntropy
	case sdk.ViewQuantile:
		return sdk.FlagColumn | sdk.FlagAll
	case sdk.ViewFeatures:
		return sdk.FlagText
	}
	return 0
}

func (r *run) batchView(v *view) error {
	spec, classes := v.spec, r.classes
	switch spec.Kind {
	case sdk.ViewRows:
		v.size = 4 * classes // straight from its source
	case sdk.ViewTopM:
		if spec.M < 1 || spec.M > uint32(classes) {
			return refuse(sdk.CodeRange, "the %d most probable of %d classes", spec.M, classes)
		}
		v.size = sdk.SizeCandidate * int(spec.M)
		v.fill = func(b *batch, dst []byte) error {
			records := make([]sdk.Candidate, spec.M)
			for i := range b.rows {
				topM(b.sources[v.source].row(i), records)
				copy(dst[i*v.size:], bytesOf(records))
			}
			return nil
		}
	case sdk.ViewStats:
		v.size, v.top = sdk.SizeStats, true
		withEntropy := spec.Flags&sdk.FlagNoEntropy == 0
		v.fill = func(b *batch, dst []byte) error {
			s := b.sources[v.source]
			for i, t := range s.tops {
				record := []sdk.Stats{{Class: t.class, P: t.p, Margin: t.margin()}}
				if withEntropy {
					record[0].Entropy = entropy(s.row(i))
				}
				copy(dst[i*v.size:], bytesOf(record))
			}
			return nil
		}
	case sdk.ViewAgree:
		models := len(r.in.Models)
		v.size, v.top = sdk.SizeCandidate*models, true
		v.fill = func(b *batch, dst []byte) error {
			record := make([]sdk.Candidate, models)
			for i := range b.rows {
				for m := range record {
					t := b.sources[m].tops[i]
					record[m] = sdk.Candidate{Class: t.class, P: t.p}
				}
				copy(dst[i*v.size:], bytesOf(record))
			}
			return nil
		}
	case sdk.ViewColumn:
		if spec.Class >= uint32(classes) {
			return refuse(sdk.CodeRange, "class %d of %d", spec.Class, classes)
		}
		v.size = 4
		v.fill = func(b *batch, dst []byte) error {
			for i := range b.rows {
				copy(dst[i*v.size:], bytesOf(b.sources[v.source].row(i)[spec.Class:][:1]))
			}
			return nil
		}
	}
	return nil
}

func (r *run) globalView(v *view) error {
	spec := v.spec
	all := spec.Flags&sdk.FlagAll != 0
	switch spec.Kind {
	case sdk.ViewClassTopK:
		if spec.M < 1 {
			return refuse(sdk.CodeRange, "the first 0 rows of each class")
		}
		kept := int64(min(int(spec.M), r.rows)) * int64(r.classes)
		if !all {
			kept = min(kept, int64(r.rows))
		}
		v.bytes = kept * sizeRanked
		v.size, v.top = sdk.SizeRanked, true
		v.fresh = func() global { return newClassTopK(r.classes, int(spec.M), all) }
	case sdk.ViewClassMean:
		records := r.classes
		if all {
			records = 1
		}
		v.size, v.top = 8*(1+r.classes), true
		v.bytes = int64(records) * int64(v.size)
		v.fresh = func() global { return newClassMean(records, r.classes) }
	case sdk.ViewQuantile:
		if spec.M < 1 || spec.M > 1<<20 {
			return refuse(sdk.CodeRange, "quantiles 1/%d", spec.M)
		}
		column := spec.Flags&sdk.FlagColumn != 0
		switch {
		case !column && (all || spec.Class > sdk.QuantileEntropy):
			return refuse(sdk.CodeRange, "quantiles of statistic %d, flags %#x", spec.Class, spec.Flags)
		case column && !all && spec.Class >= uint32(r.classes), all && spec.Class != 0:
			return refuse(sdk.CodeRange, "quantiles of class %d of %d", spec.Class, r.classes)
		}
		v.bytes = 4 * int64(r.rows)
		if all {
			v.bytes *= int64(r.classes)
		}
		v.size, v.top = 8, !column
		v.fresh = func() global { return newQuantile(spec, r.classes) }
		if all {
			v.size = 8 * (int(spec.M) + 1)
		}
	}
	return nil
}

// globals makes the global views of a round, empty.
func (r *run) globals() []*view {
	var globals []*view
	for _, v := range r.views {
		if v.fresh != nil {
			v.global = v.fresh()
			globals = append(globals, v)
		}
	}
	return globals
}
