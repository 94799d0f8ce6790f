// Package faults proves that no single call to the bus is one on which a promise hangs:
// each call that events, rules, guards, jobs, audit log and notices make fails once, at
// each place, before and after its effect, one after another and not at random. After
// each it is checked that nothing was lost and nothing done twice. There is nothing but
// tests in it; bus and schedulers run in virtual time.
package faults
