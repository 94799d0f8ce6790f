// Package actions holds what a rule can do: the Action interface, the registry
// of actions, one file per action, and the binding of a chain of steps to an
// event. A step is plain data until it runs, so that it can wait in a job
// record for days and survive a restart.
//
// To add an action write one file that calls Register with a Definition; rule
// checking, documentation, schema and completion follow from its types.
package actions
