// Package order is the scheduler's picture of the live jobs in memory: the line of
// each sensor, which sensor is next, when a sensor has to be looked at again, and
// what is counted. It is pure: it holds no lock, starts nothing, reads no clock and
// knows no server. The scheduler guards it and passes the time in.
//
// The sensors that may have a job run are kept in a ranking (ranking.go), which
// gives the order that Candidate.before defines (choose.go) without a look at all
// of them. Times at which something changes by itself are in a heap (alarm.go).
package order
