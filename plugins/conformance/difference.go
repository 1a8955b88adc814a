package conformance

import (
	"fmt"
	"reflect"
)

// difference says where two runs first differ in their results and metrics; "" where
// they do not. Errors count by their text.
func difference(a, b *outcome) string {
	switch {
	case a.err != nil && b.err != nil && a.err.Error() == b.err.Error():
		return ""
	case a.err != nil || b.err != nil:
		return fmt.Sprintf("one ends with %s, the other with %s", ending(a.err), ending(b.err))
	case a.sum != b.sum:
		return differentMatrix(a, b)
	}
	for _, pair := range []struct {
		what string
		a, b any
	}{
		{"hard label", a.selection.Labels, b.selection.Labels},
		{"soft label", a.selection.Soft, b.selection.Soft},
		{"candidate set", a.selection.Candidates, b.selection.Candidates},
		{"dropped row", a.selection.Drops, b.selection.Drops},
		{"metric", a.record.Metrics, b.record.Metrics},
		{"number of rounds", []int{a.record.Rounds}, []int{b.record.Rounds}},
	} {
		if d := differentList(pair.what, reflect.ValueOf(pair.a), reflect.ValueOf(pair.b)); d != "" {
			return d
		}
	}
	return ""
}

func ending(err error) string {
	if err == nil {
		return "a result"
	}
	return fmt.Sprintf("%q", err)
}

func differentList(what string, a, b reflect.Value) string {
	for i := range min(a.Len(), b.Len()) {
		if x, y := a.Index(i).Interface(), b.Index(i).Interface(); !reflect.DeepEqual(x, y) {
			return fmt.Sprintf("%s %d is %+v, and %+v", what, i, x, y)
		}
	}
	if a.Len() != b.Len() {
		return fmt.Sprintf("%d %ss, and %d", a.Len(), what, b.Len())
	}
	return ""
}

func differentMatrix(a, b *outcome) string {
	for i := range min(len(a.combined), len(b.combined)) {
		if a.combined[i] != b.combined[i] {
			return fmt.Sprintf("value %d of the combined matrix is %v, and %v", i, a.combined[i], b.combined[i])
		}
	}
	return "the combined matrices differ"
}
