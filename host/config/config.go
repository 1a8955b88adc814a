package config

import (
	"slices"
	"time"
)

// Config is the effective configuration of a run: defaults filled in, paths
// absolute. [Load] makes it.
//
// The tags of the fields, here and below:
//
//	yaml      the key
//	default   the value without the key, as YAML
//	derived   in words, the default that Load works out
//	enum      the allowed values
//	range     the interval of allowed numbers, "(0,1]"; for a list, of its length
//	pattern   the regular expression of allowed strings; allowed says it in words
//	required  "yes": there is no default
//	path      "file": a path; "split": a path below dataset.path, or a path;
//	          "plugin": a name, or a path where it holds a separator
//	results   "no": the value changes no result, see Fingerprint
//	source    where the default comes from
//	example   a value, as YAML
type Config struct {
	// What the run is called, in its report and as its folder.
	Name string `yaml:"name" derived:"the file's name without its ending" pattern:"[\\p{L}\\p{N}][^/\\\\\\x00-\\x1f]*" allowed:"begins with a letter or digit; no slashes" results:"no" example:"glyphs"`
	// Where all randomness starts: the contexts' initial values, the order of
	// training, and what a plugin draws.
	Seed uint64 `yaml:"seed" default:"1" range:"[0,9007199254740991]" example:"7"`
	// Where TensorFlow computes. `auto` takes a GPU where there is one; `gpu`
	// fails where there is none; `gpu:1` is the second.
	Device string `yaml:"device" default:"auto" pattern:"auto|cpu|gpu(:[0-9]{1,3})?" allowed:"auto, cpu, gpu, gpu:N" results:"no" example:"gpu:1"`
	// The models. The first is trained and tested; all of them make pseudo
	// labels.
	Models []Model `yaml:"models" required:"yes" range:"[1,64]" source:"UPL, pseudo-label ensemble"`
	// The pictures.
	Dataset Dataset `yaml:"dataset"`
	// The text of zero-shot classification.
	Prompt Prompt `yaml:"prompt"`
	// How pictures get pseudo labels.
	Label Label `yaml:"label"`
	// How the prompt is learned from the pseudo labels.
	Learn Learn `yaml:"learn"`
	// Where the run writes, and what it may use of the machine.
	Run Run `yaml:"run"`
	// What is kept across runs.
	Cache Cache `yaml:"cache"`
	// The report.
	Report Report `yaml:"report"`
	// The log.
	Log Log `yaml:"log"`

	// written holds path keys as the user wrote them.
	written map[string]string
}

// Model is one vision-language model.
type Model struct {
	// The model's folder: a SavedModel with assets.extra/upl.json, as
	// `upl-host export` writes it.
	Path string `yaml:"path" required:"yes" path:"file" example:"models/vit"`
	// What the model is called in the run's files.
	Name string `yaml:"name" derived:"the last element of its path" pattern:"[\\p{L}\\p{N}][^/\\\\\\x00-\\x1f]*" allowed:"begins with a letter or digit; no slashes" example:"vit"`
}

// Dataset says which pictures there are, and which classes.
type Dataset struct {
	// How the pictures are laid out: `folder`, a folder per class; `csv`, a
	// table of paths and, where there are any, labels and splits; `jsonl`, the
	// same, an object a line; `list`, pictures without labels; `parquet`,
	// Hugging Face's Parquet files; `webdataset`, tars as CLIP_benchmark writes
	// them; the others are data sets in CoOp's layout (docs/datasets.md).
	Kind string `yaml:"kind" default:"folder" enum:"folder,csv,jsonl,list,parquet,webdataset,imagenet,caltech101,oxford_pets,stanford_cars,oxford_flowers,food101,fgvc_aircraft,sun397,dtd,eurosat,ucf101" example:"csv"`
	// The data set's folder, or its table. Of a data set in CoOp's layout also
	// the folder that holds all of them.
	Path string `yaml:"path" required:"yes" path:"file" example:"images/glyphs"`
	// Other pictures of ImageNet's classes, for kind `imagenet`: ImageNetV2,
	// ImageNet-Sketch, -A, -R.
	Variant string `yaml:"variant" derived:"ImageNet itself" enum:"v2,sketch,a,r" example:"v2"`
	// A file that says which pictures are in which split, in CoOp's JSON, for
	// `folder` and in place of the official ones; `upl-host dataset split` makes
	// one.
	Split string `yaml:"split" path:"split" derived:"the official one, where there is one" example:"split.json"`
	// A file with a class a line: its folder, a tab, its name; or its name
	// alone. Without it the classes are those that the folders, or the
	// labels, name.
	Classes string `yaml:"classes" path:"file" derived:"the folders or labels found" example:"classes.txt"`
	// The pictures that get pseudo labels: a sub-folder of the data set, or a
	// table; of a data set in CoOp's layout, or with `split`, the name of a
	// split: `train`, `val`, `test`. Without it the split `train` serves, or
	// every picture where there are no splits.
	Unlabeled string `yaml:"unlabeled" path:"split" derived:"the split train, or every picture" example:"train"`
	// The labelled pictures on which supervised baselines search their
	// hyper-parameters, named as `unlabeled` is. Without it the split `val`
	// serves, or none where there are no splits.
	Validation string `yaml:"validation" path:"split" derived:"the split val, or none" example:"val"`
	// The pictures that are classified and, where they have labels,
	// evaluated, named as `unlabeled` is. Without it the split `test` serves, or
	// every picture where there are no splits.
	Test string `yaml:"test" path:"split" derived:"the split test, or every picture" example:"test"`
	// What to do about a picture that is listed and not there.
	Missing string `yaml:"missing" default:"fail" enum:"fail,skip" example:"skip"`
	// What to do about a file that cannot be read as a picture. Those skipped
	// are counted, and listed in skipped.csv.
	Corrupt string `yaml:"corrupt" default:"skip" enum:"skip,fail" example:"fail"`
	// How pictures become the square that a model sees: `clip`, the shorter side to
	// its size and the middle cut out, as OpenAI does; `squash`, both sides to its
	// size, as the code of UPL and CoOp does.
	Resize string `yaml:"resize" derived:"each model's own (resize_mode)" enum:"clip,squash" source:"CLIP; CoOp's Dassl" example:"squash"`
	// The most pixels a picture may have; a larger one counts as corrupt,
	// before memory is taken for it.
	MaxPixels int64 `yaml:"max_pixels" default:"89478485" range:"[1,2147483647]" source:"Pillow's limit" example:"25000000"`
}

// ownSplits says whether splits are names, not paths.
func (d Dataset) ownSplits() bool {
	return d.Split != "" || !slices.Contains([]string{"folder", "csv", "jsonl", "list"}, d.Kind)
}

// Prompt is the text of zero-shot classification. One of its keys is given, or
// none.
type Prompt struct {
	// The prompt of a class; its name takes the place of `[CLS]` (or `{}`, or `{c}`).
	Template string `yaml:"template" derived:"the data set's own, else: a photo of a [CLS]." source:"UPL, eq. 1; CoOp's for the eleven data sets" example:"a drawing of a [CLS]."`
	// Several templates instead of one: a class's text features are averaged
	// over them and normalised again. `openai-80` are CLIP's for ImageNet,
	// `tip-adapter-7` the seven best of them.
	Templates Templates `yaml:"templates" derived:"none" enum:"tip-adapter-7,openai-80" range:"[0,1000]" source:"CLIP, prompt ensemble" example:"[\"a photo of a [CLS].\", \"a drawing of a [CLS].\"]"`
	// A file of templates, one a line.
	TemplatesFile string `yaml:"templates_file" path:"file" derived:"none" example:"templates.txt"`
	// A file of prompts that each class has for itself, as CuPL writes them: JSON, a
	// list of texts by each class name. They take the place of templates.
	ClassPrompts string `yaml:"class_prompts" path:"file" derived:"none" source:"CuPL" example:"cupl.json"`
}

// Label says how pictures get pseudo labels.
type Label struct {
	// How the models' probabilities become one matrix.
	Ensemble Policy `yaml:"ensemble" default:"{plugin: mean}"`
	// Which pictures get which pseudo labels.
	Selection Policy `yaml:"selection" default:"{plugin: top-k}"`
	// How often pictures are selected: after each round but the last, learn.method
	// learns from its pseudo labels, and the next one selects by the probabilities
	// that the first model then gives; the other models' stay.
	Rounds int `yaml:"rounds" default:"1" range:"[1,100]" source:"GRIP, Menghini et al. 2023" example:"10"`
	// Seeds that learn in each round before the last: the first so many of
	// learn.seeds. In the last round all of them do.
	RoundSeeds int `yaml:"round_seeds" default:"1" range:"[1,1000]" example:"4"`
	// How frequent the classes are, for plugins that can use it: a number for each
	// class in their order, or the path of a file, .npy with as many numbers, or .csv
	// with a class name and a number a line. Counts will do: only the shares matter.
	Prior Prior `yaml:"prior" path:"file" derived:"unknown" allowed:"at least 0, not all of them 0" example:"[0.5, 0.25, 0.25]"`
	// The lock of plugins: which may run, and what each may see. One that is
	// named has to be there.
	Lock string `yaml:"lock" path:"file" derived:"upl.lock in the configuration's folder, else in the working folder, where there is one" results:"no" example:"upl.lock"`
	// Run plugins that are WebAssembly modules in child processes: a fault of
	// the sandbox then ends the child and not the run's own process.
	Isolate bool `yaml:"isolate" default:"false" results:"no" example:"true"`
	// What a plugin may take before the run is ended. A plugin whose manifest
	// asks for more is refused before the run begins.
	Limits Limits `yaml:"limits"`
}

// Prior is a prior over the classes: a file of it, or its values, or neither.
type Prior struct {
	File   string
	Values []float64
}

// Policy is a plugin and what it is told.
type Policy struct {
	// The plugin: a name that `upl-host plugin list` shows, or the path of its
	// folder or module (`./my-rule`).
	Plugin string `yaml:"plugin" path:"plugin" pattern:".+" allowed:"a name or a path" example:"./my-rule"`
	// The plugin's own parameters, as `upl-host plugin show` describes them;
	// case and types are kept. One that is not given has the plugin's default
	// (top-k: k = 16, as in UPL).
	Params Params `yaml:"params" default:"{}" example:"{k: 8}"`
}

// Params are a plugin's parameters, in the types of JSON: nil, bool, int64,
// uint64 (beyond int64), float64, string, []any, map[string]any.
type Params map[string]any

// Limits are the ceilings of every plugin of a run.
type Limits struct {
	// The longest that a plugin may compute.
	Time time.Duration `yaml:"time" default:"10m" range:"[1ms,720h]" results:"no" example:"30s"`
	// The most memory that a plugin may hold which is a WebAssembly module.
	Memory Size `yaml:"memory" default:"256MiB" range:"[64KiB,4GiB]" results:"no" example:"1GiB"`
	// The most memory that a plugin may hold which is a program, with what it
	// starts: it is looked at several times a second.
	ProcessMemory Size `yaml:"process_memory" default:"4GiB" range:"[1MiB,1TiB]" results:"no" example:"16GiB"`
}

// The methods of learning.
const (
	MethodZeroShot    = "zero-shot"
	MethodPrompt      = "prompt"
	MethodCoOp        = "coop"
	MethodCLIPAdapter = "clip-adapter"
	MethodTipAdapter  = "tip-adapter"
	MethodTipAdapterF = "tip-adapter-f"
	MethodLinearProbe = "linear-probe"
)

// The labels that are learned from.
const (
	LabelsPseudo = "pseudo"
	LabelsTrue   = "true"
)

// Learn says what is learned, and how.
type Learn struct {
	// What is learned (docs/baselines.md): `prompt`, a context for the text encoder,
	// as UPL does; `coop`, the same with CoOp's number of epochs; `clip-adapter`,
	// `tip-adapter`, `tip-adapter-f`, `linear-probe`, on the pictures' features;
	// `zero-shot`, nothing (`none` is read as that).
	Method string `yaml:"method" default:"prompt" enum:"zero-shot,prompt,coop,clip-adapter,tip-adapter,tip-adapter-f,linear-probe" source:"UPL, eq. 3 and 4" example:"zero-shot"`
	// What it is learned from: the pseudo labels that `label.selection` makes, or the
	// `true` labels of the unlabeled pictures, as the baselines were published. Those
	// of test pictures are never learned from.
	Labels string `yaml:"labels" default:"pseudo" enum:"pseudo,true" example:"true"`
	// With true labels, how many pictures of each class are learned from, drawn by each
	// seed; 0 is all of them. With pseudo labels the selection decides.
	Shots int `yaml:"shots" default:"16" range:"[0,1000000]" source:"CoOp" example:"4"`
	// L, the number of context vectors.
	ContextLength int `yaml:"context_length" default:"16" range:"[1,1024]" source:"UPL" example:"4"`
	// Where the class name stands: behind the context, between its halves, or
	// before it.
	ClassTokenPosition string `yaml:"class_token_position" default:"end" enum:"end,middle,front" source:"CoOp, UPL" example:"middle"`
	// A context for each class instead of one for all.
	ClassSpecific bool `yaml:"class_specific" default:"false" source:"CoOp, UPL" example:"true"`
	// Words whose token embeddings the context starts as; their number of
	// tokens then takes the place of context_length. Without them the context
	// is drawn from N(0, 0.02²).
	InitialWords string `yaml:"initial_words" source:"CoOp, UPL" example:"a photo of a"`
	// One context, or whatever the method learns, is learned for each seed, and their
	// logits are averaged. A number N stands for N seeds from `seed` on. A method
	// that draws nothing is learned once.
	Seeds Seeds `yaml:"seeds" default:"16" range:"[1,1000]" source:"UPL, prompt ensemble" example:"[1, 2, 3, 4]"`
	// How often a seed's training sees the pictures that it learns from. 0 is the
	// published number: of `coop` and `clip-adapter` 50 for one picture a class or 1000
	// classes, 100 for up to four, else 200; of `tip-adapter-f` 20, for EuroSAT 100.
	Epochs int `yaml:"epochs" default:"50" derived:"50; coop, clip-adapter, tip-adapter-f: 0" range:"[0,100000]" source:"UPL, CoOp, Tip-Adapter" example:"10"`
	// Augmented views of each picture that is learned from, random parts of it as the
	// method's code draws them (8 to 100 % of the area, of Tip-Adapter 50 to 100 %,
	// mirrored or not), of which an epoch sees one; Tip-Adapter's keys are the mean of
	// all. 1 is the picture as it is tested.
	Views int `yaml:"views" default:"1" derived:"1; tip-adapter, tip-adapter-f: 10" range:"[1,100]" example:"10"`
	// Pictures in a step.
	BatchSize int `yaml:"batch_size" default:"32" derived:"32; tip-adapter-f: 256" range:"[1,65536]" source:"UPL, Tip-Adapter" example:"64"`
	// The rate at which the cosine schedule starts.
	LearningRate float64 `yaml:"learning_rate" default:"0.002" derived:"0.002; tip-adapter-f: 0.001" range:"(0,1000]" source:"UPL, Tip-Adapter" example:"0.001"`
	// The momentum of SGD.
	Momentum float64 `yaml:"momentum" default:"0.9" range:"[0,1)" source:"CoOp, UPL" example:"0"`
	// The weight decay of SGD; of AdamW for `tip-adapter-f`.
	WeightDecay float64 `yaml:"weight_decay" default:"0.0005" derived:"0.0005; tip-adapter-f: 0.01" range:"[0,1]" source:"CoOp, UPL; Tip-Adapter" example:"0"`
	// Epochs at the constant warm-up rate, of all epochs the first; none for
	// `tip-adapter-f`.
	WarmupEpochs int `yaml:"warmup_epochs" default:"1" range:"[0,100000]" source:"CoOp, UPL" example:"0"`
	// The rate of the warm-up epochs.
	WarmupLearningRate float64 `yaml:"warmup_learning_rate" default:"1e-5" range:"[0,1000]" source:"CoOp, UPL" example:"1e-4"`
	// What a step may hold of the text encoder's rows between its way forth and
	// back. Where the classes need more they go in parts, exactly, in about half as
	// long again; TensorFlow and the weights come on top. The last bits of results
	// depend on it.
	Memory Size `yaml:"memory" default:"2GiB" range:"[1MiB,1TiB]" example:"8GiB"`
	// Seeds that are trained side by side in one step, which is faster where there
	// are few classes; 0 is chosen by the number of their tokens. The last bits of
	// results depend on it.
	Together int `yaml:"together" default:"0" range:"[0,1000]" example:"1"`
	// CLIP-Adapter.
	Adapter Adapter `yaml:"adapter"`
	// Tip-Adapter and Tip-Adapter-F.
	Tip Tip `yaml:"tip"`
	// The linear probe.
	Probe Probe `yaml:"probe"`
}

// Adapter says what is particular to CLIP-Adapter.
type Adapter struct {
	// How much of a picture's features the adapter's take the place of.
	Ratio float64 `yaml:"ratio" default:"0.2" range:"[0,1]" source:"CLIP-Adapter" example:"0.5"`
}

// Tip says what is particular to Tip-Adapter and Tip-Adapter-F.
type Tip struct {
	// The weight of the cache beside the text features, where it is not searched;
	// Tip-Adapter-F learns with it.
	Alpha float64 `yaml:"alpha" default:"1.17" derived:"Tip-Adapter's for the data set, 1.17 to 10; else 1.17" range:"[0,1000]" source:"Tip-Adapter" example:"2"`
	// How sharply the cache falls off with distance, likewise.
	Beta float64 `yaml:"beta" default:"1" range:"[0,1000]" source:"Tip-Adapter" example:"5.5"`
	// Search both on `dataset.validation`, where there is one and labels are true.
	Search bool `yaml:"search" default:"true" example:"false"`
	// How far alpha is searched, in 20 steps.
	AlphaMax float64 `yaml:"alpha_max" default:"3" derived:"Tip-Adapter's for the data set, 3 to 50; else 3" range:"(0.1,1000]" source:"Tip-Adapter" example:"10"`
	// How far beta is searched, in 200 steps.
	BetaMax float64 `yaml:"beta_max" default:"7" derived:"Tip-Adapter's for the data set, 7 to 50; else 7" range:"(0.1,1000]" source:"Tip-Adapter" example:"12"`
}

// Probe says what is particular to the linear probe.
type Probe struct {
	// The strength of L2, 1/C in scikit-learn's words, where it is not searched.
	L2 float64 `yaml:"l2" default:"3.16" range:"(0,1e12]" source:"CLIP" example:"1"`
	// Search it from 1e-6 to 1e6 on `dataset.validation`, where there is one and
	// labels are true.
	Search bool `yaml:"search" default:"true" source:"CLIP" example:"false"`
}

// Seeds are the seeds of the contexts, one or more, distinct.
type Seeds []uint64

// Run says where a run writes and what it may use of the machine.
type Run struct {
	// The run's folder.
	Out string `yaml:"out" path:"file" derived:"runs/NAME" results:"no" example:"../results/glyphs"`
	// Threads to compute with; 0 is one for each core. Results are the same
	// with any number.
	Threads int `yaml:"threads" default:"0" range:"[0,4096]" results:"no" example:"4"`
	// Pictures encoded at once, from 2 on rounded up to a multiple of 8: more take
	// more memory. The last bits of features depend on it, since other kernels
	// serve other sizes.
	BatchSize int `yaml:"batch_size" default:"32" range:"[1,4096]" example:"8"`
	// In what numbers matrices are multiplied, of the towers and of the gradient.
	// `bfloat16` is for processors with AVX512_BF16 or AMX_BF16 and fails elsewhere,
	// on a GPU too. Against float32, features change by about 1 % of their length,
	// gradients by 1 to 6 %, 2 of 100 zero-shot predictions on the demo; contexts
	// then end elsewhere, with accuracies within 2 points on the demo.
	Precision string `yaml:"precision" default:"float32" enum:"float32,bfloat16" example:"bfloat16"`
}

// Cache says what is kept across runs.
type Cache struct {
	// The folder of what runs need not do again: features of pictures and texts, by
	// content and model, and contexts, by all that they were learned from.
	Dir string `yaml:"dir" path:"file" derived:"upl-host in the user's cache folder" results:"no" example:"~/.cache/upl-host"`
}

// Report says what the report shows.
type Report struct {
	// Write report.html.
	Enabled bool `yaml:"enabled" default:"true" results:"no" example:"false"`
	// Pictures of each class in the gallery.
	Gallery int `yaml:"gallery" default:"4" range:"[0,100]" results:"no" example:"8"`
}

// Log says what is logged.
type Log struct {
	// The least severe message that is logged.
	Level string `yaml:"level" default:"info" enum:"debug,info,warn,error" results:"no" example:"debug"`
}
