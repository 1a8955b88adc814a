package config

// tipSettings are those that Tip-Adapter's code chose for a data set: where alpha
// begins, and how far alpha and beta are searched.
type tipSettings struct{ alpha, alphaMax, betaMax float64 }

// publishedTip are Tip-Adapter's by dataset.kind (gaopengcuhk/Tip-Adapter, configs/).
// Others have ImageNet's, as the keys' defaults.
var publishedTip = map[string]tipSettings{
	"imagenet":       {1.17, 3, 7},
	"caltech101":     {3, 5, 12},
	"oxford_pets":    {1.17, 3, 7},
	"stanford_cars":  {3, 10, 20},
	"oxford_flowers": {10, 50, 50},
	"food101":        {1.17, 10, 10},
	"fgvc_aircraft":  {5, 30, 30},
	"sun397":         {1.17, 10, 12},
	"dtd":            {2, 13, 13},
	"eurosat":        {2, 10, 12},
	"ucf101":         {3, 3, 7},
}

// tipViews is the number of augmented views that a key is the mean of.
const tipViews = 10

// method fills in what the method of learning was published with.
func (l *loader) method(c *Config) {
	learn := &c.Learn
	switch learn.Method {
	case "none": // as it was called before there were others
		learn.Method = MethodZeroShot
	case MethodCoOp, MethodCLIPAdapter:
		derive(l, "epochs", &learn.Epochs, 0)
	case MethodTipAdapter:
		l.tip(c)
	case MethodTipAdapterF:
		l.tip(c)
		derive(l, "epochs", &learn.Epochs, 0)
		if learn.Epochs == 0 {
			learn.Epochs = 20
			if c.Dataset.Kind == "eurosat" {
				learn.Epochs = 100
			}
		}
		derive(l, "batch_size", &learn.BatchSize, 256)
		derive(l, "learning_rate", &learn.LearningRate, 0.001)
		derive(l, "weight_decay", &learn.WeightDecay, 0.01)
	}
}

// tip fills in Tip-Adapter's settings.
func (l *loader) tip(c *Config) {
	derive(l, "views", &c.Learn.Views, tipViews)
	published, ok := publishedTip[c.Dataset.Kind]
	if !ok {
		return
	}
	derive(l, "tip.alpha", &c.Learn.Tip.Alpha, published.alpha)
	derive(l, "tip.alpha_max", &c.Learn.Tip.AlphaMax, published.alphaMax)
	derive(l, "tip.beta_max", &c.Learn.Tip.BetaMax, published.betaMax)
}

// derive sets a key of `learn` that no source gives.
func derive[T any](l *loader, name string, value *T, published T) {
	if _, given := l.places["learn."+name]; !given {
		*value = published
	}
}
