// Package index answers which of many conditions can be true of an event,
// without running them all.
//
// A condition is an expr-lang expression over events.Event with the event types that it
// applies to. From its typed tree the index derives a necessary condition F (expression
// true or failing ⇒ F true; an unsupported subtree becomes "always"). It files the
// condition under the cheapest set of atoms of which at least one must hold whenever F
// does. At match time only the atoms that are true of the event are looked up. The
// caller evaluates the expressions of the candidates: the expression decides, the index
// only refuses.
//
// The cost of an event is therefore that of reading the fields that some
// condition of its type reads, and grows with the conditions that nearly match,
// not with the number of conditions.
//
// An Index is immutable except for its cost statistics, which are learnt from passing
// events; it is safe for concurrent use.
package index
