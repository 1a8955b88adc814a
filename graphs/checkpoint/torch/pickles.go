package torch

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

// storageTypes are the classes of torch that stand for a storage's element type.
var storageTypes = map[string]safetensors.Type{
	"DoubleStorage": safetensors.F64, "FloatStorage": safetensors.F32,
	"HalfStorage": safetensors.F16, "BFloat16Storage": safetensors.BF16,
	"LongStorage": safetensors.I64, "IntStorage": safetensors.I32,
	"ShortStorage": safetensors.I16, "CharStorage": safetensors.I8,
	"ByteStorage": safetensors.U8, "BoolStorage": safetensors.Bool,
}

// allowed reports whether a state dict, or a TorchScript module, may name a
// class or function. Naming is all: none is ever called.
func allowed(g pickle.Global, script bool) bool {
	switch g.Module {
	case "collections":
		return g.Name == "OrderedDict"
	case "torch":
		return storageTypes[g.Name] != "" || g.Name == "Size"
	case "torch._utils":
		return g.Name == "_rebuild_tensor" || g.Name == "_rebuild_tensor_v2" || g.Name == "_rebuild_parameter"
	case "torch.jit._pickle":
		return script
	}
	return script && (g.Module == "__torch__" || strings.HasPrefix(g.Module, "__torch__."))
}

// storages finds the storage that a persistent id names.
type storages func(id pickle.Tuple) (*storage, error)

// load reads a pickle whose persistent ids are storages. Ids of one key give one storage.
func load(text []byte, script bool, find storages) (any, error) {
	value, _, err := loadPrefix(text, script, find)
	return value, err
}

func loadPrefix(text []byte, script bool, find storages) (value any, length int, err error) {
	known := map[string]*storage{}
	value, length, err = pickle.Load(text, pickle.Options{
		Allow: func(g pickle.Global) bool { return allowed(g, script) },
		Persistent: func(id any) (any, error) {
			tuple, ok := id.(pickle.Tuple)
			if !ok || len(tuple) < 5 || tuple[0] != any("storage") {
				return nil, fmt.Errorf("%w: a persistent id that is no storage", ErrFormat)
			}
			found, err := find(tuple)
			if err != nil {
				return nil, err
			}
			key, _ := tuple[2].(string)
			if before := known[key]; before != nil {
				if before.kind != found.kind || before.count != found.count {
					return nil, fmt.Errorf("%w: the storage %q is described in two ways", ErrFormat, key)
				}
				return before, nil
			}
			known[key] = found
			return found, nil
		},
	})
	if errors.Is(err, pickle.ErrFormat) {
		err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return value, length, err
}

// parseStorage reads the class, key and length of a storage's persistent id.
func parseStorage(id pickle.Tuple) (s *storage, key string, err error) {
	class, isClass := id[1].(pickle.Global)
	key, isText := id[2].(string)
	count, isNumber := id[4].(int64)
	if !isClass || !isText || !isNumber {
		return nil, "", fmt.Errorf("%w: a storage named by a %T, a %T and a %T", ErrFormat, id[1], id[2], id[4])
	}
	kind := storageTypes[class.Name]
	if class.Module != "torch" || kind == "" {
		return nil, "", fmt.Errorf("%w: a storage of class %s.%s", ErrUnsupported, class.Module, class.Name)
	}
	if count < 0 || count > math.MaxInt64/int64(kind.Size()) {
		return nil, "", fmt.Errorf("%w: a storage of %d elements", ErrFormat, count)
	}
	return &storage{kind: kind, count: int(count)}, key, nil
}

// rebuild interprets an object as a tensor; false if it is something else.
func rebuild(o *pickle.Object) (t tensor, isTensor bool, err error) {
	if o.Class.Module != "torch._utils" {
		return tensor{}, false, nil
	}
	if o.Class.Name == "_rebuild_parameter" {
		if len(o.Args) > 0 {
			if inner, ok := o.Args[0].(*pickle.Object); ok && inner.Class.Name != o.Class.Name {
				return rebuild(inner)
			}
		}
		return tensor{}, false, errors.New("a parameter without a tensor")
	}
	const needed = 4 // storage, offset, shape, strides; what follows concerns training
	if len(o.Args) < needed {
		return tensor{}, false, fmt.Errorf("a tensor of %d values", len(o.Args))
	}
	storage, isStorage := o.Args[0].(*storage)
	offset, isOffset := o.Args[1].(int64)
	shape, isShape := sizes(o.Args[2])
	strides, isStrides := sizes(o.Args[3])
	if !isStorage || !isOffset || !isShape || !isStrides || len(shape) != len(strides) {
		return tensor{}, false, errors.New("a tensor whose storage, offset, shape or strides are none")
	}
	if offset < 0 || offset > int64(storage.count) {
		return tensor{}, false, fmt.Errorf("a tensor begins at element %d of %d", offset, storage.count)
	}
	t = tensor{storage: storage, offset: int(offset), shape: shape, strides: strides}
	return t, true, t.check()
}

// sizes reads a tuple of whole numbers that are not negative.
func sizes(value any) ([]int, bool) {
	if o, ok := value.(*pickle.Object); ok && o.Class.Name == "Size" && len(o.Args) == 1 {
		value = o.Args[0]
	}
	tuple, ok := value.(pickle.Tuple)
	if !ok {
		return nil, false
	}
	numbers := make([]int, len(tuple))
	for i, item := range tuple {
		n, ok := item.(int64)
		if !ok || n < 0 {
			return nil, false
		}
		numbers[i] = int(n)
	}
	return numbers, true
}

// Bounds on a walk through values that may hold themselves or, by sharing parts,
// be exponentially large as a tree.
const (
	maxDepth = 64
	maxNodes = 1 << 20
	maxName  = 1 << 10
)

type collector struct {
	tensors map[string]tensor
	nodes   int
}

// collect lists all tensors under the names of the keys and attributes on the way to them.
func collect(value any) (map[string]tensor, error) {
	c := collector{tensors: map[string]tensor{}}
	if err := c.walk("", value, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return c.tensors, nil
}

func (c *collector) walk(name string, value any, depth int) error {
	if c.nodes++; depth > maxDepth || c.nodes > maxNodes || len(name) > maxName {
		return errors.New("its values are nested without end")
	}
	switch value := value.(type) {
	case *pickle.Dict:
		return c.entries(name, value.Entries, depth)
	case *pickle.Object:
		t, isTensor, err := rebuild(value)
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
		if isTensor {
			c.tensors[name] = t
			return nil
		}
		if err := c.entries(name, value.Items, depth); err != nil {
			return err
		}
		if state, ok := value.State.(*pickle.Dict); ok {
			return c.entries(name, state.Entries, depth)
		}
	}
	return nil
}

func (c *collector) entries(name string, entries []pickle.Entry, depth int) error {
	for _, entry := range entries {
		key, ok := entry.Key.(string)
		if !ok {
			continue // an optimiser's state goes by number
		}
		if name != "" {
			key = name + "." + key
		}
		if err := c.walk(key, entry.Value, depth+1); err != nil {
			return err
		}
	}
	return nil
}
