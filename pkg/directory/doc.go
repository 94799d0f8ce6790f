// Package directory keeps what a server knows of its endpoints: host name, operating
// system, group and type, for rules, guards, the resolver of host names and people.
//
// A Directory reads the whole fleet when it starts and again from time to time; an
// endpoint that it does not know is read by itself, once, and what is not there is
// remembered too, so that events cost no requests. It holds a compact record for each
// endpoint: 100,000 of them take less than 100 MiB. It is safe for concurrent use.
package directory
