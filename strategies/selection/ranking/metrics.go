package ranking

import (
	"strconv"

	"github.com/upl-host/upl-host/sdk"
)

// maxMetrics is of how many classes a number is recorded each: a run's record of
// metrics has a limit, and a number of every class of very many is not read.
const maxMetrics = 2048

// Metrics records a number of each class: name_0, name_1 … Where there are too many
// classes it says so in the log instead.
func Metrics(r *sdk.Round, name string, values []float64) error {
	if len(values) > maxMetrics {
		r.Log(sdk.LevelInfo, name+" is not recorded: of "+strconv.Itoa(len(values))+" classes, more than "+strconv.Itoa(maxMetrics))
		return nil
	}
	for class, x := range values {
		if err := r.Metric(name+"_"+strconv.Itoa(class), x); err != nil {
			return err
		}
	}
	return nil
}
