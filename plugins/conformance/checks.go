package conformance

import (
	"context"

	"github.com/upl-host/upl-host/sdk"
)

// check is one thing that a policy has to stand.
type check struct {
	id    string
	title string
	// after is the check without whose pass this one says nothing.
	after string
	kind  sdk.Kind // the only kind of policy it is for; "" both
	run   func(ctx context.Context, s *subject) verdict
}

// verdict is how a check ended.
type verdict struct {
	status Status
	detail string
	advice string
	late   bool // it failed, and had run out of time
}

// ordinaryRun is the check on which nearly all others build.
const ordinaryRun = "contract/runs"

// checks are all there are, in their order.
var checks = []check{
	{"contract/description", "it says what it is", "", "", describes},
	{"contract/parameters", "its defaults satisfy its parameter schema", "", "", defaultsHold},
	{"contract/views", "it opens only views that it declares", "contract/parameters", "", opensWhatItDeclares},
	{ordinaryRun, "it runs on ordinary data with its defaults", "contract/views", "", runs},

	{"determinism/repeat", "two runs give the same bytes", ordinaryRun, "", repeats},
	{"determinism/hash-order", "no hash map's order shows in the result", "determinism/repeat", "", ignoresHashOrder},
	{"determinism/threads", "1 and 8 threads of the host give the same", "determinism/hash-order", "", ignoresThreads},
	{"determinism/batch-size", "batches of 1, 7, 256 and the usual give the same", "determinism/hash-order", "", ignoresBatches},
	{"determinism/seed", "another seed", "determinism/hash-order", "", anotherSeed},

	{"parameters/refused", "the schema refuses what is out of range", "contract/parameters", "", refusesWrong},
	{"parameters/accepted", "what the schema lets through runs, or is refused by name", ordinaryRun, "", standsAllowed},

	{"edge/no-rows", "no rows", ordinaryRun, "", on(noRows)},
	{"edge/one-row", "one row", ordinaryRun, "", on(oneRow)},
	{"edge/one-class", "one class", ordinaryRun, "", on(oneClass)},
	{"edge/one-model", "one model", ordinaryRun, "", on(oneModel)},
	{"edge/many-models", "five models", ordinaryRun, "", on(manyModels)},
	{"edge/ties", "all rows equal", ordinaryRun, "", on(ties)},
	{"edge/one-hot", "probabilities of 0 and 1 alone", ordinaryRun, "", on(oneHot)},
	{"edge/uniform", "all probabilities 1/C", ordinaryRun, "", on(uniform)},
	{"edge/half-precision", "probabilities rounded to half precision", ordinaryRun, "", on(halfPrecision)},
	{"edge/few-rows", "more classes than rows", ordinaryRun, "", on(fewRows)},
	{"edge/starved-class", "a class that is never predicted", ordinaryRun, "", on(starvedClass)},
	{"edge/names", "class names with quotes, other scripts, equal ones", ordinaryRun, "", on(oddNames)},
	{"edge/bare", "no model names, no logit scales", ordinaryRun, "", on(bare)},
	{"edge/prior", "a prior of the classes", ordinaryRun, "", on(withPrior)},
	{"edge/nan", "NaN among the probabilities is a data error", ordinaryRun, "", nanIsRefused},

	{"features/denied", "features that are not granted are missed with a clear error", ordinaryRun, "", withoutGrant},
	{"features/absent", "features that the host does not have, likewise", ordinaryRun, "", withoutFeatures},
	{"takes/hard-only", "a host that takes hard labels alone", ordinaryRun, sdk.KindSelection, hardLabelsOnly},
	{"rounds/alone", "it ends its rounds by itself", ordinaryRun, "", endsItsRounds},
	{"rounds/learning", "a host that learns between rounds", ordinaryRun, sdk.KindSelection, learnsBetween},
	{"ensemble/identical", "the same model three times", ordinaryRun, sdk.KindEnsemble, identicalModels},
	{"limits/large", "50,000 rows of 100 classes within the default limits", ordinaryRun, "", standsLarge},
	{"contract/needs", "it uses what it declares", ordinaryRun, "", usesWhatItDeclares},
}

// LastCheck is the ID of the check that ends each policy's.
func LastCheck() string { return checks[len(checks)-1].id }
