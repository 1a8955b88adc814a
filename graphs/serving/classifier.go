package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	saved "github.com/wamuir/graft/tensorflow/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/graphs"
	"github.com/upl-host/upl-host/graphs/array"
	"github.com/upl-host/upl-host/graphs/savedmodel"
)

// Classifier is what a model's picture features are compared with, and where it
// comes from.
type Classifier struct {
	// ClassFeatures [C, D]: their inner products with a picture's features,
	// times LogitScale, are its logits. Rows need not be of length 1.
	ClassFeatures array.Matrix
	LogitScale    float32
	ClassNames    []string // C, in the order of the rows
	// ResizeMode is clip or squash; empty: the model's own.
	ResizeMode string
	Origin     Origin
}

// Origin says where a classifier comes from; it is written beside the graph.
type Origin struct {
	Run       string   `json:"run"`        // name of the run
	Model     string   `json:"model"`      // name of the model
	ModelHash string   `json:"model_hash"` // of the model's folder, see graphs.Hash
	Prompts   int      `json:"prompts"`    // learnt, that ClassFeatures are the mean of; 0: zero-shot
	Templates []string `json:"templates"`  // of the zero-shot class features
	Software  string   `json:"software"`
}

// DescriptionFile is where a served classifier says what it is.
const DescriptionFile = savedmodel.ExtraFolder + "/upl-classifier.json"

// description is the content of DescriptionFile.
type description struct {
	Format     string   `json:"format"`
	Version    int      `json:"format_version"`
	ClassNames []string `json:"class_names"`
	LogitScale float32  `json:"logit_scale"`
	ImageSize  int      `json:"image_size"`
	Origin
}

// featureLimit bounds the class features, which are a constant of the graph: a
// protobuf ends at 2 GiB.
const featureLimit = 1 << 30 // bytes

// Write writes the classifier of the model in modelDir into the folder outDir,
// whole or not at all; equal inputs give equal bytes. The model's weights are
// copied. An outDir that exists is savedmodel.ErrExists, unless it is a
// SavedModel other than modelDir and overwrite is set. A model that breaks the
// contract is graphs.ErrContract.
func Write(ctx context.Context, modelDir, outDir string, c Classifier, overwrite bool) error {
	config, err := graphs.ReadConfig(modelDir)
	if err != nil {
		return err
	}
	if c.ResizeMode != "" {
		config.ResizeMode = c.ResizeMode
	}
	if err := check(modelDir, config, c); err != nil {
		return err
	}
	meta, err := savedmodel.Read(modelDir)
	if err != nil {
		return err
	}
	if meta, err = classify(meta, config, c); err != nil {
		return fmt.Errorf("making a classifier of %s: %w", modelDir, err)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(&saved.SavedModel{
		SavedModelSchemaVersion: 1, MetaGraphs: []*saved.MetaGraphDef{meta},
	})
	if err != nil {
		return fmt.Errorf("making a classifier of %s: serialising the graph: %w", modelDir, err)
	}
	about, err := json.MarshalIndent(description{
		Format: "upl-host served classifier", Version: 1,
		ClassNames: c.ClassNames, LogitScale: c.LogitScale, ImageSize: config.ImageSize, Origin: c.Origin,
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("describing the classifier: %w", err)
	}
	return replaceFolder(outDir, modelDir, overwrite, func(dir string) error {
		if err := os.WriteFile(filepath.Join(dir, savedmodel.GraphFile), raw, 0o644); err != nil {
			return err
		}
		for _, part := range []string{variableFolder, assetFolder} {
			if err := copyTree(ctx, filepath.Join(modelDir, part), filepath.Join(dir, part)); err != nil {
				return fmt.Errorf("copying the model's %s: %w", part, err)
			}
		}
		path := filepath.Join(dir, filepath.FromSlash(DescriptionFile))
		if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		return os.WriteFile(path, append(about, '\n'), 0o644)
	})
}

// check refuses what cannot be put together.
func check(modelDir string, config graphs.Config, c Classifier) error {
	signatures, err := graphs.Signatures(modelDir)
	if err != nil {
		return err
	}
	if err := graphs.CheckContract(config, signatures); err != nil {
		return fmt.Errorf("%s: %w", modelDir, err)
	}
	if _, ok := signatures[graphs.SignatureSimilarity]; ok {
		return fmt.Errorf("%s: %w: it compares pictures and texts by a signature `similarity` of its own; a served classifier is of inner products", modelDir, graphs.ErrContract)
	}
	features := c.ClassFeatures
	switch {
	case len(c.ClassNames) == 0:
		return errors.New("a classifier without classes")
	case features.Rows != len(c.ClassNames) || features.Cols != config.EmbeddingWidth || len(features.Data) != features.Rows*features.Cols:
		return fmt.Errorf("class features of %d x %d for %d classes and the %d features of %s",
			features.Rows, features.Cols, len(c.ClassNames), config.EmbeddingWidth, modelDir)
	case 4*len(features.Data) > featureLimit:
		return fmt.Errorf("%d classes of %d features are %d bytes, and a graph holds %d of them", features.Rows, features.Cols, 4*len(features.Data), featureLimit)
	case !(c.LogitScale > 0) || math.IsInf(float64(c.LogitScale), 0):
		return fmt.Errorf("the logit scale is %g, want above 0", c.LogitScale)
	}
	if err := features.CheckFinite(); err != nil {
		return fmt.Errorf("class features: %w", err)
	}
	return nil
}
