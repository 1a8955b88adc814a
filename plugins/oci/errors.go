package oci

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// ReferenceError says why a reference cannot be used.
type ReferenceError struct {
	Reference string
	Reason    string
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("reference %q %s; the forms are registry.example/org/name:tag, registry.example/org/name@sha256:…, oci:FOLDER:tag", e.Reference, e.Reason)
}

// NotFoundError says that nothing is there under a reference.
type NotFoundError struct{ Reference string }

func (e *NotFoundError) Error() string { return e.Reference + ": not found" }

// AccessError says that a registry refuses.
type AccessError struct {
	Reference string
	Registry  string
	Err       error
}

func (e *AccessError) Error() string {
	reason := "it wants a name and a password"
	var response *errcode.ErrorResponse
	if errors.As(e.Err, &response) {
		reason = strings.ToLower(http.StatusText(response.StatusCode))
		if len(response.Errors) > 0 {
			reason = response.Errors.Error()
		}
	}
	return fmt.Sprintf("%s: the registry refuses: %s; credentials are those of `docker login %s`", e.Reference, reason, e.Registry)
}

func (e *AccessError) Unwrap() error { return e.Err }

// ArtefactError says why an artefact is not taken for a plugin.
type ArtefactError struct {
	Reference string
	Reason    string
}

func (e *ArtefactError) Error() string {
	return fmt.Sprintf("%s is not a plugin that can be pulled: %s", e.Reference, e.Reason)
}

// DigestError says that bytes are not those that their digest stands for: damaged
// on the way or in the registry, or exchanged.
type DigestError struct {
	Reference string
	Digest    string // of what was wanted; empty where a layout does not tell
	Err       error
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("%s: what came is not %s: %v", e.Reference, cmp.Or(e.Digest, "what its digest says"), e.Err)
}

func (e *DigestError) Unwrap() error { return e.Err }

// ExistsError says that something else is where a plugin is to go.
type ExistsError struct {
	Folder string
	Plugin bool // it is another plugin, or another version: it may be replaced
}

func (e *ExistsError) Error() string {
	if e.Plugin {
		return e.Folder + " is there and holds another plugin or version: replace it with --overwrite, or give another folder with -o"
	}
	return e.Folder + " is there and is no plugin: it is not replaced; give another folder with -o"
}

// explain gives the errors of a registry or layout the types of this package.
func (r reference) explain(digest string, err error) error {
	var response *errcode.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errdef.ErrNotFound):
		return &NotFoundError{r.text}
	case errors.As(err, &response) && (response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden),
		errors.Is(err, auth.ErrBasicCredentialNotFound):
		return &AccessError{r.text, r.host, err}
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData), errors.Is(err, io.ErrUnexpectedEOF):
		return &DigestError{r.text, digest, err}
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%s: %w; --plain-http is for registries without TLS", r.text, err)
	}
	return fmt.Errorf("%s: %w", r.text, err)
}
