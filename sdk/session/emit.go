package session

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/upl-host/upl-host/sdk"
)

// Emit is emit. A record that is wrong ends the run: what the rest was worth
// nobody can tell.
func (r *run) Emit(kind sdk.EmitKind, records []byte) error {
	switch kind {
	case sdk.EmitHard, sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop:
		return r.emitSelection(kind, records)
	case sdk.EmitCombined:
		return r.emitCombined(records)
	case sdk.EmitMean:
		return r.emitMean(records)
	}
	return r.forged("emit kind %d", kind)
}

func (r *run) forged(format string, args ...any) error {
	return r.breach(sdk.CodeInvalid, &ProtocolError{fmt.Sprintf(format, args...)})
}

func (r *run) emitSelection(kind sdk.EmitKind, records []byte) error {
	if flag := takes(kind); r.dataset.Flags&flag != flag {
		return refuse(sdk.CodeNotSupported, "%s are of no use to this host", kind)
	}
	if r.policy.Kind != sdk.KindSelection || (r.stage != observing && r.stage != ending) {
		return refuse(sdk.CodeState, "%s are emitted by selections, in upl_observe and upl_end_round", kind)
	}
	emit := r.emitHard
	switch kind {
	case sdk.EmitSoft, sdk.EmitCandidates:
		emit = func(records []byte) (int, error) { return r.emitSet(kind, records) }
	case sdk.EmitDrop:
		emit = r.emitDrop
	}
	for len(records) > 0 {
		if len(r.emission.records) >= r.limits.Records {
			return r.breach(sdk.CodeLimit, &LimitError{Limit: LimitRecords, Detail: fmt.Sprintf("more than %d labels", r.limits.Records)})
		}
		size, err := emit(records)
		if err != nil {
			return err
		}
		records = records[size:]
	}
	return nil
}

// takes is the flag of a host that takes records of a kind.
func takes(kind sdk.EmitKind) uint32 {
	switch kind {
	case sdk.EmitSoft:
		return sdk.TakesSoft
	case sdk.EmitCandidates:
		return sdk.TakesCandidates
	case sdk.EmitDrop:
		return sdk.TakesDrops
	}
	return 0
}

// add keeps a record of a row and weight as the guest gave them.
func (r *run) add(row uint64, weight float32, e emitted) error {
	switch {
	case row >= uint64(r.rows):
		return r.forged("%s: row %d of %d", e.kind, row, r.rows)
	case !(weight >= 0 && weight <= r.limits.Weight): // NaN is neither
		return r.forged("%s: weight %v for row %d; weights are 0 to %v", e.kind, weight, row, r.limits.Weight)
	}
	e.row, e.weight = int(row), weight
	if reason := r.emission.claim(e.row, r.rows, e.kind); reason != "" {
		return r.forged("%s", reason)
	}
	r.emission.records = append(r.emission.records, e)
	return nil
}

// emitHard takes the first record; so do the others. It gives its size.
func (r *run) emitHard(records []byte) (int, error) {
	if len(records) < sdk.SizeLabel {
		return 0, r.forged("%d bytes of a hard label, which has %d", len(records), sdk.SizeLabel)
	}
	row := binary.LittleEndian.Uint64(records)
	class := binary.LittleEndian.Uint32(records[8:])
	weight := math.Float32frombits(binary.LittleEndian.Uint32(records[12:]))
	switch {
	case class >= uint32(r.classes):
		return 0, r.forged("hard labels: class %d of %d, for row %d", class, r.classes, row)
	case binary.LittleEndian.Uint64(records[16:]) != 0:
		return 0, r.forged("hard labels: reserved fields set, for row %d", row)
	}
	return sdk.SizeLabel, r.add(row, weight, emitted{kind: sdk.EmitHard, at: class})
}

func (r *run) emitDrop(records []byte) (int, error) {
	if len(records) < sdk.SizeDrop {
		return 0, r.forged("%d bytes of a dropped row, which has %d", len(records), sdk.SizeDrop)
	}
	return sdk.SizeDrop, r.add(binary.LittleEndian.Uint64(records), 0, emitted{kind: sdk.EmitDrop})
}

// emitSet takes a soft label or a candidate set.
func (r *run) emitSet(kind sdk.EmitKind, records []byte) (int, error) {
	if len(records) < sdk.SizeHead {
		return 0, r.forged("%s: %d bytes, and the head alone has %d", kind, len(records), sdk.SizeHead)
	}
	row := binary.LittleEndian.Uint64(records)
	weight := math.Float32frombits(binary.LittleEndian.Uint32(records[8:]))
	n := binary.LittleEndian.Uint32(records[12:])
	each := 4
	if kind == sdk.EmitSoft {
		each = sdk.SizeCandidate
	}
	size := sdk.SizeHead + int64(each)*int64(n)
	switch {
	case n == 0 || n > uint32(r.classes):
		return 0, r.forged("%s: %d classes of %d, for row %d", kind, n, r.classes, row)
	case int64(len(records)) < size:
		return 0, r.forged("%s: %d bytes for %d classes, which take %d", kind, len(records), n, size)
	case len(r.emission.classes)+int(n) > r.limits.Classes:
		return 0, r.breach(sdk.CodeLimit, &LimitError{Limit: LimitRecords, Detail: fmt.Sprintf("more than %d classes in soft labels and candidate sets", r.limits.Classes)})
	}
	at := len(r.emission.classes)
	if err := r.add(row, weight, emitted{kind: kind, at: uint32(at), n: n}); err != nil {
		return 0, err
	}
	for b := records[sdk.SizeHead:size]; len(b) > 0; b = b[each:] {
		c := sdk.Candidate{Class: binary.LittleEndian.Uint32(b)}
		if kind == sdk.EmitSoft {
			c.P = math.Float32frombits(binary.LittleEndian.Uint32(b[4:]))
		}
		r.emission.classes = append(r.emission.classes, c)
	}
	return int(size), r.checkSet(kind, row, r.emission.classes[at:])
}

// checkSet sorts the classes of a record, and refuses what is no set of them or
// no distribution.
func (r *run) checkSet(kind sdk.EmitKind, row uint64, classes []sdk.Candidate) error {
	slices.SortFunc(classes, func(a, b sdk.Candidate) int { return cmp.Compare(a.Class, b.Class) })
	var sum float64
	for i, c := range classes {
		switch {
		case c.Class >= uint32(r.classes):
			return r.forged("%s: class %d of %d, for row %d", kind, c.Class, r.classes, row)
		case i > 0 && c.Class == classes[i-1].Class:
			return r.forged("%s: class %d twice, for row %d", kind, c.Class, row)
		case kind == sdk.EmitSoft && !(c.P >= 0 && c.P <= math.MaxFloat32): // NaN is neither
			return r.forged("%s: class %d has probability %v, for row %d", kind, c.Class, c.P, row)
		}
		sum += float64(c.P)
	}
	if kind == sdk.EmitSoft && !(math.Abs(sum-1) <= maxEmittedExcess) {
		return r.forged("%s: probabilities sum to %.6g, not 1, for row %d", kind, sum, row)
	}
	return nil
}

func (r *run) emitCombined(records []byte) error {
	if r.stage != combining {
		return refuse(sdk.CodeState, "probabilities are emitted in upl_combine")
	}
	if len(records) < sdk.SizeHead {
		return r.forged("%d bytes of probabilities, whose head alone has %d", len(records), sdk.SizeHead)
	}
	first := binary.LittleEndian.Uint64(records)
	rows := binary.LittleEndian.Uint32(records[8:])
	classes := binary.LittleEndian.Uint32(records[12:])
	next := r.current.first + r.combined
	switch {
	case int(classes) != r.classes:
		return r.forged("probabilities of %d classes, the data set has %d", classes, r.classes)
	case first != uint64(next) || int64(rows) > int64(r.current.rows-r.combined):
		return r.forged("probabilities of %d rows from %d on; the batch goes on with %d from %d on", rows, first, r.current.rows-r.combined, next)
	case int64(len(records)-sdk.SizeHead) != int64(rows)*int64(r.classes)*4:
		return r.forged("%d bytes of probabilities for %d x %d", len(records)-sdk.SizeHead, rows, classes)
	}
	// A copy: the guest's memory need not be aligned, and is the guest's.
	out := r.output[r.combined*r.classes:][:int(rows)*r.classes]
	copy(bytesOf(out), records[sdk.SizeHead:])
	for i := range int(rows) {
		if reason := checkRow(out[i*r.classes:(i+1)*r.classes], maxExcess); reason != "" {
			return r.forged("combined row %d: %s", next+i, reason)
		}
	}
	r.combined += int(rows)
	return nil
}

// emitMean takes the shares of views that the ensemble is the mean of.
func (r *run) emitMean(records []byte) error {
	if r.policy.Kind != sdk.KindEnsemble || r.stage != ending {
		return refuse(sdk.CodeState, "a mean is emitted by ensembles, in upl_end_round")
	}
	if len(records)%sdk.SizeShare != 0 {
		return r.forged("%d bytes of shares, which have %d each", len(records), sdk.SizeShare)
	}
	for ; len(records) > 0; records = records[sdk.SizeShare:] {
		view := int32(binary.LittleEndian.Uint32(records))
		weight := math.Float32frombits(binary.LittleEndian.Uint32(records[4:]))
		switch {
		case view < 0 || int(view) >= len(r.views):
			return r.forged("a share of view %d, of %d", view, len(r.views))
		case r.views[view].spec.Kind != sdk.ViewRows:
			return r.forged("a share of view %d, which is of %s, not of rows", view, r.views[view].spec.Kind)
		case !(weight > 0 && weight <= math.MaxFloat32): // NaN is neither
			return r.forged("a share of weight %v", weight)
		case len(r.shares) == maxViews:
			return r.forged("more than %d shares", maxViews)
		}
		r.shares = append(r.shares, share{r.views[view].origin, float64(weight)})
	}
	return nil
}
