// Package demo is the scripted intrusion that `pipeline demo` plays: a small
// simulated fleet and the events that its EDR would have sent, so that the whole
// service can be watched at work without an EDR server.
package demo
