package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/mod/sumdb/dirhash"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/internal/whole"
	"github.com/upl-host/upl-host/plugins/wasm"
)

// PullOptions say how a plugin is pulled.
type PullOptions struct {
	Options
	Overwrite bool // replaces another plugin, or another version
}

// Pulled is a plugin that was pulled.
type Pulled struct {
	Artefact
	Folder string // holds it: named as the plugin, in the folder that was asked for
	Same   bool   // it was there already, the same in every byte
}

// Pull gets the plugin of a reference into a folder of its name below parent:
// whole or not at all, and checked against all digests. None of it is run.
func Pull(ctx context.Context, from, parent string, o PullOptions) (Pulled, error) {
	ref, err := parseReference(from)
	if err != nil {
		return Pulled{}, err
	}
	source, err := ref.source(ctx, o.Options)
	if err != nil {
		return Pulled{}, err
	}
	a, err := inspect(ctx, ref, source)
	if err != nil {
		return Pulled{}, err
	}
	p := Pulled{
		Artefact: Artefact{Reference: from, Pinned: ref.pinned(a.digest), Digest: a.digest, Size: a.size, Manifest: a.about},
		Folder:   filepath.Join(parent, a.about.Name),
	}
	err = whole.Folder(p.Folder, func(partial string) error {
		if err := a.unpack(ctx, partial); err != nil {
			return err
		}
		if p.Hash, err = hash(partial, a.about); err != nil {
			return err
		}
		return replaceable(partial, p.Folder, o.Overwrite)
	})
	if errors.Is(err, errSame) {
		p.Same, err = true, nil
	}
	return p, err
}

// errSame says that there is nothing to replace.
var errSame = errors.New("the same plugin is there")

// replaceable says whether what came may take the place of what is there.
func replaceable(came, there string, overwrite bool) error {
	if _, err := os.Lstat(there); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(there, plugins.ManifestName)); err != nil {
		return &ExistsError{Folder: there}
	}
	a, err := dirhash.HashDir(came, "", dirhash.DefaultHash)
	if err != nil {
		return err
	}
	if b, err := dirhash.HashDir(there, "", dirhash.DefaultHash); err == nil && a == b {
		return errSame
	}
	if !overwrite {
		return &ExistsError{Folder: there, Plugin: true}
	}
	return nil
}

// artefact is a plugin of which all but the layers has been read.
type artefact struct {
	ref    reference
	source oras.ReadOnlyTarget
	digest string
	size   int64
	about  plugins.Manifest
	config []byte
	layers []v1.Descriptor
}

// inspect reads what an artefact says of itself, and takes it for a plugin or not.
func inspect(ctx context.Context, ref reference, source oras.ReadOnlyTarget) (artefact, error) {
	a := artefact{ref: ref, source: source}
	image, err := source.Resolve(ctx, ref.tag)
	if err != nil {
		return a, ref.explain("", err)
	}
	text, err := a.read(ctx, image, maxMetadata)
	if err != nil {
		return a, err
	}
	var m v1.Manifest
	if err := json.Unmarshal(text, &m); err != nil || m.MediaType != v1.MediaTypeImageManifest {
		return a, a.refuse("it is no image manifest, but %s", image.MediaType)
	}
	if m.ArtifactType != ArtifactType {
		return a, a.refuse("its artifact type is %q, and a plugin's is %q", m.ArtifactType, ArtifactType)
	}
	if m.Config.MediaType != MediaTypeConfig {
		return a, a.refuse("its config is of type %q, and a plugin's is %q", m.Config.MediaType, MediaTypeConfig)
	}
	if a.config, err = a.read(ctx, m.Config, maxMetadata); err != nil {
		return a, err
	}
	if a.about, err = plugins.ParseManifest(a.config); err != nil { // JSON is YAML
		return a, a.refuse("its manifest: %v", err)
	}
	a.digest, a.size, a.layers = image.Digest.String(), image.Size+m.Config.Size, m.Layers
	for _, layer := range m.Layers {
		a.size += layer.Size
	}
	return a, a.checkLayers()
}

// checkLayers holds the layers to what the plugin's runtime needs.
func (a *artefact) checkLayers() error {
	want := []string{MediaTypeFolder}
	if a.about.Runtime == plugins.RuntimeWASM {
		want = []string{MediaTypeModule, MediaTypeManifest}
	}
	got := make([]string, len(a.layers))
	for i, layer := range a.layers {
		got[i] = layer.MediaType
	}
	if !reflect.DeepEqual(got, want) {
		return a.refuse("its layers are %q, and a plugin for %s has %q", got, a.about.Runtime, want)
	}
	if a.about.Entry == plugins.ManifestName {
		return a.refuse("its entry is %s", plugins.ManifestName)
	}
	return nil
}

func (a *artefact) refuse(format string, arguments ...any) error {
	return &ArtefactError{a.ref.text, fmt.Sprintf(format, arguments...)}
}

// read gets a small part, and checks it against its digest.
func (a *artefact) read(ctx context.Context, part v1.Descriptor, most int64) ([]byte, error) {
	if err := a.fits(part, most); err != nil {
		return nil, err
	}
	text, err := content.FetchAll(ctx, a.source, part)
	return text, a.ref.explain(part.Digest.String(), err)
}

func (a *artefact) fits(part v1.Descriptor, most int64) error {
	if part.Size > most {
		return tooLarge("%s: %s has %d bytes, and at most %d are taken", a.ref.text, part.MediaType, part.Size, most)
	}
	return nil
}

// unpack writes the plugin's files into an empty folder.
func (a *artefact) unpack(ctx context.Context, folder string) (err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", a.ref.text, err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if a.about.Runtime == plugins.RuntimeWASM {
		err = a.unpackModule(ctx, root)
	} else {
		err = a.unpackFolder(ctx, root, a.layers[0])
	}
	if err != nil {
		return err
	}
	return a.checkFolder(root)
}

func (a *artefact) unpackModule(ctx context.Context, root *os.Root) error {
	module, err := a.read(ctx, a.layers[0], wasm.MaxModule)
	if err != nil {
		return err
	}
	manifest, err := a.read(ctx, a.layers[1], maxMetadata)
	if err != nil {
		return err
	}
	return errors.Join(
		root.WriteFile(a.about.Entry, module, 0o644),
		root.WriteFile(plugins.ManifestName, manifest, 0o644),
	)
}

// checkFolder holds what was unpacked to what the registry shows of it.
func (a *artefact) checkFolder(root *os.Root) error {
	manifest, err := readFile(root, plugins.ManifestName, maxMetadata)
	if err != nil {
		return a.refuse("it has no %s", plugins.ManifestName)
	}
	if _, err := plugins.ParseManifest(manifest); err != nil {
		return a.refuse("%s: %v", plugins.ManifestName, err)
	}
	said, err := asJSON(manifest)
	if err != nil {
		return a.refuse("%v", err)
	}
	var shown, held any
	if err := errors.Join(json.Unmarshal(a.config, &shown), json.Unmarshal(said, &held)); err != nil {
		return a.refuse("its config is not JSON: %v", err)
	}
	if !reflect.DeepEqual(shown, held) {
		return a.refuse("its config says otherwise than its %s", plugins.ManifestName)
	}
	if info, err := root.Lstat(a.about.Entry); err != nil || !info.Mode().IsRegular() {
		return a.refuse("it has no %s, which is its entry", a.about.Entry)
	}
	return nil
}
