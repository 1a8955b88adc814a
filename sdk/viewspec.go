package sdk

import (
	"bytes"
	"encoding/binary"
)

// DecodeViewSpec reads what a guest passes to open_view. A longer one is a later
// version's: fine, if it asks for no more than this version knows.
func DecodeViewSpec(b []byte) (ViewSpec, error) {
	var spec ViewSpec
	if len(b) < SizeViewSpec || binary.LittleEndian.Uint32(b) != uint32(len(b)) {
		return spec, &Error{CodeInvalid, "a view's specification of the wrong size"}
	}
	if len(bytes.Trim(b[SizeViewSpec:], "\x00")) > 0 {
		return spec, &Error{CodeNotSupported, "a view's specification of a later version"}
	}
	_, err := binary.Decode(b, binary.LittleEndian, &spec)
	return spec, err
}

// Batch says whether the view is one of batch records: read in Observe and Combine,
// for the rows of the batch.
func (s ViewSpec) Batch() bool {
	switch s.Kind {
	case ViewRows, ViewTopM, ViewStats, ViewAgree, ViewColumn:
		return true
	case ViewFeatures:
		return s.Flags&FlagText == 0
	}
	return false
}
