// Package cloudalerts reads the alerts of a Carbon Black Cloud by polling its Alerts
// API, for those who have no Data Forwarder.
//
// A Source asks for windows of time that overlap and ends a minute before now, because
// alerts become visible late; what it has seen already is dropped. Where it has got is
// remembered in a file only when everything before is settled: each alert, and each
// change of one, is delivered at least once, over restarts and outages of any length.
//
// The order is not promised: an alert that was not taken comes again after those of the
// same page, and one that became visible late comes after newer ones.
package cloudalerts
