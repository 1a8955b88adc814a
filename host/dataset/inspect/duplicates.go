package inspect

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// duplicates reports pictures with the same bytes: in two splits they make test
// accuracy false, within one they count twice.
func (c *check) duplicates() {
	first := map[[sha256.Size]byte]int{} // group, by content
	var groups [][]int
	for k, i := range c.all {
		if errors.Is(c.errs[k], errRead) {
			continue
		}
		g, known := first[c.hashes[k]]
		if !known {
			g = len(groups)
			first[c.hashes[k]] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	for _, group := range groups {
		if len(group) > 1 {
			c.add(c.duplicate(group))
			c.addLabels(group)
		}
	}
}

// duplicate says what pictures of the same bytes mean.
func (c *check) duplicate(group []int) Finding {
	others := make([]string, 0, len(group)-1)
	for _, i := range group[1:] {
		others = append(others, c.data.Pictures[i].ID)
	}
	where := c.data.Pictures[group[0]].ID
	if a, b, leaks := c.apart(group); leaks {
		one, other := c.data.Pictures[a].ID, c.data.Pictures[b].ID
		others = slices.DeleteFunc(append(others, where), func(id string) bool { return id == one })
		slices.Sort(others)
		return Finding{
			Severity: Wrong, Kind: KindLeak, Where: one, Others: others,
			What: fmt.Sprintf("is in %s, and the same picture in %s, as %s%s", c.splitsOf(a), c.splitsOf(b), other, more(len(group)-2)),
			Do:   "remove it from one of the splits: what is measured must be new to the model",
		}
	}
	return Finding{
		Severity: Doubtful, Kind: KindDuplicate, Where: where, Others: others,
		What: fmt.Sprintf("is the same picture as %s%s", others[0], more(len(group)-2)), Do: "remove all but one: each counts as a picture of its own",
	}
}

func more(n int) string {
	if n < 1 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// apart finds two pictures of a group that are in no split together: of several
// pairs one with a test picture, the last of the splits, as the worst.
func (c *check) apart(group []int) (a, b int, found bool) {
	var seen []uint8         // the splits that pictures are in, as they come first
	first := map[uint8]int{} // the first picture, by the splits that it is in
	worst := uint8(0)
	for _, i := range group {
		m := c.membership(i)
		if _, known := first[m]; known {
			continue
		}
		for _, other := range seen {
			if both := m | other; m&other == 0 && both > worst {
				a, b, worst = first[other], i, both
			}
		}
		first[m] = i
		seen = append(seen, m)
	}
	return a, b, worst > 0
}

// membership has a bit for each split that a picture is in.
func (c *check) membership(picture int) (bits uint8) {
	for n, s := range c.parts {
		if _, in := slices.BinarySearch(s.pictures, picture); in {
			bits |= 1 << n
		}
	}
	return bits
}

// splitsOf names a picture's splits.
func (c *check) splitsOf(picture int) string {
	names := ""
	for n, s := range c.parts {
		if c.membership(picture)&(1<<n) != 0 {
			if names != "" {
				names += " and "
			}
			names += s.name
		}
	}
	return names
}

// addLabels reports a picture that has two labels.
func (c *check) addLabels(group []int) {
	first := -1
	for _, i := range group {
		label := c.truth.Label(i)
		switch {
		case label < 0:
		case first < 0:
			first = i
		case label != c.truth.Label(first):
			c.add(Finding{
				Severity: Doubtful, Kind: KindLabels, Where: c.data.Pictures[first].ID, Others: []string{c.data.Pictures[i].ID},
				What: fmt.Sprintf("is labelled %q, and the same picture %q, as %s",
					c.data.Classes[c.truth.Label(first)].Name, c.data.Classes[label].Name, c.data.Pictures[i].ID),
				Do: "correct the label that is wrong",
			})
			return
		}
	}
}
