package plugins

import "github.com/upl-host/upl-host/sdk/session"

// Through is the same policy on what wrap makes of its carrier: for those who
// watch its runs. The wrapped carrier is not closed.
func (p *Policy) Through(wrap func(session.Carrier) session.Carrier) *Policy {
	through := *p
	through.carrier = wrap(p.carrier)
	return &through
}
