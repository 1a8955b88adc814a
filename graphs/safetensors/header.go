package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	prefixSize = 8 // the header's length, little-endian
	// headerLimit is the format's own bound.
	headerLimit = 100_000_000
	metadataKey = "__metadata__"
)

// header is what the file's JSON says; offsets are still relative to the data.
type header struct {
	tensors  []Info
	metadata map[string]string
}

// parseHeader reads the header's JSON token by token: encoding/json's own
// decoding would let repeated keys and keys in another case pass.
func parseHeader(text []byte) (header, error) {
	if !utf8.Valid(text) {
		return header{}, errors.New("the header is not UTF-8")
	}
	if len(text) == 0 || text[0] != '{' {
		return header{}, errors.New("the header does not begin with a brace")
	}
	p := parser{json.NewDecoder(bytes.NewReader(text))}
	p.UseNumber()
	var h header
	err := p.object("the header", func(key string) error {
		if key == metadataKey {
			h.metadata = map[string]string{}
			return p.metadata(h.metadata)
		}
		info, err := p.tensor(key)
		h.tensors = append(h.tensors, info)
		return err
	})
	if err != nil {
		return header{}, err
	}
	if rest := bytes.TrimLeft(text[p.InputOffset():], " "); len(rest) > 0 {
		return header{}, fmt.Errorf("%d bytes follow the header's last brace", len(rest))
	}
	return h, nil
}

type parser struct{ *json.Decoder }

func (p parser) token() (json.Token, error) {
	token, err := p.Token()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the header's JSON ends too early")
	}
	if err != nil {
		return nil, fmt.Errorf("the header's JSON is damaged near byte %d: %w", prefixSize+p.InputOffset(), err)
	}
	return token, nil
}

func (p parser) delimiter(where string, want json.Delim) error {
	token, err := p.token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%s: %v where %q belongs", where, token, rune(want))
	}
	return nil
}

// object reads an object whose keys are all different; value reads what follows a key.
func (p parser) object(where string, value func(key string) error) error {
	if err := p.delimiter(where, '{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.More() {
		token, err := p.token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // the decoder lets nothing else stand as a key
		if seen[key] {
			return fmt.Errorf("%s: %q is there twice", where, key)
		}
		seen[key] = true
		if err := value(key); err != nil {
			return err
		}
	}
	return p.delimiter(where, '}')
}

func (p parser) text(where string) (string, error) {
	token, err := p.token()
	if err != nil {
		return "", err
	}
	text, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("%s: %v is not a string", where, token)
	}
	return text, nil
}

func (p parser) metadata(into map[string]string) error {
	return p.object("metadata", func(key string) (err error) {
		into[key], err = p.text(fmt.Sprintf("metadata %q", key))
		return err
	})
}

// sizes reads a list of whole numbers, each of which fits an int.
func (p parser) sizes(where string) ([]int, error) {
	if err := p.delimiter(where, '['); err != nil {
		return nil, err
	}
	sizes := []int{}
	for p.More() {
		token, err := p.token()
		if err != nil {
			return nil, err
		}
		number, _ := token.(json.Number)
		size, err := strconv.ParseUint(number.String(), 10, 64)
		if err != nil || size > math.MaxInt {
			return nil, fmt.Errorf("%s: %v is not a size", where, token)
		}
		sizes = append(sizes, int(size))
	}
	return sizes, p.delimiter(where, ']')
}

func (p parser) tensor(name string) (Info, error) {
	where := fmt.Sprintf("tensor %q", name)
	info := Info{Name: name}
	var offsets []int
	err := p.object(where, func(key string) (err error) {
		switch key {
		case "dtype":
			var dtype string
			dtype, err = p.text(where + ", dtype")
			info.Type = Type(dtype)
		case "shape":
			info.Shape, err = p.sizes(where + ", shape")
		case "data_offsets":
			offsets, err = p.sizes(where + ", data_offsets")
		default:
			err = fmt.Errorf("%s: unknown key %q", where, key)
		}
		return err
	})
	if err != nil {
		return info, err
	}
	if info.Shape == nil || len(offsets) != 2 {
		return info, fmt.Errorf("%s: dtype, shape and two data_offsets are not all there", where)
	}
	size, err := info.Type.Bytes(info.Shape)
	if err != nil {
		return info, fmt.Errorf("%s: %w", where, err)
	}
	info.begin, info.end = int64(offsets[0]), int64(offsets[1])
	if info.end < info.begin || info.end-info.begin != size {
		return info, fmt.Errorf("%s: bytes %d to %d do not hold %v of %s, which take %d bytes",
			where, info.begin, info.end, info.Shape, info.Type, size)
	}
	return info, nil
}

// place checks that the tensors fill the data one after the other, and turns
// their offsets into offsets in the file.
func (h header) place(dataBegin, dataSize int64) error {
	order := slices.Clone(h.tensors)
	slices.SortFunc(order, byOffset)
	next := int64(0)
	for _, t := range order {
		switch {
		case t.begin < next:
			return fmt.Errorf("tensor %q overlaps another: it begins at byte %d of the data, the one before ends at %d", t.Name, t.begin, next)
		case t.begin > next:
			return fmt.Errorf("bytes %d to %d of the data belong to no tensor", next, t.begin)
		}
		next = t.end
	}
	if next > dataSize {
		return fmt.Errorf("truncated: the header announces %d bytes of data and %d are there; fetch the file again", next, dataSize)
	}
	if next < dataSize {
		return fmt.Errorf("the last %d bytes of the file belong to no tensor", dataSize-next)
	}
	for i := range h.tensors {
		h.tensors[i].begin += dataBegin
		h.tensors[i].end += dataBegin
	}
	return nil
}

func byOffset(a, b Info) int {
	return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
}
