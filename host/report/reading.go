package report

import (
	"fmt"
	"math"
	"sort"
	"strconv"

	"github.com/upl-host/upl-host/host/evaluate"
)

// step is one of the large numbers at the head of the report.
type step struct {
	Label, Value, Unit, Note string
	// Change against zero-shot, in points; Better and Worse colour it.
	Change        string
	Better, Worse bool
	// Apart: it does not follow from the number before.
	Apart bool
}

// headline is what the run comes to.
type headline struct {
	Steps []step
	// Verdict is the result in one sentence; Reading the paragraph below it.
	Verdict string
	Reading []string
	Details []string
}

func (r *run) headline() headline {
	if r.labelled() == 0 || r.metrics.ZeroShot.Top1 == nil {
		return r.headlineWithoutLabels()
	}
	n := r.labelled()
	before := *r.metrics.ZeroShot.Top1
	h := headline{Steps: []step{{Label: "Zero-shot", Value: number(before), Unit: "%", Note: "95" + thin + "% interval " + span(interval(before, n))}}}
	h.Details = append(h.Details, fmt.Sprintf("%s with a label; standard error of an accuracy about %.1f points",
		plural(n, "test picture", "test pictures"), 100*evaluate.StandardError(before, n)))
	if !r.learned() || r.metrics.Learned.Top1 == nil {
		h.Verdict = fmt.Sprintf("Zero-shot, %s classifies %s of the test pictures correctly. Nothing was learned in this run.", r.settings.model(), percentOf(before))
		h.Reading = r.aboutPseudoLabels()
		return h
	}
	learned := r.metrics.Learned
	compared := r.comparison()
	if len(learned.Seeds) > 1 && learned.SeedsMean != nil {
		s := changeStep("One "+learned.Noun(), *learned.SeedsMean, before)
		s.Note = fmt.Sprintf("mean of %d seeds", len(learned.Seeds))
		if learned.SeedsDeviation != nil {
			s.Value += " ± " + number(*learned.SeedsDeviation)
			s.Note = fmt.Sprintf("mean ± standard deviation of %d seeds", len(learned.Seeds))
		}
		h.Steps = append(h.Steps, s)
	}
	last := changeStep(ensembleName(len(learned.Seeds)), *learned.Top1, before)
	last.Note = "95" + thin + "% interval " + span(interval(*learned.Top1, n))
	h.Steps = append(h.Steps, last)
	h.Details = append(h.Details,
		fmt.Sprintf("difference on the same pictures %s points, 95%s%% interval %s", points(compared.Difference()), thin, spanOfPoints(compared.Interval())),
		fmt.Sprintf("%s newly right, %d newly wrong; exact McNemar test %s", plural(compared.SecondOnly, "picture", "pictures"), compared.FirstOnly, pValue(compared.McNemar())))
	h.Verdict = verdict(compared, learned, before)
	h.Reading = append(h.Reading, r.aboutAccuracy(compared), r.aboutSeeds())
	h.Reading = append(h.Reading, r.aboutPseudoLabels()...)
	h.Reading = append(h.Reading, r.aboutClasses(), r.aboutCalibration(),
		"The intervals cover the choice of test pictures only: not another data set, and not a change of model or settings.")
	return h
}

func interval(share float64, n int) evaluate.Interval {
	return evaluate.Proportion(int(math.Round(share*float64(n))), n)
}

// number is a share in per cent without the sign.
func number(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) }

func changeStep(label string, share, before float64) step {
	return step{
		Label: label, Value: number(share), Unit: "%", Change: points(share-before) + " points",
		Better: share > before, Worse: share < before,
	}
}

// verdict says whether the pictures can tell the two classifiers apart.
func verdict(c evaluate.Comparison, learned *evaluate.Learned, before float64) string {
	learning, after := "Learning without labels", *learned.Top1
	if learned.Supervised() {
		learning = "Learning from true labels"
	}
	difference, in := points(math.Abs(c.Difference())), c.Interval()
	difference = difference[min(1, len(difference)):]
	if c.Difference() == 0 {
		difference = "0.0"
	}
	switch {
	case in.From > 0:
		return fmt.Sprintf("%s raised the accuracy from %s to %s: by %s points, more than the choice of test pictures explains.", learning, percentOf(before), percentOf(after), difference)
	case in.To < 0:
		return fmt.Sprintf("%s lowered the accuracy from %s to %s: by %s points, more than the choice of test pictures explains.", learning, percentOf(before), percentOf(after), difference)
	case c.FirstOnly == c.SecondOnly:
		return learning + " left the accuracy as it was."
	}
	direction := "higher"
	if c.Difference() < 0 {
		direction = "lower"
	}
	return fmt.Sprintf("No clear gain: the accuracy is %s points %s, which %s cannot tell from no change.", difference, direction, plural(c.Pictures, "test picture", "test pictures"))
}

func (r *run) aboutAccuracy(c evaluate.Comparison) string {
	chance := 1 / float64(max(1, len(r.classes)))
	return fmt.Sprintf("With its class names alone, %s is right on %s of %s (guessing among %d classes: %s). With what was learned it is right on %s: %s newly right, %d newly wrong, and the true gain on pictures like these lies between %s and %s points with 95%s%% confidence.",
		r.settings.model(), percent(r.metrics.ZeroShot.Top1), plural(c.Pictures, "test picture", "test pictures"), len(r.classes), percentOf(chance),
		percent(r.metrics.Learned.Top1), plural(c.SecondOnly, "picture is", "pictures are"), c.FirstOnly, points(c.Interval().From), points(c.Interval().To), thin)
}

func (r *run) aboutSeeds() string {
	learned := r.metrics.Learned
	if len(learned.Seeds) < 2 || learned.SeedsMean == nil || learned.SeedsDeviation == nil {
		if learned.Deterministic {
			return fmt.Sprintf("Nothing is drawn in learning by %s: all seeds give the same.", learned.Method)
		}
		return fmt.Sprintf("One %s was learned, so nothing is known of the spread over seeds.", learned.Noun())
	}
	gain := *learned.Top1 - *learned.SeedsMean
	var effect string
	switch {
	case math.Abs(gain) < 0.0005:
		effect = "changes nothing about that"
	case gain < 0:
		effect = fmt.Sprintf("takes %.1f points from that", -gain*100)
	default:
		effect = fmt.Sprintf("adds %.1f points to that", gain*100)
	}
	return fmt.Sprintf("A single %s reaches %s on average, with a standard deviation of %.1f points over seeds; averaging the logits of %d %ss %s.",
		learned.Noun(), percent(learned.SeedsMean), *learned.SeedsDeviation*100, len(learned.Seeds), learned.Noun(), effect)
}

func (r *run) aboutPseudoLabels() []string {
	pseudo := r.metrics.PseudoLabels
	if pseudo == nil {
		return nil
	}
	text := fmt.Sprintf("Training used %s", plural(pseudo.Count, "pseudo label", "pseudo labels"))
	if !r.learned() || r.metrics.Learned.Supervised() {
		text = fmt.Sprintf("There are %s", plural(pseudo.Count, "pseudo label", "pseudo labels"))
	}
	if pseudo.Accuracy != nil {
		text += fmt.Sprintf(", %s of them right", percent(pseudo.Accuracy))
	}
	switch n := len(pseudo.EmptyClasses); {
	case n > 0:
		text += fmt.Sprintf("; %s got none: %s.", plural(n, "class", "classes"), list(pseudo.EmptyClasses, 5))
	default:
		text += "; every class got some."
	}
	return []string{text}
}

func (r *run) aboutClasses() string {
	rows := byChange(r.classRows())
	sort.SliceStable(rows, func(i, j int) bool {
		return rows[i].Change*float64(rows[i].Count) > rows[j].Change*float64(rows[j].Count)
	})
	describe := func(rows []classRow) []string {
		names := make([]string, len(rows))
		for i, row := range rows {
			names[i] = fmt.Sprintf("%s (%s points)", row.Class, signed(row.Change*100, 0))
		}
		return names
	}
	var gained, lost []classRow
	for _, row := range rows {
		if row.Change > 0 && len(gained) < 3 {
			gained = append(gained, row)
		}
	}
	for i := len(rows) - 1; i >= 0 && len(lost) < 3; i-- {
		if rows[i].Change < 0 {
			lost = append(lost, rows[i])
		}
	}
	switch {
	case len(gained) == 0 && len(lost) == 0:
		return "No class gained or lost."
	case len(lost) == 0:
		return fmt.Sprintf("The gain comes mostly from %s; no class lost.", list(describe(gained), 3))
	case len(gained) == 0:
		return fmt.Sprintf("The loss comes mostly from %s; no class gained.", list(describe(lost), 3))
	}
	return fmt.Sprintf("Most was won in %s, most lost in %s.", list(describe(gained), 3), list(describe(lost), 3))
}

func (r *run) aboutCalibration() string {
	before, after := r.metrics.ZeroShot.ECE, r.metrics.Learned.ECE
	if before == nil || after == nil {
		return ""
	}
	better := "better"
	if *after > *before {
		better = "worse"
	}
	return fmt.Sprintf("Its confidence fits its accuracy %s than before: the calibration error goes from %s to %s.", better, decimal(before), decimal(after))
}

// headlineWithoutLabels keeps to what can be known.
func (r *run) headlineWithoutLabels() headline {
	before := r.metrics.ZeroShot
	h := headline{Verdict: "No labels: the accuracy is unknown."}
	h.Steps = []step{{Label: "Mean confidence, zero-shot", Value: share(before.MeanConfidence), Unit: "%"}}
	h.Details = []string{plural(len(r.predictions), "test picture", "test pictures") + ", none with a label"}
	h.Reading = []string{"The test pictures have no labels, so nothing here says how often the classifier is right; that is not known, and it is not zero."}
	if r.learned() {
		after := r.metrics.Learned
		s := step{Label: "Mean confidence, learned", Value: share(after.MeanConfidence), Unit: "%"}
		if before.MeanConfidence != nil && after.MeanConfidence != nil {
			s.Change = points(*after.MeanConfidence-*before.MeanConfidence) + " points"
		}
		changed := float64(r.changed()) / float64(max(1, len(r.predictions)))
		h.Steps = append(h.Steps, s, step{Label: "Predictions changed", Apart: true, Value: number(changed), Unit: "%", Note: fmt.Sprintf("%s of %s", count(r.changed()), plural(len(r.predictions), "picture", "pictures"))})
		h.Reading = append(h.Reading,
			fmt.Sprintf("Learning changed the predicted class of %s of %s.", count(r.changed()), plural(len(r.predictions), "picture", "pictures")),
			r.aboutSpread(),
			"More confidence is no evidence of more accuracy: look at the gallery, or label a hundred pictures and evaluate on them.")
	}
	h.Reading = append(h.Reading, r.aboutPseudoLabels()...)
	return h
}

func (r *run) aboutSpread() string {
	before, after := r.metrics.ZeroShot.MeanPredictionEntropy, r.metrics.Learned.MeanPredictionEntropy
	if before == nil || after == nil {
		return ""
	}
	spread := "about as evenly over the classes as before"
	switch {
	case *after > *before+0.01:
		spread = "more evenly over the classes than before"
	case *after < *before-0.01:
		spread = "less evenly over the classes than before"
	}
	return fmt.Sprintf("The predictions spread %s: the entropy of the mean prediction goes from %.2f to %.2f nats, of at most %.2f for %d classes.",
		spread, *before, *after, math.Log(float64(max(1, len(r.classes)))), len(r.classes))
}

func share(v *float64) string {
	if v == nil {
		return "–"
	}
	return number(*v)
}
