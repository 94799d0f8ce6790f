// Package guard decides whether a step may run: the one place where the people
// who own a fleet bound what the people who write rules can do to it. A guards
// file protects sensors, bounds how much is done, in which hours, by which rules
// and with whose approval; people stop everything, silence a rule, or switch all
// acting off. Nothing in a rule can loosen any of it.
//
// A step is asked about twice, when its job is taken and again right before it
// acts, because files, switches and sensors change in between. What is counted
// lies in a Store that all replicas share. When that store cannot be read the
// answer is to wait: no guard is ever skipped.
package guard
