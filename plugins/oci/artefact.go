package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/upl-host/upl-host/plugins"
)

// Artefact is a plugin in a registry.
type Artefact struct {
	Reference string
	Pinned    string // a reference to these bytes and no others, by the digest
	Digest    string // of the image manifest: "sha256:…"; pins all of it
	Size      int64  // of all its parts, packed, in bytes
	// Hash is what a lock pins: "sha256:…" of a module, "h1:…" of a folder. It is
	// the same on both ends.
	Hash     string
	Manifest plugins.Manifest
}

// hash is computed from what lies in a plugin's folder.
func hash(folder string, about plugins.Manifest) (string, error) {
	if about.Runtime != plugins.RuntimeWASM {
		sum, err := dirhash.HashDir(folder, "", dirhash.DefaultHash)
		if err != nil {
			return "", fmt.Errorf("hashing plugin %s: %w", folder, err)
		}
		return sum, nil
	}
	module, err := os.Open(filepath.Join(folder, about.Entry))
	if err != nil {
		return "", fmt.Errorf("hashing a plugin: %w", err)
	}
	defer module.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, module); err != nil {
		return "", fmt.Errorf("hashing a plugin: %w", err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
