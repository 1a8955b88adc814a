package plugins

import (
	"context"
	"errors"
)

// FindAll loads all policies that a name or path stands for: those of a plugin,
// where it does not say which.
func (c *Catalogue) FindAll(ctx context.Context, name string) ([]*Policy, error) {
	policy, err := c.Find(ctx, name)
	if err == nil {
		return []*Policy{policy}, nil
	}
	var several *AmbiguousError
	if !errors.As(err, &several) {
		return nil, err
	}
	policies := make([]*Policy, len(several.Choices))
	for i, choice := range several.Choices {
		if policies[i], err = c.Find(ctx, choice); err != nil {
			return nil, err
		}
	}
	return policies, nil
}
