// Package plugins finds, checks and runs the policies that come as plugins: which
// pictures get which pseudo labels, and how several models' probabilities become
// one matrix. Foreign code is loaded here and nowhere else.
//
// A [Catalogue] looks policies up by name or path; a [Policy] is run with
// [Policy.Select] or [Policy.Combine]. All they can see is in [Input]: never a
// label. Errors by type, for errors.As:
//
//	*NotFoundError   no such policy
//	*AmbiguousError  several policies of that name
//	*ManifestError   upl-plugin.yaml is wrong, or the module says otherwise
//	*ParameterError  a parameter that the user has to change
//	*IntegrityError  not the module that was asked for
//	*LimitError      time, memory, records, output, views, gathered rows, rounds
//	*TrapError       the policy crashed
//	*GuestError      the policy returned an error
//	*ProtocolError   the policy broke the contract
//	*DataError       the probabilities or features are none
package plugins
