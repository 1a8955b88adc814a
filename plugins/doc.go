// Package plugins finds, checks and runs the policies that come as plugins: which
// pictures get which pseudo labels, and how several models' probabilities become
// one matrix. Foreign code is loaded here and nowhere else.
//
// A [Catalogue] looks policies up by name or path; a [Policy] is run with
// [Policy.Select] or [Policy.Combine]. All they can see is in [Input]: never a
// label. Which plugins may run, and what they may see, an operator's [Lock] says:
// [Catalogue.Pin] writes it, [Catalogue.Find] goes by it, [Catalogue.Verify] compares
// it with what is there. Errors by type, for errors.As:
//
//	*NotFoundError   no such policy
//	*AmbiguousError  several policies of that name
//	*ManifestError   upl-plugin.yaml is wrong, or the module says otherwise
//	*ParameterError  a parameter that the user has to change
//	*TrustError      the plugin may not run here, or not see what it needs
//	*IntegrityError  not the bytes that are pinned
//	*UnfitError      the plugin's folder has what cannot be pinned
//	*LockError       upl.lock is wrong
//	*MismatchError   what is there is not what upl.lock pins
//	*GrantError      a grant that cannot be given
//	*LimitError      time, memory, records, output, views, gathered rows, rounds
//	*TrapError       the policy crashed
//	*GuestError      the policy returned an error
//	*ProtocolError   the policy broke the contract
//	*DataError       the probabilities or features are none
package plugins
