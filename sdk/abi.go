package sdk

// The binary interface, version 1. All integers and floats are little-endian and
// naturally aligned; the records below have no implicit padding, so that their
// memory is their encoding on every platform Go and upl-host run on together.
// The other languages' constants and layouts are generated from this file.

//go:generate go run ./internal/abigen

// ABIVersion is what upl_abi_version returns: major<<16 | minor.
const ABIVersion = 1 << 16

// ImportModule is the name of the module of the host's functions; a module of
// another major version fails to link.
const ImportModule = "upl_v1"

// Kind says what a policy makes.
type Kind string

// The kinds of policies.
const (
	KindSelection Kind = "selection" // pseudo labels from probabilities
	KindEnsemble  Kind = "ensemble"  // one matrix of probabilities from several models'
)

// ViewKind is a kind of view.
type ViewKind uint16

// The views. C classes, M models, p a row's probabilities. Of equal probabilities
// the lower class comes first. Margin of (row, c): p_c minus the largest of the
// other classes', in float32; with one class p_c itself.
const (
	ViewRows      ViewKind = 1  // batch: float32[C], the probabilities themselves
	ViewTopM      ViewKind = 2  // batch: Candidate[m], the m most probable classes
	ViewStats     ViewKind = 3  // batch: Stats
	ViewAgree     ViewKind = 4  // batch: Candidate[M], each model's first class
	ViewColumn    ViewKind = 5  // batch: float32, p of one class
	ViewGather    ViewKind = 6  // at any time: float32[C], rows by number, within a budget
	ViewClassTopK ViewKind = 7  // global: Ranked[C][m]
	ViewClassMean ViewKind = 8  // global: for each c float64 count, float64[C] sums of p over the rows predicted as c
	ViewQuantile  ViewKind = 9  // global: float64[m+1], the i/m quantiles, linear between order statistics
	ViewPrevious  ViewKind = 10 // at any time: Emitted, the last selection
	ViewFeatures  ViewKind = 11 // batch: float32[D], by grant only
)

// viewNames are the views' names, as manifests have them.
var viewNames = [...]string{
	"", "rows", "top_m", "stats", "agree", "column", "gather",
	"class_top_k", "class_mean", "quantile", "previous", "features",
}

// Ensemble is the model number of the ensemble in a [ViewSpec]; in an ensemble
// policy, which has yet to make it, the arithmetic mean over models.
const Ensemble = -1

// Flags of views.
const (
	// FlagAll, of ViewClassTopK: every row is ranked in every class, not only
	// among those predicted as it. Of ViewClassMean: one record, over all rows.
	FlagAll uint16 = 1
	// FlagNoEntropy, of ViewStats: Stats.Entropy is left 0, which saves the
	// host a logarithm per probability.
	FlagNoEntropy uint16 = 2
	// FlagColumn, of ViewQuantile: the quantiles are those of the column of class
	// ViewSpec.Class; with FlagAll of every column, float64[C][m+1].
	FlagColumn uint16 = 4
	// FlagText, of ViewFeatures: the features of the C class texts, at any time.
	FlagText uint16 = 8
)

// Statistics of a row, of which ViewQuantile takes quantiles (ViewSpec.Class).
const (
	QuantileP       uint32 = 0 // largest probability
	QuantileMargin  uint32 = 1 // margin of the first class
	QuantileEntropy uint32 = 2 // entropy, nats
)

// ViewSpec asks for a view.
type ViewSpec struct {
	Size  uint32 // SizeViewSpec
	Kind  ViewKind
	Flags uint16
	Model int32  // 0..M-1, or Ensemble; not used by ViewAgree and ViewPrevious
	M     uint32 // of ViewTopM, ViewClassTopK, ViewQuantile
	Class uint32 // of ViewColumn; the statistic of ViewQuantile, or its column
	// Temperature, where it is not 0, replaces the probabilities that the view is
	// of by softmax(log max(p, 2^-126) / temperature), in float64, rounded to
	// float32. Not of ViewAgree, ViewPrevious, ViewFeatures.
	Temperature float32
	Reserved    [2]uint32 // 0
}

// Flags of [Dataset]: what the host makes of a result. Hard labels it takes
// always; other kinds are refused with CodeNotSupported where their flag is not set.
const (
	TakesSoft       uint32 = 1
	TakesCandidates uint32 = 2
	TakesDrops      uint32 = 4
	// Retrains says that after a round with a selection the host learns from it,
	// and that the next round has the probabilities of what was learnt.
	Retrains uint32 = 8
	// TakesMeans says that an ensemble may be given as a mean of views (EmitMean).
	TakesMeans uint32 = 16
)

// Dataset is the size of the data and the state of the run.
type Dataset struct {
	Size       uint32 // SizeDataset
	Flags      uint32 // TakesSoft …
	Rows       uint64 // N
	Classes    uint32 // C
	Models     uint32 // M
	FeatureDim uint32 // D of model 0; 0 where features are not granted
	BatchRows  uint32 // rows of each batch but the last
	Round      uint32 // from 0
	MaxRounds  uint32
	Seed       uint64
	Reserved   [2]uint64
}

// Candidate is a class with its probability.
type Candidate struct {
	Class uint32
	P     float32
}

// Stats are the numbers of a row.
type Stats struct {
	Class   uint32  // the most probable
	P       float32 // its probability
	Margin  float32
	Entropy float32 // nats; log 0 is taken as log 2^-126
}

// Ranked is a row in the order of a class: p descending, margin descending, row
// ascending. Where a class has fewer than m rows the rest have row NoRow.
type Ranked struct {
	Row      uint64
	P        float32
	Reserved uint32
}

// NoRow marks a Ranked that is none.
const NoRow = ^uint64(0)

// EmitKind is a kind of result.
type EmitKind int32

// The results. A row has hard labels, of several classes perhaps, or one record
// of another kind, once.
const (
	EmitHard       EmitKind = 1 // Label
	EmitSoft       EmitKind = 2 // {u64 row, f32 weight, u32 n} + n Candidate, n >= 1
	EmitCandidates EmitKind = 3 // {u64 row, f32 weight, u32 n} + n u32, n >= 1
	EmitDrop       EmitKind = 4 // {u64 row}
	EmitCombined   EmitKind = 5 // {u64 first, u32 rows, u32 classes} + f32[rows*classes]
	EmitMean       EmitKind = 6 // Share: the ensemble is the mean of these views
)

// emitNames say what records of a kind are.
var emitNames = [...]string{"", "hard labels", "soft labels", "candidate sets", "dropped rows", "combined probabilities", "shares of a mean"}

// Label is a hard pseudo label: this row is of this class, with this weight in
// training. A row may have labels of several classes, but each class once.
type Label struct {
	Row      uint64
	Class    uint32
	Weight   float32 // finite, at least 0; 1 is a whole picture
	Flags    uint32  // 0
	Reserved uint32  // 0
}

// Share is a view of rows that an ensemble is the mean of.
type Share struct {
	View   int32   // its handle
	Weight float32 // finite, above 0
}

// Emitted is a class of a record of the last selection: one of each hard label,
// one of each class of a soft label or candidate set, one of a dropped row. They
// are sorted by row, then class.
type Emitted struct {
	Row    uint64
	Class  uint32 // NoClass of a dropped row
	Weight float32
	Kind   EmitKind
	P      float32 // of a soft label, the probability of the class
}

// NoClass marks an Emitted that has none.
const NoClass = ^uint32(0)

// Sizes of the records, in bytes.
const (
	SizeViewSpec  = 32
	SizeDataset   = 64
	SizeCandidate = 8
	SizeStats     = 16
	SizeRanked    = 16
	SizeLabel     = 24
	SizeShare     = 8
	SizeEmitted   = 24
	SizeHead      = 16 // of EmitSoft, EmitCandidates, EmitCombined
	SizeDrop      = 8
)

// Level is the weight of a log line.
type Level int32

// The levels.
const (
	LevelDebug Level = 0
	LevelInfo  Level = 1
	LevelWarn  Level = 2
	LevelError Level = 3
)

// Code is an error on the wire: what a function returns below 0.
type Code int32

// The codes.
const (
	CodeInvalid      Code = -1 // a malformed argument
	CodeRange        Code = -2 // an index out of range
	CodeNotSupported Code = -3 // known, but not by this host
	CodeDenied       Code = -4 // not declared as needed, or not granted
	CodeLimit        Code = -5 // a limit of the run
	CodeState        Code = -6 // not at this point of the order of calls
	CodeConfig       Code = -7 // a parameter of the user's; the message is shown as it is
	CodeData         Code = -8 // the data cannot be used
	CodeInternal     Code = -9 // a fault of the policy itself
)

// codeNames are what is said of an error without a message, by -Code.
var codeNames = [...]string{
	"", "invalid argument", "out of range", "not supported", "denied", "limit exceeded",
	"not allowed now", "wrong configuration", "unusable data", "internal error",
}
