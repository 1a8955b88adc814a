package wire

import (
	"encoding/binary"

	"github.com/upl-host/upl-host/sdk"
)

// maxPart is how much data a message has at most, unless a single record is larger.
const maxPart = 1 << 20

// Split cuts records of a kind in two: the first has at most size bytes, or one
// record. What is no whole record is left as it is, for the host to refuse.
func Split(kind sdk.EmitKind, records []byte, size int) (part, rest []byte) {
	if len(records) <= size {
		return records, nil
	}
	at := 0
	switch kind {
	case sdk.EmitHard:
		at = max(size/sdk.SizeLabel, 1) * sdk.SizeLabel
	case sdk.EmitDrop:
		at = max(size/sdk.SizeDrop, 1) * sdk.SizeDrop
	case sdk.EmitSoft, sdk.EmitCandidates:
		at = wholeSets(kind, records, size)
	case sdk.EmitCombined:
		return splitCombined(records, size)
	}
	if at <= 0 || at >= len(records) {
		return records, nil
	}
	return records[:at], records[at:]
}

// wholeSets is the length of the soft labels or candidate sets that fit, or of one.
func wholeSets(kind sdk.EmitKind, records []byte, size int) int {
	each := uint64(4)
	if kind == sdk.EmitSoft {
		each = sdk.SizeCandidate
	}
	at := 0
	for len(records)-at >= sdk.SizeHead {
		next := uint64(at) + sdk.SizeHead + each*uint64(binary.LittleEndian.Uint32(records[at+12:]))
		if next > uint64(len(records)) || (at > 0 && next > uint64(size)) {
			break
		}
		at = int(next)
	}
	return at
}

// splitCombined cuts rows of probabilities; each part has a head of its own.
func splitCombined(records []byte, size int) (part, rest []byte) {
	if len(records) < sdk.SizeHead {
		return records, nil
	}
	first := binary.LittleEndian.Uint64(records)
	rows, classes := binary.LittleEndian.Uint32(records[8:]), binary.LittleEndian.Uint32(records[12:])
	row := 4 * uint64(classes)
	if row == 0 {
		return records, nil
	}
	n := uint32(max(uint64(max(size-sdk.SizeHead, 0))/row, 1))
	if n >= rows || uint64(len(records)-sdk.SizeHead) != row*uint64(rows) {
		return records, nil
	}
	cut := sdk.SizeHead + int(row)*int(n)
	rest = make([]byte, 0, len(records)-cut+sdk.SizeHead)
	rest = appendHead(rest, first+uint64(n), rows-n, classes)
	part = appendHead(make([]byte, 0, cut), first, n, classes)
	return append(part, records[sdk.SizeHead:cut]...), append(rest, records[cut:]...)
}

func appendHead(b []byte, first uint64, rows, classes uint32) []byte {
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint32(b, rows)
	return binary.LittleEndian.AppendUint32(b, classes)
}
