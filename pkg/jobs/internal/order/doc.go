// Package order is the scheduler's view of the live jobs in memory: the queue of each
// sensor, the next sensor, the time of the next look at a sensor, and the counts. It is
// pure: no locks, no goroutines, no clock, no server. The scheduler guards it and passes
// the time in.
//
// The sensors that may have a job run are kept in a ranking (ranking.go), which
// gives the order that Candidate.before defines (choose.go) without a look at all
// of them. Times at which something changes by itself are in a heap (alarm.go).
package order
