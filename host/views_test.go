package host

import (
	"testing"

	"github.com/upl-host/upl-host/host/config"
)

// TestAugmentationOf: Tip-Adapter's code shows half of a picture at least, CoOp's and
// UPL's a twelfth.
func TestAugmentationOf(t *testing.T) {
	for method, area := range map[string]float64{
		config.MethodPrompt: 0.08, config.MethodCoOp: 0.08, config.MethodCLIPAdapter: 0.08, config.MethodLinearProbe: 0.08,
		config.MethodTipAdapter: 0.5, config.MethodTipAdapterF: 0.5,
	} {
		if a := augmentationOf(method); a.MinArea != area || a.MaxArea != 1 || a.Flip != 0.5 {
			t.Errorf("%s sees views of %+v", method, a)
		}
	}
}
