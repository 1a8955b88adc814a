package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files of a checkpoint's folder.
const (
	openCLIPConfig     = "open_clip_config.json"
	openCLIPWeights    = "open_clip_model.safetensors"
	openCLIPTorch      = "open_clip_pytorch_model.bin"
	transformersConfig = "config.json"
	transformersModel  = "model.safetensors"
	transformersIndex  = "model.safetensors.index.json"
	transformersTorch  = "pytorch_model.bin"
)

// Open opens a checkpoint: a file of weights, or the folder of one. A
// configuration is looked for beside the weights; state dicts and TorchScript
// archives without one have their architecture inferred from the weights'
// shapes, as OpenAI's code does.
//
// Errors are ErrCorrupt, ErrUnsupported, ErrMismatch, fs.ErrNotExist (with what
// was looked for), or those of the file system.
func Open(path string) (*Checkpoint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening a checkpoint: %w", err)
	}
	file := path
	switch {
	case info.IsDir():
		if file, err = weightsIn(path); err != nil {
			return nil, err
		}
	case !info.Mode().IsRegular(): // opening a pipe would wait for its writer
		return nil, fmt.Errorf("%w: %s is neither a file nor a folder", ErrCorrupt, path)
	}
	return openFile(file)
}

// weightsIn finds the weights of a folder, by the names that the tools give
// them, else the only file that could be one.
func weightsIn(folder string) (string, error) {
	for _, pair := range [][2]string{
		{openCLIPConfig, openCLIPWeights},
		{openCLIPConfig, openCLIPTorch},
		{transformersConfig, transformersModel},
		{transformersConfig, transformersIndex},
		{transformersConfig, transformersTorch},
	} {
		if exists(filepath.Join(folder, pair[0])) && exists(filepath.Join(folder, pair[1])) {
			return filepath.Join(folder, pair[1]), nil
		}
	}
	var found []string
	for _, pattern := range []string{"*.safetensors", "*.pt", "*.pth", "*.bin"} {
		paths, err := filepath.Glob(filepath.Join(escapeGlob(folder), pattern))
		if err != nil {
			return "", fmt.Errorf("looking for weights in %s: %w", folder, err)
		}
		found = append(found, paths...)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: the folder %s has no weights: neither %s beside %s, nor %s beside %s, nor a .safetensors or .pt file",
			fs.ErrNotExist, folder, openCLIPWeights, openCLIPConfig, transformersModel, transformersConfig)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%w: the folder %s has several files of weights (%s): name one", ErrUnsupported, folder, baseNames(found))
}

// escapeGlob makes a path stand for itself in a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func baseNames(paths []string) string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	return strings.Join(names, ", ")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// openFile opens a file of weights, and what describes it in its folder.
func openFile(path string) (*Checkpoint, error) {
	opened, err := openSource(path)
	if err != nil {
		return nil, err // it names the file
	}
	c := &Checkpoint{Name: nameOf(path), source: opened, Tokenizer: tokenizerBeside(path)}
	err = c.describe(filepath.Dir(path))
	if err == nil {
		err = c.check()
	}
	if err == nil {
		err = c.readLogitScale()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the checkpoint %s: %w", path, err), opened.Close())
	}
	return c, nil
}

func openSource(path string) (source, error) {
	if strings.HasSuffix(path, ".index.json") {
		return openIndex(path)
	}
	kind, err := identify(path)
	if err != nil {
		return nil, fmt.Errorf("opening the checkpoint %s: %w", path, err)
	}
	if kind == kindTorch {
		return openTorch(path)
	}
	return openSafetensors(path)
}

// nameOf is the file's name without its ending, or its folder's where the file
// has the name that a tool gives every checkpoint.
func nameOf(path string) string {
	switch base := filepath.Base(path); base {
	case openCLIPWeights, openCLIPTorch, transformersModel, transformersIndex, transformersTorch:
		if absolute, err := filepath.Abs(path); err == nil {
			return filepath.Base(filepath.Dir(absolute))
		}
		return base
	default:
		return strings.TrimSuffix(base, filepath.Ext(base))
	}
}

func tokenizerBeside(path string) TokenizerFiles {
	folder := filepath.Dir(path)
	files := TokenizerFiles{Vocabulary: filepath.Join(folder, "vocab.json"), Merges: filepath.Join(folder, "merges.txt")}
	if !exists(files.Vocabulary) || !exists(files.Merges) {
		return TokenizerFiles{}
	}
	return files
}

// kind is a family of file formats.
type kind int

const (
	kindSafetensors kind = iota
	kindTorch
)

// identify tells by its first bytes what a file is, and refuses what is often
// mistaken for weights by its name.
func identify(path string) (kind, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	start := make([]byte, 512)
	n, err := io.ReadFull(file, start)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	start = start[:n]
	switch {
	case n == 0:
		return 0, fmt.Errorf("%w: the file is empty; fetch it again", ErrCorrupt)
	case n > 8 && bytes.Equal(start[4:9], []byte("\x00\x00\x00\x00{")): // a length of 8 bytes, then JSON
		return kindSafetensors, nil
	case bytes.HasPrefix(start, []byte("PK\x03\x04")), start[0] == 0x80:
		return kindTorch, nil
	}
	if what := impostor(start); what != "" {
		return 0, fmt.Errorf("%w: it is %s", ErrCorrupt, what)
	}
	if strings.HasSuffix(path, ".safetensors") {
		return kindSafetensors, nil // its reader says what is wrong with it
	}
	return 0, fmt.Errorf("%w: it is neither a safetensors file nor one of torch.save", ErrCorrupt)
}

// impostor names what a file is instead of weights; empty if it is none of those.
func impostor(start []byte) string {
	for _, known := range []struct{ magic, what string }{
		{"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself; run `git lfs pull` in its repository, or fetch the file from its page"},
		{"\x89PNG", "a PNG picture"},
		{"\xff\xd8\xff", "a JPEG picture"},
		{"GIF8", "a GIF picture"},
		{"\x1f\x8b\x08", "compressed with gzip; unpack it first"},
		{"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"},
		{"7z\xbc\xaf", "a 7-Zip archive; unpack it first"},
		{"\x89HDF", "an HDF5 file (Keras)"},
		{"\x93NUMPY", "a NumPy array"},
		{"GGUF", "a GGUF file (llama.cpp)"},
		{"%PDF", "a PDF document"},
	} {
		if strings.HasPrefix(string(start), known.magic) {
			return known.what
		}
	}
	text := strings.ToLower(strings.TrimSpace(string(start)))
	switch {
	case strings.HasPrefix(text, "<!doctype html"), strings.HasPrefix(text, "<html"):
		return "an HTML page, perhaps one that asks to log in; fetch the file itself"
	case strings.HasPrefix(text, "<?xml"):
		return "an XML document, perhaps a server's error message; fetch the file again"
	case strings.HasPrefix(text, "{"):
		return "JSON; name the weights beside it, or their folder"
	}
	return ""
}

// configLimit bounds a configuration's size in bytes; indices of shards are the largest.
const configLimit = 16 << 20

func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, configLimit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(text) > configLimit {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrCorrupt, path, configLimit)
	}
	return text, nil
}
