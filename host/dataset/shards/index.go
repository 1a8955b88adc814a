package shards

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// member is a file inside a tar.
type member struct {
	name         string // cleaned, with slashes
	offset, size int64  // of its bytes in the tar
	text         string // the bytes themselves, of a class number
}

// compressions are told by a file's first bytes.
var compressions = []struct{ magic, name, ending, unpack string }{
	{"\x1f\x8b", "gzip", ".gz", "gunzip"},
	{"BZh", "bzip2", ".bz2", "bunzip2"},
	{"\xfd7zXZ\x00", "xz", ".xz", "unxz"},
	{"\x28\xb5\x2f\xfd", "zstd", ".zst", "unzstd --rm"},
}

// maxClass bounds what a .cls may hold, in bytes.
const maxClass = 64

// endMarker is what a tar ends with: two empty blocks.
const endMarker = 1024

// index lists a tar's regular files, and where they lie: each can then be read at
// its place. The tar must be whole and hold nothing behind its end.
func index(r io.ReadSeeker, size int64) ([]member, error) {
	if err := refuseCompressed(r); err != nil {
		return nil, err
	}
	// tar.Reader reads whole blocks and nothing ahead, so that the seeker stands
	// behind a header where its file's bytes begin.
	archive := tar.NewReader(r)
	var members []member
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return members, checkEnd(r, size)
		}
		if err != nil {
			return nil, tarError(err, members)
		}
		if header.Typeflag != tar.TypeReg {
			if header.Typeflag == tar.TypeDir {
				continue
			}
			return nil, fmt.Errorf("%q is no regular file in the tar: pack its content, not a link", header.Name)
		}
		if sparse(header) {
			return nil, fmt.Errorf("%q is stored sparse: pack it without --sparse", header.Name)
		}
		m := member{name: strings.TrimPrefix(path.Clean("/"+header.Name), "/"), size: header.Size}
		if m.offset, err = r.Seek(0, io.SeekCurrent); err != nil {
			return nil, err
		}
		if m.size > size-m.offset {
			return nil, tarError(io.ErrUnexpectedEOF, members)
		}
		if strings.HasSuffix(m.name, classExtension) {
			text, err := io.ReadAll(io.LimitReader(archive, maxClass+1))
			if err != nil {
				return nil, tarError(err, members)
			}
			m.text = string(text)
		}
		members = append(members, m)
	}
}

// refuseCompressed tells a compressed tar from a damaged one.
func refuseCompressed(r io.ReadSeeker) error {
	head := make([]byte, 6)
	n, err := io.ReadFull(r, head)
	if n == 0 {
		return errors.New("is empty: fetch it again")
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	for _, c := range compressions {
		if bytes.HasPrefix(head[:n], []byte(c.magic)) {
			return &compressedError{c.name, c.unpack, c.ending}
		}
	}
	_, err = r.Seek(0, io.SeekStart)
	return err
}

// compressedError is a tar whose members have no place of their own.
type compressedError struct{ name, unpack, ending string }

func (e *compressedError) Error() string { return "is compressed with " + e.name }

// advice is the command that unpacks the tar at a path.
func (e *compressedError) advice(path string) string {
	if strings.HasSuffix(path, ".tar") { // the tools want their ending
		return fmt.Sprintf("mv %s %[1]s%s && %s %[1]s%[2]s", quote(path), e.ending, e.unpack)
	}
	return e.unpack + " " + quote(path)
}

// quote writes a path for a shell.
func quote(path string) string {
	if strings.ContainsAny(path, " '\"$&;()<>|*?[]#~`\\!{}") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// tarError says where a tar breaks off.
func tarError(err error, members []member) error {
	last := "its first file"
	if n := len(members); n > 0 {
		last = members[n-1].name
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("is truncated, at or behind %s (%d files are whole): fetch it again", last, len(members))
	}
	if errors.Is(err, tar.ErrHeader) && len(members) == 0 {
		return errors.New("is no tar: fetch it again")
	}
	return fmt.Errorf("is damaged behind %s (%d files are whole): %w: fetch it again", last, len(members), err)
}

// sparse reports whether a member's bytes do not lie in one piece.
func sparse(h *tar.Header) bool {
	for record := range h.PAXRecords {
		if strings.HasPrefix(record, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// checkEnd sees to it that the tar was not cut off between two members, which
// nothing but the missing end shows, and that nothing lies behind the end.
func checkEnd(r io.ReadSeeker, size int64) error {
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := r.Seek(max(0, size-endMarker), io.SeekStart); err != nil {
		return err
	}
	if size < endMarker || !onlyZeros(r) {
		return errors.New("is truncated: the two empty blocks that end a tar are not there; fetch it again " +
			"(or, where it is known to be whole, append 1024 zero bytes)")
	}
	if _, err := r.Seek(at, io.SeekStart); err != nil {
		return err
	}
	if !onlyZeros(r) {
		return errors.New("has more behind its end, as tars have that were joined by cat: unpack it with `tar --ignore-zeros -xf`, and pack it again")
	}
	return nil
}

// onlyZeros reports whether nothing but zeros is left to read.
func onlyZeros(r io.Reader) bool {
	block := make([]byte, 32<<10)
	for {
		n, err := r.Read(block)
		if bytes.Count(block[:n], []byte{0}) != n {
			return false
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
