// Package service is edrpipe put together: sources give messages, rules find
// matches in them, guards admit them, the scheduler runs their chains, and what
// comes of it goes back to the bus. It is what `pipeline run` and `pipeline demo`
// run, and what end-to-end tests call.
package service
