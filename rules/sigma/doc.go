// Package sigma converts Sigma rules into rules of edrpipe.
//
// It converts what it can say exactly and refuses the rest with a reason: a
// field that the EDR's events do not have, a search over all fields, an
// aggregation. It never says something near, and leaves a condition out only on demand
// and where the rule then matches less (Options.Narrower).
//
// What Sigma means and how it is said here:
//
//   - texts compare without regard to case, unless |cased: icontains, ieq, lower
//   - * and ? in a value are wildcards: a prefix, a suffix, a part, or a regular
//     expression when they stand in the middle
//   - a field that an event lacks equals no value; here it is empty, so null, ""
//     and |exists: false are all == ""
//   - for connections, Sysmon's source and destination follow who began it,
//     the EDR's local and remote do not: both directions are written out
//   - CurrentControlSet is a numbered control set in the EDR's paths
//   - digits of GrantedAccess are digits of a number
//   - the data of a registry value is read back by a step, and the whole condition
//     decides whether the next one runs: exact for the value as it then is
//   - texts of the version resource and the signature are image.*, unknown until the EDR
//     has described the binary
//   - a placeholder is the list of its name; long lists of values are list files
//   - a correlation is ours with the same words; the rules that it counts are
//     written out in its condition
package sigma
