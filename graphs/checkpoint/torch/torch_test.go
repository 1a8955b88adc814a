package torch_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/upl-host/upl-host/graphs/checkpoint/internal/pickletest"
	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/checkpoint/torch"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

const golden = "../../testdata/golden-small/vit"

func open(file []byte) (*torch.Archive, error) {
	return torch.New(bytes.NewReader(file), int64(len(file)))
}

func floats(values ...float32) []byte {
	return safetensors.Float32("", nil, values).Bytes
}

// weights is a dict of one tensor w, a 2 x 3 view of a storage of 8.
func weights() any {
	return pickletest.Dict("w", pickletest.Tensor(pickletest.Storage("FloatStorage", "0", 8), 1, pickletest.Sizes(2, 3), pickletest.Sizes(3, 1)))
}

func closeAfter(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestGolden(t *testing.T) {
	safe, err := safetensors.Open(golden + "/open_clip_model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, safe)
	for name, script := range map[string]bool{"openai.pt": true, "state_dict.pt": false} {
		a, err := torch.Open(filepath.Join(golden, name))
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, a)
		if a.Script() != script {
			t.Errorf("%s: TorchScript: %v", name, a.Script())
		}
		for _, tensor := range safe.Names() {
			if tensor == "logit_scale" {
				continue // float32 in one, float16 in the other
			}
			wantShape, want, err := safe.Float32(tensor)
			if err != nil {
				t.Fatal(err)
			}
			gotShape, got, err := a.Float32(tensor)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(wantShape, gotShape) || !slices.Equal(want, got) {
				t.Errorf("%s: %s differs", name, tensor)
			}
		}
	}
}

func TestViews(t *testing.T) {
	data := floats(0, 1, 2, 3, 4, 5, 6, 7)
	storage := pickletest.Storage("FloatStorage", "0", 8)
	view := func(offset int, shape, strides pickle.Tuple) any {
		return pickletest.Tensor(storage, offset, shape, strides)
	}
	sizes := pickletest.Sizes
	value := pickletest.Dict(
		"rows", view(1, sizes(2, 3), sizes(3, 1)),
		"columns", view(1, sizes(3, 2), sizes(1, 3)),
		"every other", view(0, sizes(4), sizes(2)),
		"expanded", view(7, sizes(3), sizes(0)),
		"scalar", view(5, sizes(), sizes()),
		"empty", view(8, sizes(0, 4), sizes(4, 1)),
		"state_dict", pickletest.Dict("module", &pickle.Object{
			Class: pickle.Global{Module: "collections", Name: "OrderedDict"}, Args: pickle.Tuple{},
			Items: []pickle.Entry{{Key: "nested", Value: view(6, sizes(2), sizes(1))}},
		}),
		"parameter", &pickle.Object{
			Class: pickle.Global{Module: "torch._utils", Name: "_rebuild_parameter"},
			Args:  pickle.Tuple{view(2, sizes(1), sizes(1)), true, nil},
		},
		"epoch", 3, int64(7), "a key that is no string",
	)
	a, err := open(pickletest.Save(value, data))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]float32{
		"rows":                     {1, 2, 3, 4, 5, 6},
		"columns":                  {1, 4, 2, 5, 3, 6},
		"every other":              {0, 2, 4, 6},
		"expanded":                 {7, 7, 7},
		"scalar":                   {5},
		"empty":                    {},
		"state_dict.module.nested": {6, 7},
		"parameter":                {2},
	}
	got := map[string][]float32{}
	for _, name := range a.Names() {
		if _, got[name], err = a.Float32(name); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if kind, shape, ok := a.Info("columns"); !ok || kind != safetensors.F32 || !slices.Equal(shape, []int{3, 2}) {
		t.Errorf("columns: %s %v %v", kind, shape, ok)
	}
}

func TestTypes(t *testing.T) {
	data := map[string][]byte{
		"DoubleStorage":   binary.LittleEndian.AppendUint64(nil, math.Float64bits(1.5)),
		"FloatStorage":    floats(1.5),
		"HalfStorage":     {0x00, 0x3e},
		"BFloat16Storage": {0xc0, 0x3f},
		"LongStorage":     {5, 0, 0, 0, 0, 0, 0, 0},
		"IntStorage":      {5, 0, 0, 0},
	}
	for class, raw := range data {
		value := pickletest.Dict("x", pickletest.Tensor(pickletest.Storage(class, "0", 1), 0, pickletest.Sizes(), pickletest.Sizes()))
		a, err := open(pickletest.Save(value, raw))
		if err != nil {
			t.Fatal(err)
		}
		_, values, err := a.Float32("x")
		number, isInt := a.Int("x")
		switch class {
		case "LongStorage", "IntStorage":
			if err == nil || !isInt || number != 5 {
				t.Errorf("%s: %v %v, %v %v", class, values, err, number, isInt)
			}
		default:
			if err != nil || isInt || !slices.Equal(values, []float32{1.5}) {
				t.Errorf("%s: %v %v", class, values, err)
			}
		}
	}
}

// TestHostile holds files whose announcements are not what the file has.
func TestHostile(t *testing.T) {
	data := floats(0, 1, 2, 3, 4, 5, 6, 7)
	storage := pickletest.Storage("FloatStorage", "0", 8)
	sizes := pickletest.Sizes
	save := func(tensor any) []byte { return pickletest.Save(pickletest.Dict("w", tensor), data) }
	object := func(module, name string, args ...any) any {
		return &pickle.Object{Class: pickle.Global{Module: module, Name: name}, Args: args}
	}
	entry := func(name string, content []byte, deflate bool) pickletest.Entry {
		return pickletest.Entry{Name: name, Content: content, Deflate: deflate}
	}
	good := entry("archive/data.pkl", pickletest.Dump(weights()), false)
	whole := pickletest.Save(weights(), data)
	for name, c := range map[string]struct {
		file []byte
		kind error
		want string
	}{
		"cut off":                 {whole[:len(whole)-30], torch.ErrFormat, "zip directory"},
		"zip of something else":   {pickletest.Zip(entry("word/document.xml", nil, false)), torch.ErrFormat, "without data.pkl"},
		"entry twice":             {pickletest.Zip(good, good), torch.ErrFormat, "twice"},
		"storage missing":         {pickletest.Zip(good), torch.ErrFormat, "not in the archive"},
		"storage too short":       {pickletest.Save(weights(), data[:28]), torch.ErrFormat, "take 32"},
		"storage compressed":      {pickletest.Zip(good, entry("archive/data/0", data, true)), torch.ErrUnsupported, "compressed"},
		"pickle bomb":             {pickletest.Zip(entry("a/data.pkl", make([]byte, 17<<20), true)), torch.ErrFormat, "announces"},
		"big endian":              {pickletest.Zip(good, entry("archive/byteorder", []byte("big"), false)), torch.ErrUnsupported, "byte order"},
		"not a pickle":            {pickletest.Zip(entry("a/data.pkl", []byte("hello"), false)), torch.ErrFormat, "recalled"},
		"offset beyond":           {save(pickletest.Tensor(storage, 9, sizes(1), sizes(1))), torch.ErrFormat, "element 9 of 8"},
		"offset at the end":       {save(pickletest.Tensor(storage, 8, sizes(1), sizes(1))), torch.ErrFormat, "element 8"},
		"offset negative":         {save(pickletest.Tensor(storage, -1, sizes(1), sizes(1))), torch.ErrFormat, "element -1"},
		"shape beyond":            {save(pickletest.Tensor(storage, 1, sizes(8), sizes(1))), torch.ErrFormat, "reaches beyond"},
		"stride beyond":           {save(pickletest.Tensor(storage, 0, sizes(2, 2), sizes(1, 7))), torch.ErrFormat, "reaches beyond"},
		"expanded without end":    {save(pickletest.Tensor(storage, 0, sizes(1<<40), sizes(0))), torch.ErrFormat, "more elements"},
		"shape that overflows":    {save(pickletest.Tensor(storage, 0, sizes(1<<32, 1<<32), sizes(0, 0))), torch.ErrFormat, "overflows"},
		"negative shape":          {save(pickletest.Tensor(storage, 0, sizes(-1), sizes(1))), torch.ErrFormat, "are none"},
		"negative stride":         {save(pickletest.Tensor(storage, 7, sizes(2), sizes(-1))), torch.ErrFormat, "are none"},
		"more strides than sizes": {save(pickletest.Tensor(storage, 0, sizes(2), sizes(1, 1))), torch.ErrFormat, "are none"},
		"tensor of a string":      {save(pickletest.Tensor("x", 0, sizes(2), sizes(1))), torch.ErrFormat, "are none"},
		"tensor of nothing":       {save(object("torch._utils", "_rebuild_tensor_v2")), torch.ErrFormat, "a tensor of 0"},
		"parameter of nothing":    {save(object("torch._utils", "_rebuild_parameter")), torch.ErrFormat, "without a tensor"},
		"storage of 2^62":         {save(pickletest.Tensor(pickletest.Storage("FloatStorage", "0", 1<<62), 0, sizes(1), sizes(1))), torch.ErrFormat, "elements"},
		"storage negative":        {save(pickletest.Tensor(pickletest.Storage("FloatStorage", "0", -8), 0, sizes(1), sizes(1))), torch.ErrFormat, "elements"},
		"storage of a size":       {save(pickletest.Tensor(pickletest.Storage("Size", "0", 8), 0, sizes(1), sizes(1))), torch.ErrUnsupported, "torch.Size"},
		"storage in two ways": {save(pickle.Tuple{
			pickletest.Tensor(storage, 0, sizes(1), sizes(1)),
			pickletest.Tensor(pickletest.Storage("IntStorage", "0", 8), 0, sizes(1), sizes(1)),
		}), torch.ErrFormat, "two ways"},
		"persistent id of nothing": {save(pickletest.Persistent{ID: "module"}), torch.ErrFormat, "no storage"},
		"short persistent id":      {save(pickletest.Persistent{ID: pickle.Tuple{"storage"}}), torch.ErrFormat, "no storage"},
		"dict within itself":       {pickletest.Zip(entry("a/data.pkl", []byte("\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."), false)), torch.ErrFormat, "without end"},
		"billion laughs":           {pickletest.Zip(entry("a/data.pkl", laughs(), false)), torch.ErrFormat, "without end"},
		"legacy magic alone":       {pickletest.Dump(pickle.Long{0x6c}), torch.ErrFormat, "magic"},
		"three bytes":              {[]byte("PK\x03"), torch.ErrFormat, "3 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(c.file)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %v about %q", err, c.kind, c.want)
			}
		})
	}
}

// laughs is a dict of two dicts that are one, and so on: 2^60 leaves in 1 KB.
func laughs() []byte {
	text := []byte("\x80\x02}q\x00")
	for i := range 60 {
		text = append(text, '}', '(', 'U', 1, 'a', 'h', byte(i), 'U', 1, 'b', 'h', byte(i), 'u', 'q', byte(i+1))
	}
	return append(text, '.')
}

func TestCodeIsRefused(t *testing.T) {
	for _, class := range []pickle.Global{
		{Module: "posix", Name: "system"},
		{Module: "builtins", Name: "eval"},
		{Module: "torch", Name: "load"},
		{Module: "torch.storage", Name: "_load_from_bytes"},
		{Module: "__torch__.evil", Name: "Module"}, // not in a state dict
	} {
		value := pickletest.Dict("w", &pickle.Object{Class: class, Args: pickle.Tuple{"true"}})
		_, err := open(pickletest.Save(value))
		var global *pickle.GlobalError
		if !errors.As(err, &global) || !strings.Contains(err.Error(), class.Module+"."+class.Name) {
			t.Errorf("%v: %v", class, err)
		}
	}
}

// TestChecksum flips a bit of the weights, which no header can tell.
func TestChecksum(t *testing.T) {
	file, err := os.ReadFile(golden + "/state_dict.pt")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	offset := int64(-1)
	for _, entry := range archive.File {
		if strings.HasSuffix(entry.Name, "/data/0") {
			if offset, err = entry.DataOffset(); err != nil {
				t.Fatal(err)
			}
		}
	}
	file[offset+100] ^= 1
	a, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range a.Names() {
		if _, _, err := a.Float32(name); err != nil {
			if !errors.Is(err, torch.ErrFormat) || !strings.Contains(err.Error(), "checksum") {
				t.Error(err)
			}
			damaged++
		}
	}
	if damaged != 1 {
		t.Errorf("%d tensors are damaged", damaged)
	}
}

// legacy writes the format of before PyTorch 1.6.
func legacy(keys []any, data ...[]byte) []byte {
	storage := func(key string, count int) pickletest.Persistent {
		return pickletest.Persistent{ID: pickle.Tuple{"storage", pickle.Global{Module: "torch", Name: "FloatStorage"}, key, "cpu", count, nil}}
	}
	value := pickletest.Dict(
		"a", pickletest.Tensor(storage("100", 2), 0, pickletest.Sizes(2), pickletest.Sizes(1)),
		"b", pickletest.Tensor(storage("7", 1), 0, pickletest.Sizes(), pickletest.Sizes()),
		"c", pickletest.Tensor(storage("100", 2), 1, pickletest.Sizes(1), pickletest.Sizes(1)),
	)
	var file []byte
	for _, part := range []any{
		pickle.Long{0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19},
		1001,
		pickletest.Dict("protocol_version", 1001, "little_endian", true), value, &pickle.List{Items: keys},
	} {
		file = append(file, pickletest.Dump(part)...)
	}
	for _, raw := range data {
		file = append(binary.LittleEndian.AppendUint64(file, uint64(len(raw)/4)), raw...)
	}
	return file
}

func TestLegacy(t *testing.T) {
	a, err := open(legacy([]any{"100", "7"}, floats(1, 2), floats(3)))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{"a": {1, 2}, "b": {3}, "c": {2}} {
		if _, got, err := a.Float32(name); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"cut in a storage":     {legacy([]any{"100", "7"}, floats(1, 2), floats(3))[:len(legacy([]any{"100", "7"}, floats(1, 2), floats(3)))-1], "within"},
		"cut before a storage": {legacy([]any{"100", "7"}, floats(1, 2)), "before"},
		"key missing":          {legacy([]any{"100"}, floats(1, 2)), "missing"},
		"key unknown":          {legacy([]any{"1"}, floats(1, 2)), "no tensor"},
		"key twice":            {legacy([]any{"7", "7"}, floats(3), floats(3)), "no tensor"},
		"key no string":        {legacy([]any{int64(7)}, floats(3)), "no tensor"},
		"another length":       {legacy([]any{"100", "7"}, floats(1, 2, 3)), "announces"},
	} {
		if _, err := open(c.file); !errors.Is(err, torch.ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want ErrFormat about %q", name, err, c.want)
		}
	}
}

func TestOpenMissing(t *testing.T) {
	if _, err := torch.Open(filepath.Join(t.TempDir(), "x.pt")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzNew changes whole files; FuzzPickle, where every input passes the zip
// archive's checksums, what lies in them.
func FuzzNew(f *testing.F) {
	f.Add(pickletest.Save(weights(), make([]byte, 32)))
	f.Add(legacy([]any{"100", "7"}, floats(1, 2), floats(3)))
	f.Fuzz(func(t *testing.T, file []byte) { readAll(t, file) })
}

func FuzzPickle(f *testing.F) {
	f.Add(pickletest.Dump(weights()))
	if archive, err := zip.OpenReader(golden + "/openai.pt"); err == nil {
		defer archive.Close()
		if text, err := fs.ReadFile(archive, "openai/data.pkl"); err == nil {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		readAll(t, pickletest.Zip(
			pickletest.Entry{Name: "a/data.pkl", Content: text},
			pickletest.Entry{Name: "a/data/0", Content: make([]byte, 32)},
			pickletest.Entry{Name: "a/constants.pkl"},
		))
	})
}

func readAll(t *testing.T, file []byte) {
	a, err := open(file)
	var global *pickle.GlobalError
	if err != nil {
		if !errors.Is(err, torch.ErrFormat) && !errors.Is(err, torch.ErrUnsupported) && !errors.As(err, &global) {
			t.Fatalf("%v is of no kind", err)
		}
		return
	}
	for _, name := range a.Names() {
		kind, shape, _ := a.Info(name)
		size, err := kind.Bytes(shape)
		if err != nil || size > int64(len(file)) {
			t.Fatalf("%q: %s of %v in a file of %d bytes", name, kind, shape, len(file))
		}
		if _, _, err := a.Float32(name); errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%q reaches beyond the file", name)
		}
		a.Int(name)
	}
}
