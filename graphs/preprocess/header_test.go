package preprocess

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// The header says what decoding gives, of every kind of file.
func TestHeader(t *testing.T) {
	files, err := filepath.Glob("testdata/pictures/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pictures: %v", err)
	}
	formats := map[string]bool{}
	for _, file := range files {
		data := readFile(t, file)
		picture, err := Decode(data, Limits{})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		info, err := Header(data)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		formats[info.Format] = true
		// A GIF's frames may reach beyond its screen, which is what the header has.
		beyond := filepath.Base(file) == "gif-screen-too-small.gif"
		if same := info.Width == picture.Width && info.Height == picture.Height; same == beyond {
			t.Errorf("%s: the header says %d x %d, decoding gives %d x %d", file, info.Width, info.Height, picture.Width, picture.Height)
		}
	}
	if len(formats) != 6 {
		t.Errorf("the formats are %v, want six", formats)
	}
}

func TestHeaderOfTheBeginning(t *testing.T) {
	for _, file := range []string{"jpeg-420.jpg", "png-rgb-interlaced.png", "webp-lossy.webp", "gif-palette.gif", "bmp-rgb.bmp"} {
		data := readFile(t, filepath.Join("testdata/pictures", file))
		info, err := Header(data[:min(len(data), 700)])
		whole, wholeErr := Header(data)
		if err != nil || wholeErr != nil || info != whole {
			t.Errorf("%s: %v, %v; the whole file: %v, %v", file, info, err, whole, wholeErr)
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"empty": {nil, ErrNotPicture},
		"text":  {[]byte("a photo of a cat, which is no picture"), ErrNotPicture},
		"AVIF":  {[]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"), ErrUnsupported},
		"JPEG":  {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), ErrCorrupt},
		"GIF":   {[]byte("GIF89a\x00\x00\x01\x00\x00\x00\x00"), ErrCorrupt},
		"WebP":  {[]byte("RIFF\x04\x00\x00\x00WEBP"), ErrCorrupt},
		"TIFF":  {[]byte("II*\x00\xff\xff\xff\x7f    "), ErrCorrupt},
	} {
		if _, err := Header(c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Any beginning is an error or the size, never the end of the program.
	files, _ := filepath.Glob("testdata/pictures/*")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := Header(data)
		if err != nil {
			t.Fatal(err)
		}
		for n := range min(len(data), 600) {
			if info, err := Header(data[:n]); err == nil && info != whole {
				t.Errorf("the first %d bytes of %s are %v", n, file, info)
			}
		}
	}
}
