// Package pickletest writes pickles and files of torch.save for tests: good ones
// and such as PyTorch would never write.
package pickletest

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
)

// Persistent is a value that the pickle names by an id.
type Persistent struct{ ID any }

// Dump writes a value as a pickle of protocol 2.
func Dump(value any) []byte {
	return append(appendValue([]byte{0x80, 2}, value), '.')
}

func appendValue(to []byte, value any) []byte {
	switch value := value.(type) {
	case nil:
		return append(to, 'N')
	case bool:
		if value {
			return append(to, 0x88)
		}
		return append(to, 0x89)
	case int:
		return appendValue(to, int64(value))
	case int64:
		return binary.LittleEndian.AppendUint64(append(to, 0x8a, 8), uint64(value))
	case pickle.Long:
		return append(append(to, 0x8a, byte(len(value))), value...)
	case float64:
		return binary.BigEndian.AppendUint64(append(to, 'G'), math.Float64bits(value))
	case string:
		return append(binary.LittleEndian.AppendUint32(append(to, 'X'), uint32(len(value))), value...)
	case []byte:
		return append(binary.LittleEndian.AppendUint32(append(to, 'B'), uint32(len(value))), value...)
	case pickle.Tuple:
		to = append(to, '(')
		for _, item := range value {
			to = appendValue(to, item)
		}
		return append(to, 't')
	case *pickle.List:
		to = append(to, ']', '(')
		for _, item := range value.Items {
			to = appendValue(to, item)
		}
		return append(to, 'e')
	case *pickle.Dict:
		return appendEntries(append(to, '}'), value.Entries)
	case pickle.Global:
		return fmt.Appendf(to, "c%s\n%s\n", value.Module, value.Name)
	case *pickle.Object:
		to = append(appendValue(appendValue(to, value.Class), value.Args), 'R')
		if value.State != nil {
			to = append(appendValue(to, value.State), 'b')
		}
		return appendEntries(to, value.Items)
	case Persistent:
		return append(appendValue(to, value.ID), 'Q')
	}
	panic(fmt.Sprintf("pickletest: %T", value))
}

func appendEntries(to []byte, entries []pickle.Entry) []byte {
	if len(entries) == 0 {
		return to
	}
	to = append(to, '(')
	for _, entry := range entries {
		to = appendValue(appendValue(to, entry.Key), entry.Value)
	}
	return append(to, 'u')
}

// Dict is a dict of keys and values by turns.
func Dict(pairs ...any) *pickle.Dict {
	d := &pickle.Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, pickle.Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

// Storage names count elements of a class of torch in the entry data/key.
func Storage(class, key string, count int) Persistent {
	return Persistent{ID: pickle.Tuple{"storage", pickle.Global{Module: "torch", Name: class}, key, "cpu", count}}
}

// Tensor is a view of a storage, as torch._utils._rebuild_tensor_v2 takes it.
func Tensor(storage any, offset int, shape, strides pickle.Tuple) *pickle.Object {
	return &pickle.Object{
		Class: pickle.Global{Module: "torch._utils", Name: "_rebuild_tensor_v2"},
		Args:  pickle.Tuple{storage, offset, shape, strides, false, nil},
	}
}

// Sizes are whole numbers as a tuple.
func Sizes(numbers ...int) pickle.Tuple {
	t := make(pickle.Tuple, 0, len(numbers))
	for _, n := range numbers {
		t = append(t, int64(n))
	}
	return t
}

// Entry is a file within a zip archive.
type Entry struct {
	Name    string
	Content []byte
	Deflate bool
}

// Zip writes an archive; entries are stored unless they ask to be compressed.
func Zip(entries ...Entry) []byte {
	var file bytes.Buffer
	w := zip.NewWriter(&file)
	for _, entry := range entries {
		header := &zip.FileHeader{Name: entry.Name, Method: zip.Store}
		if entry.Deflate {
			header.Method = zip.Deflate
		}
		into, err := w.CreateHeader(header)
		if err == nil {
			_, err = into.Write(entry.Content)
		}
		if err != nil {
			panic(err) // a buffer cannot fail
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return file.Bytes()
}

// Save writes a value and its storages, numbered from 0, as torch.save does.
func Save(value any, storages ...[]byte) []byte {
	entries := []Entry{{Name: "archive/data.pkl", Content: Dump(value)}}
	for i, data := range storages {
		entries = append(entries, Entry{Name: fmt.Sprintf("archive/data/%d", i), Content: data})
	}
	return Zip(append(entries, Entry{Name: "archive/byteorder", Content: []byte("little")})...)
}
