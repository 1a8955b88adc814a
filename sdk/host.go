package sdk

// Host is what runs a policy: the imports of the binary interface, as Go sees
// them. Policies use [Setup], [Round] and [Batch] instead; carriers implement it.
type Host interface {
	// Config is JSON: {"dataset": {"class_names", "feature_dims", "logit_scales",
	// "model_names", "prior"}, "params": {…}, "policy": "name"}.
	Config() ([]byte, error)
	Dataset() (Dataset, error)
	OpenView(ViewSpec) (handle int32, err error)
	// ReadView copies n records from first on into dst and returns their size in
	// bytes. Where dst is smaller nothing is copied.
	ReadView(handle int32, first int64, n int32, dst []byte) (size int, err error)
	Emit(kind EmitKind, records []byte) error
	LogEnabled(Level) bool
	Log(level Level, message string) error
	Metric(name string, value float64) error
	Random(dst []byte) error
}
