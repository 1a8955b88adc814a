package preprocess

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Errors of Decode; errors.Is tells them apart.
var (
	ErrNotPicture  = errors.New("not a picture of a known format")
	ErrCorrupt     = errors.New("corrupt picture")
	ErrTooLarge    = errors.New("picture too large")
	ErrUnsupported = errors.New("unsupported kind of picture")
)

// DefaultPixels is how many pixels a picture may have unless Limits say
// otherwise: where Pillow raises its decompression bomb error.
const DefaultPixels = 178_956_970

// Limits bound what Decode accepts.
type Limits struct {
	// Pixels is the largest accepted width times height; 0 means DefaultPixels.
	// It is checked against the header, before memory is taken for pixels.
	Pixels int64
}

func (l Limits) check(width, height int) error {
	limit := l.Pixels
	if limit == 0 {
		limit = DefaultPixels
	}
	if width <= 0 || height <= 0 {
		return fmt.Errorf("%w: %d x %d pixels", ErrCorrupt, width, height)
	}
	if int64(width) > limit/int64(height) {
		return fmt.Errorf("%w: %d x %d pixels, limit %d", ErrTooLarge, width, height, limit)
	}
	return nil
}

// Decode reads a picture's file. The format is told from the content; of an
// animation the first frame is taken. A file that ends early is ErrCorrupt, as
// Pillow refuses it. Decode may be called from several goroutines at once.
func Decode(data []byte, limits Limits) (*Picture, error) {
	name, decode := sniff(data)
	if decode == nil {
		if name != "" {
			return nil, fmt.Errorf("%w: %s", ErrUnsupported, name)
		}
		if len(data) == 0 {
			return nil, fmt.Errorf("%w: the file is empty", ErrNotPicture)
		}
		return nil, ErrNotPicture
	}
	return guarded(name, decode, data, limits)
}

// guarded runs a decoder; decoders of other projects read here what strangers
// made, so a panic of theirs says that the file is at fault.
func guarded(name string, decode decoder, data []byte, limits Limits) (picture *Picture, err error) {
	defer func() {
		if r := recover(); r != nil {
			picture, err = nil, fmt.Errorf("decoding %s: %w: %v", name, ErrCorrupt, r)
		}
	}()
	picture, err = decode(data, limits)
	if err != nil {
		return nil, fmt.Errorf("decoding %s: %w", name, err)
	}
	return picture, nil
}

type decoder func(data []byte, limits Limits) (*Picture, error)

// sniff tells a file's format from its first bytes. A format that is known but
// not read has a name and no decoder.
func sniff(data []byte) (string, decoder) {
	if len(data) < 12 {
		return "", nil
	}
	head := string(data[:12])
	switch {
	case head[:3] == "\xff\xd8\xff":
		return "JPEG", decodeJPEG
	case head[:8] == pngSignature:
		return "PNG", decodePNG
	case head[:6] == "GIF87a", head[:6] == "GIF89a":
		return "GIF", decodeGIF
	case head[:4] == "RIFF" && head[8:] == "WEBP":
		return "WebP", decodeWebP
	case head[:2] == "BM":
		return "BMP", decodeBMP
	case head[:4] == "II*\x00", head[:4] == "MM\x00*":
		return "TIFF", decodeTIFF
	case head[:4] == "II+\x00", head[:4] == "MM\x00+":
		return "BigTIFF", nil
	case head[4:8] == "ftyp":
		return "AVIF, HEIC or a film", nil
	case head == "\x00\x00\x00\x0cjP  \r\n\x87\n":
		return "JPEG 2000", nil
	}
	return "", nil
}

// corrupt marks an error of a decoder that is not ours; nil stays nil.
func corrupt(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

var errTruncated = fmt.Errorf("%w: the file ends early", ErrCorrupt)

func le16(b []byte) int { return int(binary.LittleEndian.Uint16(b)) }
func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
