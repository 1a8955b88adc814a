package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"go.yaml.in/yaml/v3"
	"oras.land/oras-go/v2/content"

	"github.com/upl-host/upl-host/plugins"
	"github.com/upl-host/upl-host/plugins/wasm"
)

// blob is a part of an artefact.
type blob struct {
	v1.Descriptor
	open func() (io.Reader, error) // to be closed where it is an io.Closer
}

func inMemory(mediaType, title string, text []byte) blob {
	d := content.NewDescriptorFromBytes(mediaType, text)
	if title != "" {
		d.Annotations = map[string]string{v1.AnnotationTitle: title}
	}
	return blob{d, func() (io.Reader, error) { return bytes.NewReader(text), nil }}
}

// packed is a folder as an artefact.
type packed struct {
	about  plugins.Manifest
	image  blob   // its image manifest
	config blob   // upl-plugin.yaml as JSON
	layers []blob // in the order of the image manifest
	hash   string // see Artefact.Hash
}

// pack reads a plugin's folder. scratch is a folder for what is large.
func pack(ctx context.Context, folder, scratch string) (p packed, err error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return p, fmt.Errorf("opening a plugin: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	text, err := readFile(root, plugins.ManifestName, maxMetadata)
	if err != nil {
		return p, err
	}
	if p.about, err = plugins.ParseManifest(text); err != nil {
		return p, &plugins.ManifestError{Path: root.Name() + "/" + plugins.ManifestName, Reason: err.Error()}
	}
	config, err := asJSON(text)
	if err != nil {
		return p, err
	}
	p.config = inMemory(MediaTypeConfig, "", config)
	if p.about.Runtime == plugins.RuntimeWASM {
		module, err := readFile(root, p.about.Entry, wasm.MaxModule)
		if err != nil {
			return p, err
		}
		p.layers = []blob{inMemory(MediaTypeModule, p.about.Entry, module), inMemory(MediaTypeManifest, plugins.ManifestName, text)}
	} else {
		layer, err := packFolder(ctx, root, scratch, p.about.Name+".tar.gz")
		if err != nil {
			return p, err
		}
		p.layers = []blob{layer}
	}
	if p.hash, err = hash(folder, p.about); err != nil {
		return p, err
	}
	p.image, err = p.describe()
	return p, err
}

// parts are all blobs, the image manifest last.
func (p *packed) parts() []blob { return append(append([]blob{p.config}, p.layers...), p.image) }

func (p *packed) size() (total int64) {
	for _, part := range p.parts() {
		total += part.Size
	}
	return total
}

// describe makes the image manifest.
func (p *packed) describe() (blob, error) {
	layers := make([]v1.Descriptor, len(p.layers))
	for i, layer := range p.layers {
		layers[i] = layer.Descriptor
	}
	text, err := json.Marshal(v1.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2}, // as Docker counts; always 2
		MediaType:    v1.MediaTypeImageManifest,
		ArtifactType: ArtifactType,
		Config:       p.config.Descriptor,
		Layers:       layers,
		Annotations: map[string]string{
			v1.AnnotationTitle:       p.about.Name,
			v1.AnnotationVersion:     p.about.Version,
			v1.AnnotationLicenses:    p.about.Licence,
			v1.AnnotationDescription: p.about.Summary,
		},
	})
	return inMemory(v1.MediaTypeImageManifest, "", text), err
}

// asJSON is a manifest with its keys in order.
func asJSON(manifest []byte) ([]byte, error) {
	var value any
	if err := yaml.Unmarshal(manifest, &value); err != nil {
		return nil, err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%s is not JSON: %w", plugins.ManifestName, err)
	}
	return text, nil
}

// readFile reads a file of a folder, and nothing behind a link out of it.
func readFile(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening %s of plugin %s: %w", name, root.Name(), err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("opening %s of plugin %s: it is not a regular file", name, root.Name()), err)
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s of plugin %s: %w", name, root.Name(), err)
	}
	if int64(len(text)) > most {
		return nil, tooLarge("%s of plugin %s has more than %d bytes", name, root.Name(), most)
	}
	return text, nil
}

func tooLarge(format string, arguments ...any) error {
	return &plugins.LimitError{Limit: "size", Detail: fmt.Sprintf(format, arguments...)}
}

// packFolder writes all files of a folder into an archive in scratch.
func packFolder(ctx context.Context, root *os.Root, scratch, title string) (b blob, err error) {
	file, err := os.CreateTemp(scratch, "layer-*")
	if err != nil {
		return b, fmt.Errorf("packing %s: %w", root.Name(), err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := digest.Canonical.Digester()
	zipped, err := gzip.NewWriterLevel(io.MultiWriter(file, sum.Hash()), gzip.BestCompression)
	if err != nil {
		return b, err
	}
	archive := tar.NewWriter(zipped)
	if err := writeFiles(ctx, root, archive); err != nil {
		return b, err
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return b, fmt.Errorf("packing %s: %w", root.Name(), err)
	}
	info, err := file.Stat()
	if err != nil {
		return b, err
	}
	if info.Size() > maxPacked {
		return b, tooLarge("plugin %s has more than %d bytes, packed", root.Name(), maxPacked)
	}
	b.Descriptor = v1.Descriptor{
		MediaType: MediaTypeFolder, Digest: sum.Digest(), Size: info.Size(),
		Annotations: map[string]string{v1.AnnotationTitle: title},
	}
	b.open = func() (io.Reader, error) { return os.Open(file.Name()) }
	return b, nil
}

// writeFiles writes the files in the order of their names, with nothing of the
// machine they lie on. Folders without files are left out.
func writeFiles(ctx context.Context, root *os.Root, archive *tar.Writer) error {
	files, size := 0, int64(0)
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("packing %s: %w", root.Name(), err)
		}
		if entry.IsDir() {
			return ctx.Err()
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("packing %s: %s is a link or another special file, which plugins must not hold", root.Name(), name)
		}
		files++
		if size += info.Size(); files > maxFiles || size > maxUnpacked {
			return tooLarge("plugin %s has more than %d files or %d bytes", root.Name(), maxFiles, maxUnpacked)
		}
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		header := tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size(), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(&header); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.Copy(archive, f); err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		return nil
	})
}
