package graphs

import (
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/dirhash"
)

// Hash returns the SHA-256 of a model's folder: names and content of all its
// files, written as Go's module hashes are ("h1:" and base64).
func Hash(dir string) (string, error) {
	// A link to the folder is followed, as everything else that opens it does.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("hashing the model %s: %w", dir, err)
	}
	sum, err := dirhash.HashDir(real, "model", dirhash.Hash1)
	if err != nil {
		return "", fmt.Errorf("hashing the model %s: %w", dir, err)
	}
	return sum, nil
}
