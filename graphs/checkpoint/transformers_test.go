package checkpoint_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/upl-host/upl-host/graphs/checkpoint"
	"github.com/upl-host/upl-host/graphs/checkpoint/internal/pickletest"
	"github.com/upl-host/upl-host/graphs/checkpoint/pickle"
	"github.com/upl-host/upl-host/graphs/safetensors"
)

// TestTransformers checks names, the joined projections and the transposed ones
// against the file's own tensors.
func TestTransformers(t *testing.T) {
	file, err := safetensors.Open(golden + "/vit-transformers/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, file)
	stored := func(name string) []float32 {
		_, values, err := file.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	got := tensors(t, open(t, golden+"/vit-transformers"))
	attention := "vision_model.encoder.layers.1.self_attn."
	want := slices.Concat(stored(attention+"q_proj.weight"), stored(attention+"k_proj.weight"), stored(attention+"v_proj.weight"))
	if !slices.Equal(want, got["visual.transformer.resblocks.1.attn.in_proj_weight"]) {
		t.Error("the projections of queries, keys and values are not joined in this order")
	}
	projection, plain := stored("text_projection.weight"), got["text_projection"]
	for i := range 64 {
		for j := range 64 {
			if projection[i*64+j] != plain[j*64+i] {
				t.Fatalf("text_projection is not transposed at %d, %d", i, j)
			}
		}
	}
	for from, to := range map[string]string{
		"vision_model.pre_layrnorm.bias":                  "visual.ln_pre.bias",
		"text_model.encoder.layers.0.mlp.fc2.weight":      "transformer.resblocks.0.mlp.c_proj.weight",
		"text_model.encoder.layers.1.layer_norm2.weight":  "transformer.resblocks.1.ln_2.weight",
		"text_model.embeddings.position_embedding.weight": "positional_embedding",
	} {
		if !slices.Equal(stored(from), got[to]) {
			t.Errorf("%s is not %s", to, from)
		}
	}
}

// TestTransformersTorch reads what transformers saved before safetensors.
func TestTransformersTorch(t *testing.T) {
	file, err := safetensors.Open(golden + "/vit-transformers/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, file)
	dict := pickletest.Dict()
	storages := make([][]byte, 0, len(file.Names()))
	for i, name := range file.Names() {
		shape, values, err := file.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		dict.Entries = append(dict.Entries, pickle.Entry{Key: name, Value: contiguous(strconv.Itoa(i), shape)})
		storages = append(storages, safetensors.Float32(name, shape, values).Bytes)
	}
	folder := t.TempDir()
	copyFile(t, golden+"/vit-transformers/config.json", folder+"/config.json")
	write(t, folder+"/pytorch_model.bin", pickletest.Save(dict, storages...))
	compare(t, "pytorch_model.bin", tensors(t, open(t, golden+"/vit-transformers")), tensors(t, open(t, folder)))
}

// TestSharded splits transformers' file in three and reads the parts as one.
func TestSharded(t *testing.T) {
	whole := golden + "/vit-transformers"
	folder := shard(t, whole)
	compare(t, "shards", tensors(t, open(t, whole)), tensors(t, open(t, folder)))
	if c := open(t, filepath.Join(folder, "model.safetensors.index.json")); c.Name != filepath.Base(folder) {
		t.Errorf("name %q", c.Name)
	}
	shardName := "model-00002-of-00003.safetensors"
	for name, c := range map[string]struct {
		change map[string]func([]byte) []byte
		kind   error
	}{
		"shard missing":     {map[string]func([]byte) []byte{shardName: nil}, fs.ErrNotExist},
		"shard cut off":     {map[string]func([]byte) []byte{shardName: cut}, checkpoint.ErrCorrupt},
		"shard that is one": {map[string]func([]byte) []byte{shardName: func([]byte) []byte { return read(t, folder+"/model-00001-of-00003.safetensors") }}, checkpoint.ErrCorrupt},
		"shard elsewhere":   {map[string]func([]byte) []byte{"model.safetensors.index.json": replace(t, shardName, "../x.safetensors")}, checkpoint.ErrCorrupt},
		"tensor elsewhere":  {map[string]func([]byte) []byte{"model.safetensors.index.json": replace(t, `"weight_map":{`, `"weight_map":{"x":"`+shardName+`",`)}, checkpoint.ErrCorrupt},
		"empty index":       {map[string]func([]byte) []byte{"model.safetensors.index.json": func([]byte) []byte { return []byte("{}") }}, checkpoint.ErrCorrupt},
	} {
		if _, err := checkpoint.Open(copyFolder(t, folder, c.change)); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
}

// shard splits model.safetensors as transformers' save_pretrained does.
func shard(t *testing.T, from string) string {
	t.Helper()
	file, err := safetensors.Open(from + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, file)
	folder := t.TempDir()
	copyFile(t, from+"/config.json", folder+"/config.json")
	const parts = 3
	var tensors [parts][]safetensors.Tensor
	weightMap := map[string]string{}
	for i, name := range file.Names() {
		info, _ := file.Info(name)
		data, err := file.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(data)
		if err != nil {
			t.Fatal(err)
		}
		tensors[i%parts] = append(tensors[i%parts], safetensors.Tensor{Name: name, Type: info.Type, Shape: info.Shape, Bytes: raw})
		weightMap[name] = fmt.Sprintf("model-%05d-of-%05d.safetensors", i%parts+1, parts)
	}
	for i, part := range tensors {
		path := fmt.Sprintf("%s/model-%05d-of-%05d.safetensors", folder, i+1, parts)
		if err := safetensors.Write(path, part, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
	}
	index, err := json.Marshal(map[string]any{"weight_map": weightMap})
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder+"/model.safetensors.index.json", index)
	return folder
}
