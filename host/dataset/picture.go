package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Picture is one picture: a file, or what lies inside one. Pictures are in the
// order of their IDs' bytes.
type Picture struct {
	// ID is the path relative to the data set's root, with slashes; absolute where
	// the file lies elsewhere. That of a picture inside a container begins with the
	// container's.
	ID   string
	File string // absolute: the picture, or its container
	// Content is where the bytes are of a picture that is no file of its own; nil:
	// the file is the picture.
	Content Content
}

// Content is where a picture's bytes are when it is no file of its own.
type Content interface {
	// Read returns the whole encoded picture. It may be called concurrently.
	Read() ([]byte, error)
	// Stamp changes when the content may have changed: it holds the container's size
	// and time, and the place in it.
	Stamp() string
}

// Read returns the encoded picture.
func (p Picture) Read() ([]byte, error) {
	if p.Content != nil {
		return p.Content.Read()
	}
	return os.ReadFile(p.File)
}

// Stamp changes when the picture may have changed; whether it did is found by
// reading it.
func (p Picture) Stamp() string {
	if p.Content != nil {
		return p.Content.Stamp()
	}
	info, err := os.Stat(p.File)
	if err != nil {
		return "absent"
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// Name is what messages call the picture: its file, or its ID within a container.
func (p Picture) Name() string {
	if p.Content != nil {
		return p.ID
	}
	return p.File
}

// extensions are those of the formats that the host decodes.
var extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// companions are folders that systems leave beside pictures, with files in them that
// only look like pictures: macOS in its archives, Synology with thumbnails.
var companions = []string{"__MACOSX", "@eaDir"}

// isHidden reports whether a file or folder is none that a person put there.
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains(companions, name)
}

// IsPicture reports whether a file's name is that of a picture. Names that begin
// with a dot are not: some systems leave companions of that name beside pictures.
func IsPicture(name string) bool {
	return !strings.HasPrefix(filepath.Base(name), ".") && slices.Contains(extensions, strings.ToLower(filepath.Ext(name)))
}
