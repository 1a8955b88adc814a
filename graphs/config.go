package graphs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// ConfigFile is where a model's folder has its Config.
const ConfigFile = "assets.extra/upl.json"

// Config is upl.json: what a model's folder says about the model beside its
// graph. Keys that it does not know are left to their authors.
type Config struct {
	Name          string     `json:"name"`
	ImageSize     int        `json:"image_size"`    // pixels on a side of the square picture
	ResizeMode    string     `json:"resize_mode"`   // clip (shorter side, then centre crop) or squash
	Interpolation string     `json:"interpolation"` // bicubic, bilinear, nearest
	Mean          [3]float32 `json:"mean"`          // of red, green, blue, from 0 to 1
	Std           [3]float32 `json:"std"`
	Tokenizer     Tokenizer  `json:"tokenizer"`
	ContextLength int        `json:"context_length"` // T, tokens of the longest text
	LogitScale    float32    `json:"logit_scale"`    // 1/tau itself, not its logarithm
	// EmbeddingWidth is D, the width of features; TextWidth is W, that of token
	// embeddings and so of context vectors.
	EmbeddingWidth int `json:"embedding_width"`
	TextWidth      int `json:"text_width"`
	// Causal says that a token of the text tower sees only those before it.
	Causal bool `json:"causal"`
	// TextTower is set where the text tower is CLIP's: its sizes, and the
	// variables that hold its weights. The host may then build faster graphs over them.
	TextTower *TextTower `json:"text_tower,omitempty"`
}

// Tokenizer says how texts become token ids. Files are relative to assets.extra.
type Tokenizer struct {
	Kind string `json:"kind"` // clip or tokens
	// Vocabulary and Merges are CLIP's byte-pair encoding; without them the built-in one is meant.
	Vocabulary string `json:"vocabulary,omitempty"`
	Merges     string `json:"merges,omitempty"`
	// Tokens is a file of lines {"text": …, "ids": […]}.
	Tokens string `json:"tokens,omitempty"`
}

// The kinds of tokenizers and of resizing.
const (
	TokenizerCLIP   = "clip"
	TokenizerTokens = "tokens"
	ResizeCLIP      = "clip"
	ResizeSquash    = "squash"
)

// TextTower describes CLIP's text transformer: causal, pre-LN, learnt positions.
type TextTower struct {
	Layers           int     `json:"layers"`
	Heads            int     `json:"heads"`
	MLPWidth         int     `json:"mlp_width"`
	Vocabulary       int     `json:"vocabulary"`
	QuickGELU        bool    `json:"quick_gelu"`
	LayerNormEpsilon float32 `json:"layer_norm_epsilon"`
	// Variables maps open_clip's names of the weights (token_embedding.weight,
	// transformer.resblocks.0.ln_1.weight, …) to the names of the graph's
	// VarHandleOps, which hold them as float32 in PyTorch's layouts.
	Variables map[string]string `json:"variables"`
}

// ErrConfig marks a upl.json that is missing, unreadable or cannot be.
var ErrConfig = errors.New("bad model configuration")

// configLimit bounds upl.json.
const configLimit = 16 << 20

// ReadConfig reads and checks the upl.json of a model's folder. Errors are ErrConfig.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, filepath.FromSlash(ConfigFile))
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%s: %w: there is no such file; a model's folder has it beside its weights "+
			"(`upl-host export CHECKPOINT -o DIR` makes a model; the keys are in docs/model-contract.md)", path, ErrConfig)
	} else if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if info.Size() > configLimit {
		return Config{}, fmt.Errorf("%s: %w: %d bytes, more than %d", path, ErrConfig, info.Size(), configLimit)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	c, err := parseConfig(raw)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w: %w", path, ErrConfig, err)
	}
	return c, nil
}

func parseConfig(raw []byte) (Config, error) {
	c := Config{ResizeMode: ResizeCLIP, Interpolation: "bicubic"}
	if err := json.Unmarshal(raw, &c); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return Config{}, fmt.Errorf("key %s is a %s, want %s (byte %d)", kind.Field, kind.Value, kind.Type, kind.Offset)
		}
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Validate reports every key that cannot be.
func (c Config) Validate() error {
	var errs []error
	require := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	size := func(key string, value, limit int) {
		require(value > 0 && value <= limit, "%s is %d, want 1 to %d", key, value, limit)
	}
	require(c.Name != "", "name is missing")
	size("image_size", c.ImageSize, 8192)
	size("context_length", c.ContextLength, 1<<16)
	size("embedding_width", c.EmbeddingWidth, 1<<20)
	size("text_width", c.TextWidth, 1<<20)
	require(c.ResizeMode == ResizeCLIP || c.ResizeMode == ResizeSquash,
		"resize_mode is %q, want %s or %s", c.ResizeMode, ResizeCLIP, ResizeSquash)
	switch c.Interpolation {
	case "bicubic", "bilinear", "nearest":
	default:
		require(false, "interpolation is %q, want bicubic, bilinear or nearest", c.Interpolation)
	}
	for i := range c.Std {
		require(finite(c.Std[i]) && c.Std[i] > 0, "std[%d] is %v, want above 0", i, c.Std[i])
		require(finite(c.Mean[i]), "mean[%d] is %v, want a finite number", i, c.Mean[i])
	}
	require(finite(c.LogitScale) && c.LogitScale > 0,
		"logit_scale is %v, want 1/tau itself, above 0 (100 for OpenAI's models; a checkpoint's logit_scale is its logarithm)", c.LogitScale)
	errs = append(errs, c.Tokenizer.validate()...)
	if c.TextTower != nil {
		errs = append(errs, c.TextTower.validate(c)...)
	}
	return errors.Join(errs...)
}

func (t Tokenizer) validate() []error {
	var errs []error
	switch t.Kind {
	case TokenizerCLIP:
		if (t.Vocabulary == "") != (t.Merges == "") {
			errs = append(errs, errors.New("tokenizer: vocabulary and merges belong together: give both, or none for the built-in ones"))
		}
	case TokenizerTokens:
		if t.Tokens == "" {
			errs = append(errs, errors.New(`tokenizer: kind "tokens" needs the key tokens, a file of lines {"text": …, "ids": […]}`))
		}
	default:
		errs = append(errs, fmt.Errorf("tokenizer: kind is %q, want %s or %s", t.Kind, TokenizerCLIP, TokenizerTokens))
	}
	for _, file := range []string{t.Vocabulary, t.Merges, t.Tokens} {
		if file != "" && !filepath.IsLocal(filepath.FromSlash(file)) {
			errs = append(errs, fmt.Errorf("tokenizer: file %q is not inside assets.extra", file))
		}
	}
	return errs
}

func (t TextTower) validate(c Config) []error {
	var errs []error
	sizes := map[string]int{"layers": t.Layers, "heads": t.Heads, "mlp_width": t.MLPWidth, "vocabulary": t.Vocabulary}
	for _, key := range []string{"layers", "heads", "mlp_width", "vocabulary"} {
		if sizes[key] <= 0 {
			errs = append(errs, fmt.Errorf("text_tower: %s is %d, want above 0", key, sizes[key]))
		}
	}
	if t.Heads > 0 && c.TextWidth%t.Heads != 0 {
		errs = append(errs, fmt.Errorf("text_tower: %d heads do not divide text_width %d", t.Heads, c.TextWidth))
	}
	if !finite(t.LayerNormEpsilon) || t.LayerNormEpsilon <= 0 {
		errs = append(errs, fmt.Errorf("text_tower: layer_norm_epsilon is %v, want above 0", t.LayerNormEpsilon))
	}
	if !c.Causal {
		errs = append(errs, errors.New("text_tower: causal is false: CLIP's text tower is causal"))
	}
	return errs
}

func finite(v float32) bool {
	f := float64(v)
	return !math.IsNaN(f) && !math.IsInf(f, 0)
}

// WriteConfig writes upl.json into a model's folder, whole or not at all.
func WriteConfig(dir string, c Config) error {
	if err := c.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("writing upl.json: %w", err)
	}
	path := filepath.Join(dir, filepath.FromSlash(ConfigFile))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing upl.json: %w", err)
	}
	if err := renameio.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing upl.json: %w", err)
	}
	return nil
}

// AssetPath is where a file that the configuration names lies.
func AssetPath(dir, file string) string {
	return filepath.Join(dir, filepath.Dir(filepath.FromSlash(ConfigFile)), filepath.FromSlash(strings.TrimSpace(file)))
}
