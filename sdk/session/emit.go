package session

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/sdk"
)

// Emit is emit. A record that is wrong ends the run: what the rest was worth
// nobody can tell.
func (r *run) Emit(kind sdk.EmitKind, records []byte) error {
	switch kind {
	case sdk.EmitHard:
		return r.emitHard(records)
	case sdk.EmitCombined:
		return r.emitCombined(records)
	case sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop:
		return refuse(sdk.CodeNotSupported, "emit kind %d", kind)
	}
	return r.forged("emit kind %d", kind)
}

func (r *run) forged(format string, args ...any) error {
	return r.breach(sdk.CodeInvalid, &ProtocolError{fmt.Sprintf(format, args...)})
}

func (r *run) emitHard(records []byte) error {
	if r.policy.Kind != sdk.KindSelection || (r.stage != observing && r.stage != ending) {
		return refuse(sdk.CodeState, "labels are emitted by selections, in upl_observe and upl_end_round")
	}
	if len(records)%sdk.SizeLabel != 0 {
		return r.forged("%d bytes of labels, which have %d each", len(records), sdk.SizeLabel)
	}
	if len(r.labels)+len(records)/sdk.SizeLabel > r.limits.Records {
		return r.breach(sdk.CodeLimit, &LimitError{Limit: LimitRecords, Detail: fmt.Sprintf("more than %d labels", r.limits.Records)})
	}
	for ; len(records) > 0; records = records[sdk.SizeLabel:] {
		row := binary.LittleEndian.Uint64(records)
		class := binary.LittleEndian.Uint32(records[8:])
		weight := math.Float32frombits(binary.LittleEndian.Uint32(records[12:]))
		switch {
		case row >= uint64(r.rows):
			return r.forged("a label for row %d of %d", row, r.rows)
		case class >= uint32(r.classes):
			return r.forged("a label of class %d of %d, for row %d", class, r.classes, row)
		case !(weight >= 0 && weight <= r.limits.Weight): // NaN is neither
			return r.forged("a label of weight %v for row %d; weights are 0 to %v", weight, row, r.limits.Weight)
		case binary.LittleEndian.Uint64(records[16:]) != 0:
			return r.forged("a label with reserved fields set, for row %d", row)
		}
		r.labels = append(r.labels, Label{int(row), int(class), weight})
	}
	return nil
}

func (r *run) emitCombined(records []byte) error {
	if r.stage != combining {
		return refuse(sdk.CodeState, "probabilities are emitted in upl_combine")
	}
	if len(records) < sdk.SizeCombined {
		return r.forged("%d bytes of probabilities, whose head alone has %d", len(records), sdk.SizeCombined)
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
	case int64(len(records)-sdk.SizeCombined) != int64(rows)*int64(r.classes)*4:
		return r.forged("%d bytes of probabilities for %d x %d", len(records)-sdk.SizeCombined, rows, classes)
	}
	// A copy: the guest's memory need not be aligned, and is the guest's.
	out := r.output[r.combined*r.classes:][:int(rows)*r.classes]
	copy(bytesOf(out), records[sdk.SizeCombined:])
	for i := range int(rows) {
		if reason := checkRow(out[i*r.classes:(i+1)*r.classes], 1e-3); reason != "" {
			return r.forged("combined row %d: %s", next+i, reason)
		}
	}
	r.combined += int(rows)
	return nil
}
