package host

import "errors"

// UsageError is a wrong use or configuration: the user's to mend, exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// ErrIntegrity marks what is not what it was said to be: a hash, a grant, a corrupt file.
var ErrIntegrity = errors.New("integrity")
