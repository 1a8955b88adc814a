package preprocess

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestDecodeErrors(t *testing.T) {
	jpeg := readFile(t, "testdata/pictures/jpeg-420.jpg")
	cases := map[string]struct {
		data []byte
		want error
	}{
		"empty":            {nil, ErrNotPicture},
		"one byte":         {[]byte{0xff}, ErrNotPicture},
		"text":             {[]byte("a photo of a cat, which is no picture"), ErrNotPicture},
		"zeros":            {make([]byte, 100), ErrNotPicture},
		"SVG":              {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), ErrNotPicture},
		"AVIF":             {[]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00"), ErrUnsupported},
		"BigTIFF":          {[]byte("II+\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00"), ErrUnsupported},
		"JPEG of a marker": {[]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01"), ErrCorrupt},
		"JPEG no scan":     {append([]byte("\xff\xd8\xff\xfe\x00\x04ab"), "\xff\xd9\xff\xd9"...), ErrCorrupt},
		"12-bit JPEG":      {replaced(jpeg, "\xff\xc0\x00\x11\x08", "\xff\xc0\x00\x11\x0c"), ErrUnsupported},
		"JPEG of no rows":  {replaced(jpeg, "\xff\xc0\x00\x11\x08\x00\x2d", "\xff\xc0\x00\x11\x08\x00\x00"), ErrCorrupt},
		"GIF no frame":     {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), ErrCorrupt},
		"WebP no frame":    {[]byte("RIFF\x04\x00\x00\x00WEBP"), ErrCorrupt},
		"PNG bad checksum": {replaced(readFile(t, "testdata/pictures/png-rgb.png"), "IHDR\x00", "IHDR\x01"), ErrCorrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := Decode(c.data, Limits{})
			if !errors.Is(err, c.want) || p != nil {
				t.Errorf("got %v, %v; want %v", p, err, c.want)
			}
		})
	}
}

func replaced(data []byte, from, to string) []byte {
	if !bytes.Contains(data, []byte(from)) {
		panic("nothing to replace")
	}
	return bytes.Replace(data, []byte(from), []byte(to), 1)
}

// TestTooLarge decodes files whose headers announce 20000 x 20000 pixels.
func TestTooLarge(t *testing.T) {
	le := binary.LittleEndian.AppendUint32
	ihdr := "IHDR\x00\x00\x4e\x20\x00\x00\x4e\x20\x08\x02\x00\x00\x00"
	png := pngSignature + "\x00\x00\x00\x0d" + ihdr
	png += string(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(ihdr))))
	bmp := []byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00")
	bmp = append(le(le(bmp, 20000), 20000), "\x01\x00\x18\x00"+strings.Repeat("\x00", 24)...)
	tiff := []byte("II*\x00\x08\x00\x00\x00\x03\x00")
	for _, tag := range [][2]uint16{{256, 20000}, {257, 20000}, {262, 1}} {
		tiff = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(tiff, tag[0]), 3)
		tiff = le(le(tiff, 1), uint32(tag[1]))
	}
	webp := "VP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x1f\x4e\x00\x1f\x4e\x00" +
		"ANMF\x26\x00\x00\x00" + strings.Repeat("\x00", 16) +
		"VP8 \x0e\x00\x00\x00\x10\x00\x00\x9d\x01\x2a\x01\x00\x01\x00\x00\x00\x00\x00"
	files := map[string][]byte{
		"JPEG": []byte("\xff\xd8\xff\xc0\x00\x0b\x08\x4e\x20\x4e\x20\x01\x01\x11\x00\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"),
		"PNG":  []byte(png),
		"GIF":  []byte("GIF89a\x20\x4e\x20\x4e\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;"),
		"BMP":  bmp,
		"TIFF": append(tiff, 0, 0, 0, 0),
		"WebP": append(le([]byte("RIFF"), uint32(4+len(webp))), "WEBP"+webp...),
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(data, Limits{})
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "20000 x 20000") {
				t.Fatalf("got %v", err)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
				t.Errorf("took %d bytes to say so", taken)
			}
		})
	}
}

func TestLimitIsConfigurable(t *testing.T) {
	data := readFile(t, "testdata/pictures/png-rgb.png") // 53 x 38
	if _, err := Decode(data, Limits{Pixels: 53 * 38}); err != nil {
		t.Error(err)
	}
	if _, err := Decode(data, Limits{Pixels: 53*38 - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one pixel too many: %v", err)
	}
}

// TestTruncated cuts every picture; Pillow refuses those too.
func TestTruncated(t *testing.T) {
	for _, path := range pictures(t) {
		if strings.Contains(path, "animated") {
			continue // half of it has the first frame
		}
		data := readFile(t, path)
		for _, keep := range []int{len(data) / 3, len(data) / 2, len(data) * 4 / 5} {
			_, err := Decode(data[:keep], Limits{})
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotPicture) {
				t.Errorf("%s, %d of %d bytes: %v", filepath.Base(path), keep, len(data), err)
			}
		}
	}
}

func TestPanicBecomesError(t *testing.T) {
	_, err := guarded("X", func([]byte, Limits) (*Picture, error) { panic("index out of range") }, nil, Limits{})
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "index out of range") {
		t.Errorf("got %v", err)
	}
}

func pictures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/pictures/*")
	if err != nil || len(paths) < 100 {
		t.Fatalf("%d pictures, %v", len(paths), err)
	}
	return paths
}

// TestConcurrent wants the same pixels from eight goroutines as from one.
func TestConcurrent(t *testing.T) {
	transform, err := New(openAI(32))
	if err != nil {
		t.Fatal(err)
	}
	paths := pictures(t)
	files := make([][]byte, len(paths))
	for i, path := range paths {
		files[i] = readFile(t, path)
	}
	all := func() ([][]float32, error) {
		out := make([][]float32, len(files))
		for i, data := range files {
			p, err := Decode(data, Limits{})
			if err != nil {
				return nil, err
			}
			out[i] = make([]float32, 32*32*3)
			transform.Pixels(p, out[i])
		}
		return out, nil
	}
	want, err := all()
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := all()
			if err != nil {
				t.Error(err)
				return
			}
			for i := range want {
				if !slices.Equal(got[i], want[i]) {
					t.Errorf("%s: other pixels", paths[i])
				}
			}
		})
	}
	group.Wait()
}

// TestDemo wants the demo's pictures equal to Pillow's, all of them.
func TestDemo(t *testing.T) {
	var expected map[string]struct {
		Pictures int
		Clip     string `json:"clip-bicubic"`
	}
	if err := json.Unmarshal(readFile(t, "testdata/demo.json"), &expected); err != nil {
		t.Fatal(err)
	}
	transform, err := New(Config{Size: 64, ResizeMode: Clip, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range expected {
		var paths []string
		err := filepath.WalkDir(filepath.Join("../../examples/demo/images", target), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil || len(paths) != want.Pictures {
			t.Fatalf("%s: %d pictures, %v", target, len(paths), err)
		}
		slices.Sort(paths)
		pixels := make([]float32, 64*64*3)
		all := make([]uint8, 0, len(paths)*len(pixels))
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Decode(data, Limits{})
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			transform.Pixels(p, pixels)
			for _, v := range pixels {
				all = append(all, uint8(v*255+0.5))
			}
		}
		if digest(all) != want.Clip {
			t.Errorf("%s: not equal to Pillow's pixels", target)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, path := range pictures(f) {
		f.Add(readFile(f, path))
	}
	transform, err := New(openAI(8))
	if err != nil {
		f.Fatal(err)
	}
	pixels := make([]float32, 8*8*3)
	limits := Limits{Pixels: 1 << 18}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, limits)
		if err != nil {
			return
		}
		if p.Width < 1 || p.Height < 1 || int64(p.Width)*int64(p.Height) > limits.Pixels {
			t.Fatalf("%d x %d pixels", p.Width, p.Height)
		}
		if len(p.RGB()) != p.Width*p.Height*3 {
			t.Fatalf("%d bytes of RGB", len(p.RGB()))
		}
		transform.Pixels(p, pixels)
	})
}
