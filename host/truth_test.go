package host

import (
	"reflect"
	"testing"

	"github.com/upl-host/upl-host/host/dataset"
)

// TestNoStageHoldsTheTruth follows every type that the stages' receiver holds, in its
// unexported fields too, and what its functions and interfaces give: none is the truth,
// so that nothing but the evaluation, whose receiver holds it, can look a test picture's
// label up. That no closure or file leads round this, TestTestLabelsAreUnseen of the
// program sees.
func TestNoStageHoldsTheTruth(t *testing.T) {
	truth := reflect.TypeFor[dataset.Truth]()
	if path := leadsTo(reflect.TypeFor[run](), truth, map[reflect.Type]bool{}); path != "" {
		t.Errorf("run%s is the truth: it is for the evaluation alone", path)
	}
	if path := leadsTo(reflect.TypeFor[dataset.Supervision](), truth, map[reflect.Type]bool{}); path != "" {
		t.Errorf("supervision%s is the truth", path)
	}
	if path := leadsTo(reflect.TypeFor[examiner](), truth, map[reflect.Type]bool{}); path == "" {
		t.Error("the examiner does not hold the truth: does this test still find it?")
	}
}

// leadsTo is how a value of a type leads to one of another, "" if it does not.
func leadsTo(from, to reflect.Type, seen map[reflect.Type]bool) string {
	if seen[from] {
		return ""
	}
	seen[from] = true
	if from == to {
		return " "
	}
	switch from.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan, reflect.Map:
		if from.Kind() == reflect.Map {
			if path := leadsTo(from.Key(), to, seen); path != "" {
				return path
			}
		}
		return leadsTo(from.Elem(), to, seen)
	case reflect.Func:
		for i := range from.NumOut() {
			if path := leadsTo(from.Out(i), to, seen); path != "" {
				return "()" + path
			}
		}
	case reflect.Interface:
		for i := range from.NumMethod() {
			method := from.Method(i)
			if path := leadsTo(method.Type, to, seen); path != "" {
				return "." + method.Name + path
			}
		}
	case reflect.Struct:
		for i := range from.NumField() {
			field := from.Field(i)
			if path := leadsTo(field.Type, to, seen); path != "" {
				return "." + field.Name + path
			}
		}
	}
	return ""
}
