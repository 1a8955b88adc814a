package wire_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/wire"
)

func head(row uint64, a, b uint32) []byte {
	out := binary.LittleEndian.AppendUint64(nil, row)
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, a), b)
}

// FuzzSplit takes records apart and puts them together again: nothing is lost, no
// part is empty, and parts are no larger than allowed, unless they are one record.
func FuzzSplit(f *testing.F) {
	f.Add(int32(sdk.EmitHard), make([]byte, 240), uint16(50))
	f.Add(int32(sdk.EmitDrop), make([]byte, 81), uint16(16))
	f.Add(int32(sdk.EmitSoft), bytes.Repeat(append(head(1, 0, 2), make([]byte, 16)...), 5), uint16(70))
	f.Add(int32(sdk.EmitCandidates), bytes.Repeat(append(head(1, 0, 3), make([]byte, 12)...), 5), uint16(1))
	f.Add(int32(sdk.EmitCombined), append(head(7, 10, 3), make([]byte, 120)...), uint16(50))
	f.Add(int32(sdk.EmitCombined), append(head(7, 10, 0), make([]byte, 4)...), uint16(1))
	f.Fuzz(func(t *testing.T, kind int32, records []byte, size uint16) {
		var joined []byte
		rest := records
		for first := true; first || len(rest) > 0; first = false {
			before := len(rest)
			var part []byte
			part, rest = wire.Split(sdk.EmitKind(kind), rest, int(size))
			if len(rest) >= before && before > 0 {
				t.Fatalf("%d bytes left of %d", len(rest), before)
			}
			if sdk.EmitKind(kind) == sdk.EmitCombined && len(joined) > 0 {
				part = part[sdk.SizeHead:]
			}
			joined = append(joined, part...)
		}
		// Of combined rows the head says how many the first part has.
		from := 0
		if sdk.EmitKind(kind) == sdk.EmitCombined {
			from = min(sdk.SizeHead, len(records))
		}
		if !bytes.Equal(joined[from:], records[from:]) {
			t.Errorf("%d bytes became %d", len(records), len(joined))
		}
	})
}

// TestSplitCombined gives each part the head of its rows.
func TestSplitCombined(t *testing.T) {
	records := append(head(7, 5, 2), make([]byte, 40)...)
	records[sdk.SizeHead+8*3] = 9 // in the fourth row
	part, rest := wire.Split(sdk.EmitCombined, records, sdk.SizeHead+8*3)
	if !bytes.Equal(part[:sdk.SizeHead], head(7, 3, 2)) || len(part) != sdk.SizeHead+24 {
		t.Errorf("first part %v", part)
	}
	if !bytes.Equal(rest[:sdk.SizeHead], head(10, 2, 2)) || rest[sdk.SizeHead] != 9 || len(rest) != sdk.SizeHead+16 {
		t.Errorf("second part %v", rest)
	}
}
