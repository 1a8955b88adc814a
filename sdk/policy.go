package sdk

// Selection chooses pseudo labels. It is made anew for every run.
type Selection interface {
	// Configure reads the parameters and opens views.
	Configure(*Setup) error
	RoundEnder
}

// Combiner makes one matrix of probabilities of those of several models.
type Combiner interface {
	// Configure reads the parameters and opens views.
	Configure(*Setup) error
	// Combine fills batch.Output() with the probabilities of the batch's rows:
	// finite, not negative, each row summing to 1 within 1e-2.
	Combine(batch *Batch) error
}

// Observer is a policy that looks at each batch of rows.
type Observer interface {
	// Observe sees the next batch; batch views are readable.
	Observe(batch *Batch) error
}

// RoundBeginner is a policy that prepares each round.
type RoundBeginner interface {
	// BeginRound may open views for this round alone.
	BeginRound(*Round) error
}

// RoundEnder is a policy that concludes each round.
type RoundEnder interface {
	// EndRound may read global views and emit. The last round's selection is the
	// result. Asking for another after a round that emitted lets the host learn
	// from its selection, where it does that, and gives the next round what it
	// learnt; after one that emitted nothing it is another pass over the same.
	EndRound(*Round) (another bool, err error)
}

// Policy declares a policy: what a plugin lists in its call of serve.Policies.
type Policy struct {
	Name    string // lower case letters, digits and hyphens
	Version string // semantic version
	Summary string // one line

	// Parameters is the JSON Schema of the parameters: an object. The host checks
	// them before the policy runs and fills in each property's "default", so that
	// Configure finds every parameter that has one.
	Parameters string

	// Needs are the views that the policy may open; others are denied.
	Needs []ViewKind
	// Rounds says that the policy may ask for more than one round.
	Rounds bool

	// Exactly one of the two makes the policy.
	Selection func() Selection
	Ensemble  func() Combiner
}

// Kind is the kind of policy.
func (p Policy) Kind() Kind {
	if p.Ensemble != nil {
		return KindEnsemble
	}
	return KindSelection
}

// Describe is the JSON by which a plugin describes its policies to its host:
// {"policies": [{"name", "version", "kind", "summary", "needs": {"views",
// "rounds"}, "parameters"}]}.
func Describe(policies ...Policy) []byte {
	b := []byte(`{"policies":[`)
	for i, policy := range policies {
		if i > 0 {
			b = append(b, ',')
		}
		b = policy.describe(b)
	}
	return append(b, "]}"...)
}

func (p Policy) describe(b []byte) []byte {
	for _, field := range [][2]string{
		{`{"name":`, p.Name},
		{`,"version":`, p.Version},
		{`,"kind":`, string(p.Kind())},
		{`,"summary":`, p.Summary},
	} {
		b = append(b, field[0]...)
		b = appendJSONString(b, field[1])
	}
	b = append(b, `,"needs":{"views":[`...)
	for i, view := range p.Needs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, view.String())
	}
	b = append(b, `],"rounds":`...)
	if p.Rounds {
		b = append(b, "true"...)
	} else {
		b = append(b, "false"...)
	}
	b = append(b, `},"parameters":`...)
	if p.Parameters == "" {
		b = append(b, `{"type":"object","additionalProperties":false}`...)
	} else {
		b = append(b, p.Parameters...)
	}
	return append(b, '}')
}
