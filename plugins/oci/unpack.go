package oci

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
)

// unpackFolder writes the files of an archive while it comes. Its digest is known
// to be right only afterwards, as the caller's folder is only then put in its place.
func (a *artefact) unpackFolder(ctx context.Context, root *os.Root, layer v1.Descriptor) error {
	if err := a.fits(layer, maxPacked); err != nil {
		return err
	}
	packed, err := a.source.Fetch(ctx, layer)
	if err != nil {
		return a.ref.explain(layer.Digest.String(), err)
	}
	defer packed.Close()
	verified := content.NewVerifyReader(packed, layer)
	fault := a.unpackArchive(ctx, root, verified)
	var refused *ArtefactError
	if fault != nil && !errors.As(fault, &refused) {
		return fault
	}
	// Whether it was packed so or damaged on the way: the digest knows.
	if _, err := io.Copy(io.Discard, verified); err != nil {
		return a.ref.explain(layer.Digest.String(), err)
	}
	if err := verified.Verify(); err != nil {
		return a.ref.explain(layer.Digest.String(), err)
	}
	return fault
}

func (a *artefact) unpackArchive(ctx context.Context, root *os.Root, packed io.Reader) error {
	zipped, err := gzip.NewReader(packed)
	if err != nil {
		return a.refuse("its archive cannot be read: %v", err)
	}
	// Headers count, too: an archive of nothing else has no end otherwise.
	budget := &io.LimitedReader{R: zipped, N: maxUnpacked + maxFiles<<10}
	archive := tar.NewReader(budget)
	size := int64(0)
	for files := 0; ; files++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && budget.N <= 0:
			return tooLarge("%s unpacks to more than %d bytes", a.ref.text, maxUnpacked)
		case err != nil:
			return a.refuse("its archive cannot be read: %v", err)
		}
		if size += header.Size; files == maxFiles || size > maxUnpacked {
			return tooLarge("%s unpacks to more than %d files or %d bytes", a.ref.text, maxFiles, maxUnpacked)
		}
		if err := a.unpackFile(root, header, archive); err != nil {
			return err
		}
	}
}

// unpackFile takes regular files below the folder, each once, and nothing else.
func (a *artefact) unpackFile(root *os.Root, header *tar.Header, from io.Reader) error {
	name := header.Name
	if header.Typeflag != tar.TypeReg {
		return a.refuse("%q is a link, a folder or another special file; its archive may hold files alone", name)
	}
	if !filepath.IsLocal(name) || path.Clean(name) != name {
		return a.refuse("%q is not a path in its folder", name)
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return a.unwritable(name, err)
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return a.unwritable(name, err)
	}
	_, err = io.Copy(file, from)
	if err = errors.Join(err, file.Close()); err != nil {
		return a.unwritable(name, err)
	}
	return nil
}

// unwritable tells what is wrong with the archive from what is wrong here.
func (a *artefact) unwritable(name string, err error) error {
	var here *fs.PathError
	impossible := errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENAMETOOLONG)
	if errors.As(err, &here) && !impossible {
		return fmt.Errorf("unpacking %s: %w", a.ref.text, err)
	}
	return a.refuse("%q cannot be unpacked: %v", name, err)
}
