package graphs

import (
	"fmt"

	"golang.org/x/mod/sumdb/dirhash"
)

// Hash returns the SHA-256 of a model's folder: names and content of all its
// files, written as Go's module hashes are ("h1:" and base64).
func Hash(dir string) (string, error) {
	sum, err := dirhash.HashDir(dir, "model", dirhash.Hash1)
	if err != nil {
		return "", fmt.Errorf("hashing the model %s: %w", dir, err)
	}
	return sum, nil
}
