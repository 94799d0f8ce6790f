// Package index answers which of many conditions can be true of an event,
// without running them all.
//
// A condition is an expr-lang expression over events.Event and the event types
// that it is asked of. From its typed tree the index derives a necessary
// condition F (expression true or failing ⇒ F true; what is not understood
// becomes "always"), files the condition under the cheapest set of atoms of
// which at least one must hold whenever F does, and at match time looks up only
// the atoms that the event makes true. The caller then runs the expressions of
// the candidates: the expression decides, the index only refuses.
//
// The cost of an event is therefore that of reading the fields that some
// condition of its type reads, and grows with the conditions that nearly match,
// not with the number of conditions.
//
// An Index is immutable but for its costs, which are learnt from events as they
// pass; it is safe for concurrent use.
package index
