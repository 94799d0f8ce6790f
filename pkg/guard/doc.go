// Package guard decides whether a step may run: the single place where the owners of a
// fleet bound what rules can do to it. A guards file protects sensors and limits the
// amount, the hours, the rules and the approvers of actions; operators stop all actions,
// silence a rule, or switch to recording only. A rule cannot loosen any of it.
//
// A step is checked twice, when its job is accepted and immediately before it acts,
// because files, switches and sensors change in between. Counters are in a Store that
// all replicas share. If the store cannot be read the step waits: no guard is ever
// skipped.
package guard
