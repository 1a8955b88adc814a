package sdk

import (
	"errors"
	"strconv"
)

// Setup is what a policy has in Configure: its parameters, the data set's sizes
// and names, and the host's views to open.
type Setup struct {
	Dataset

	ClassNames  []string  // C
	ModelNames  []string  // M; empty names where the host has none
	LogitScales []float64 // M: 1/tau of each model; empty where unknown
	Prior       []float64 // C; empty unless the configuration gives one
	FeatureDims []int     // M: D of each model; empty unless features are granted

	policy string // the name of the one that is to run
	params object
	views
}

func newSetup(host Host) (*Setup, error) {
	dataset, err := host.Dataset()
	if err != nil {
		return nil, err
	}
	text, err := host.Config()
	if err != nil {
		return nil, err
	}
	parsed, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	s := &Setup{Dataset: dataset, views: views{host: host}}
	config, _ := parsed.(object)
	policy, _ := config.get("policy")
	s.policy, _ = policy.(string)
	params, _ := config.get("params")
	s.params, _ = params.(object)
	sizes, _ := config.get("dataset")
	names, _ := sizes.(object)
	s.ClassNames = stringsOf(names, "class_names")
	s.ModelNames = stringsOf(names, "model_names")
	s.LogitScales = floatsOf(names, "logit_scales")
	s.Prior = floatsOf(names, "prior")
	for _, d := range floatsOf(names, "feature_dims") {
		s.FeatureDims = append(s.FeatureDims, int(d))
	}
	return s, nil
}

func stringsOf(o object, name string) []string {
	v, _ := o.get(name)
	list, _ := v.([]value)
	out := make([]string, len(list))
	for i, item := range list {
		out[i], _ = item.(string)
	}
	return out
}

func floatsOf(o object, name string) []float64 {
	v, _ := o.get(name)
	list, _ := v.([]value)
	out := make([]float64, len(list))
	for i, item := range list {
		n, _ := item.(number)
		out[i], _ = strconv.ParseFloat(string(n), 64)
	}
	return out
}

// Takes says whether the host takes records of a kind. A policy
// whose result is of one that it does not take had better say so in Configure.
func (s *Setup) Takes(kind EmitKind) bool {
	switch kind {
	case EmitHard:
		return true
	case EmitSoft:
		return s.Flags&TakesSoft != 0
	case EmitCandidates:
		return s.Flags&TakesCandidates != 0
	case EmitDrop:
		return s.Flags&TakesDrops != 0
	case EmitMean:
		return s.Flags&TakesMeans != 0
	}
	return false
}

// Learns says whether the host learns from each round's selection, so that the
// next round has other probabilities.
func (s *Setup) Learns() bool { return s.Flags&Retrains != 0 }

// Has says whether the parameter is given (or has a default), and is not null.
func (s *Setup) Has(parameter string) bool {
	v, ok := s.params.get(parameter)
	return ok && v != nil
}

// Int is an integer parameter.
func (s *Setup) Int(parameter string) (int, error) {
	x, err := s.Float(parameter)
	if err != nil {
		return 0, err
	}
	if x != float64(int64(x)) || x > 1<<53 || x < -(1<<53) {
		return 0, Unusable(parameter, "is not an integer")
	}
	return int(x), nil
}

// Float is a number parameter.
func (s *Setup) Float(parameter string) (float64, error) {
	v, _ := s.params.get(parameter)
	n, ok := v.(number)
	if !ok {
		return 0, s.wrongType(parameter, "a number")
	}
	x, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return 0, Unusable(parameter, "is not a number that can be represented")
	}
	return x, nil
}

// Text is a string parameter.
func (s *Setup) Text(parameter string) (string, error) {
	v, _ := s.params.get(parameter)
	text, ok := v.(string)
	if !ok {
		return "", s.wrongType(parameter, "a string")
	}
	return text, nil
}

// Bool is a parameter of true or false.
func (s *Setup) Bool(parameter string) (bool, error) {
	v, _ := s.params.get(parameter)
	b, ok := v.(bool)
	if !ok {
		return false, s.wrongType(parameter, "true or false")
	}
	return b, nil
}

// Floats is a parameter that is a list of numbers.
func (s *Setup) Floats(parameter string) ([]float64, error) {
	v, _ := s.params.get(parameter)
	list, ok := v.([]value)
	if !ok {
		return nil, s.wrongType(parameter, "a list of numbers")
	}
	for _, item := range list {
		if _, ok := item.(number); !ok {
			return nil, s.wrongType(parameter, "a list of numbers")
		}
	}
	return floatsOf(s.params, parameter), nil
}

func (s *Setup) wrongType(parameter, want string) error {
	if !s.Has(parameter) {
		return Unusable(parameter, "is missing")
	}
	return Unusable(parameter, "is not "+want)
}

// Log writes a line to the run's log, where its level is wanted.
func (v views) Log(level Level, message string) {
	if v.host.LogEnabled(level) {
		// A full log is the host's to report; a policy need not stop for it.
		_ = v.host.Log(level, message)
	}
}

// Metric records a number of the rule's own, under its name and the round.
func (v views) Metric(name string, x float64) error { return v.host.Metric(name, x) }

// Random fills dst with random bytes, a function of the run's seed, the policy
// and the round alone.
func (v views) Random(dst []byte) error { return v.host.Random(dst) }

// CodeOf is the code and message of an error on its way to the host.
func CodeOf(err error) (Code, string) {
	var e *Error
	if errors.As(err, &e) && e.Code < 0 {
		return e.Code, err.Error()
	}
	return CodeInternal, err.Error()
}
