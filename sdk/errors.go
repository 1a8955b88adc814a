package sdk

import "strconv"

// Error is an error with its code. A policy returns one to say whose fault it is;
// any other error counts as [CodeInternal].
type Error struct {
	Code    Code
	Message string
}

// Error is the message, or the code's name where there is none.
func (e *Error) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.String()
}

// Is matches errors of the same code: errors.Is(err, &sdk.Error{Code: sdk.CodeRange}).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Message == ""
}

// Unusable is the error for a parameter that the user has to change.
func Unusable(parameter, reason string) error {
	return &Error{CodeConfig, "parameter " + parameter + ": " + reason}
}

// String names the code.
func (c Code) String() string {
	names := [...]string{
		"invalid argument", "out of range", "not supported", "denied", "limit exceeded",
		"not allowed now", "wrong configuration", "unusable data", "internal error",
	}
	if i := int(-c) - 1; i >= 0 && i < len(names) {
		return names[i]
	}
	return "error " + strconv.Itoa(int(c))
}

var viewNames = [...]string{
	"", "rows", "top_m", "stats", "agree", "column", "gather",
	"class_top_k", "class_mean", "quantile", "previous", "features",
}

// String is the view's name, as manifests have it.
func (k ViewKind) String() string {
	if k > 0 && int(k) < len(viewNames) {
		return viewNames[k]
	}
	return "view " + strconv.Itoa(int(k))
}

var emitNames = [...]string{"", "hard labels", "soft labels", "candidate sets", "dropped rows", "combined probabilities"}

// String says what records of the kind are.
func (k EmitKind) String() string {
	if k > 0 && int(k) < len(emitNames) {
		return emitNames[k]
	}
	return "records of kind " + strconv.Itoa(int(k))
}
