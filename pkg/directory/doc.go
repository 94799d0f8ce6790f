// Package directory caches a server's records of its endpoints: host name, operating
// system, group and type, for rules, guards, the resolver of host names and operators.
//
// A Directory reads the whole fleet at the start and periodically; an unknown endpoint is
// read once, and its absence is cached too, so that events cost no requests. A record is
// compact: 100,000 of them take less than 100 MiB. It is safe for concurrent use.
package directory
