// Package edr is the vocabulary of what edrpipe needs from an EDR product:
// sensors, sessions on them, commands in those sessions, and errors that
// callers decide on. A backend (pkg/lr for Carbon Black EDR) implements Server;
// edrtest checks that it does.
package edr
