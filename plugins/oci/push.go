package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/errdef"
)

// Push puts the plugin in folder where the reference says; its tag is moved where
// there was one. The image manifest comes last: until then nothing refers to the
// parts, so that nobody pulls half a plugin.
func Push(ctx context.Context, folder, to string, o Options) (Artefact, error) {
	ref, err := parseReference(to)
	if err != nil {
		return Artefact{}, err
	}
	if ref.digest {
		return Artefact{}, &ReferenceError{to, "is a digest, and a push needs a tag"}
	}
	scratch, err := os.MkdirTemp("", "upl-host-push-*")
	if err != nil {
		return Artefact{}, fmt.Errorf("packing %s: %w", folder, err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // best effort
	p, err := pack(ctx, folder, scratch)
	if err != nil {
		return Artefact{}, err
	}
	sink, err := ref.sink(ctx, o)
	if err != nil {
		return Artefact{}, err
	}
	for _, part := range p.parts() {
		if err := put(ctx, sink, part); err != nil {
			return Artefact{}, ref.explain(part.Digest.String(), err)
		}
	}
	if err := sink.Tag(ctx, p.image.Descriptor, ref.tag); err != nil {
		return Artefact{}, ref.explain(p.image.Digest.String(), err)
	}
	return Artefact{
		Reference: to, Pinned: ref.pinned(p.image.Digest.String()), Digest: p.image.Digest.String(), Size: p.size(),
		Hash: p.hash, Manifest: p.about,
	}, nil
}

// put uploads what is not there yet.
func put(ctx context.Context, sink oras.Target, part blob) error {
	there, err := sink.Exists(ctx, part.Descriptor)
	if err != nil || there {
		return err
	}
	content, err := part.open()
	if err != nil {
		return err
	}
	if file, ok := content.(io.Closer); ok {
		defer file.Close()
	}
	err = sink.Push(ctx, part.Descriptor, content)
	if errors.Is(err, errdef.ErrAlreadyExists) {
		return nil // by somebody else, meanwhile
	}
	return err
}
