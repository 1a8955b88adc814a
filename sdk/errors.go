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
	if i := -int(c); i > 0 && i < len(codeNames) {
		return codeNames[i]
	}
	return "error " + strconv.Itoa(int(c))
}

// String is the view's name, as manifests have it.
func (k ViewKind) String() string {
	if k > 0 && int(k) < len(viewNames) {
		return viewNames[k]
	}
	return "view " + strconv.Itoa(int(k))
}

// String says what records of the kind are.
func (k EmitKind) String() string {
	if k > 0 && int(k) < len(emitNames) {
		return emitNames[k]
	}
	return "records of kind " + strconv.Itoa(int(k))
}
