package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2"
	layout "oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// Options say how a registry is spoken to.
type Options struct {
	PlainHTTP bool   // for a registry without TLS, such as one on localhost
	UserAgent string // "upl-host/1.2.3"; empty: oras-go's
}

// reference is a place in a registry or in an OCI layout folder.
type reference struct {
	text   string // as it was given
	folder string // of the layout; empty: a registry
	host   string // of the registry
	remote registry.Reference
	tag    string // or a digest
	digest bool
}

// layoutPrefix begins references into OCI layout folders: oci:FOLDER:tag.
const layoutPrefix = "oci:"

// layoutTag is what registries take for a tag, too.
var layoutTag = regexp.MustCompile(`^\w[\w.-]{0,127}$`)

func parseReference(text string) (reference, error) {
	r := reference{text: text}
	if rest, ok := strings.CutPrefix(text, layoutPrefix); ok {
		return r, r.parseLayout(rest)
	}
	parsed, err := registry.ParseReference(text)
	if err != nil {
		return r, &ReferenceError{text, "cannot be read: " + strings.TrimPrefix(err.Error(), "invalid reference: ")}
	}
	if parsed.Reference == "" {
		return r, &ReferenceError{text, "has neither a tag nor a digest"}
	}
	r.host, r.remote, r.tag = parsed.Registry, parsed, parsed.Reference
	r.digest = parsed.ValidateReferenceAsDigest() == nil
	return r, nil
}

func (r *reference) parseLayout(rest string) error {
	if i := strings.LastIndex(rest, "@"); i > 0 {
		if _, err := digest.Parse(rest[i+1:]); err == nil {
			r.folder, r.tag, r.digest = rest[:i], rest[i+1:], true
			return nil
		}
	}
	i := strings.LastIndex(rest, ":")
	if i <= 0 || !layoutTag.MatchString(rest[i+1:]) {
		return &ReferenceError{r.text, "has no folder with a tag or digest behind it"}
	}
	r.folder, r.tag = rest[:i], rest[i+1:]
	return nil
}

// pinned is a reference to the same place, by a digest.
func (r reference) pinned(digest string) string {
	if r.folder != "" {
		return layoutPrefix + r.folder + "@" + digest
	}
	return r.remote.Registry + "/" + r.remote.Repository + "@" + digest
}

// source opens what is pulled from.
func (r reference) source(ctx context.Context, o Options) (oras.ReadOnlyTarget, error) {
	if r.folder == "" {
		return r.repository(o)
	}
	store, err := layout.NewFromFS(ctx, os.DirFS(r.folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &NotFoundError{r.text}
	}
	if err != nil {
		return nil, r.explain("", err)
	}
	return store, nil
}

// sink opens what is pushed to.
func (r reference) sink(ctx context.Context, o Options) (oras.Target, error) {
	if r.folder == "" {
		return r.repository(o)
	}
	store, err := layout.NewWithContext(ctx, r.folder)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.text, err)
	}
	return store, nil
}

// repository speaks to a registry with the credentials of Docker's config file.
func (r reference) repository(o Options) (*remote.Repository, error) {
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the registries' credentials: %w", err)
	}
	client := &auth.Client{Client: retry.DefaultClient, Cache: auth.NewCache(), Credential: credentials.Credential(store)}
	if o.UserAgent != "" {
		client.SetUserAgent(o.UserAgent)
	}
	return &remote.Repository{Client: client, Reference: r.remote, PlainHTTP: o.PlainHTTP, MaxMetadataBytes: maxMetadata}, nil
}
