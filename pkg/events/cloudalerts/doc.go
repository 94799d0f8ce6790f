// Package cloudalerts reads the alerts of a Carbon Black Cloud by polling its Alerts
// API, for organisations without a Data Forwarder.
//
// A Source requests overlapping windows of time that end a minute before now, because
// alerts become visible late; alerts seen before are dropped. A file keeps the position
// up to which all alerts are settled: each alert, and each change of one, is delivered
// at least once, over restarts and outages of any length.
//
// The order is not guaranteed: an alert that a handler refused is redelivered after
// those of the same page, and one that became visible late comes after newer ones.
package cloudalerts
