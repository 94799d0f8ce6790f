// Package s3 reads events from the objects of a bucket, such as the files of Carbon
// Black Cloud's Data Forwarder: lines of JSON, usually compressed with gzip.
//
// A Source looks for new objects by the time at which the bucket received them. Keys
// do not help: the forwarder writes their numbers without leading zeros, so that they
// do not sort by time, and late files have old names. An object is done once all its
// lines are settled; that is remembered in a file, together with how far an object
// has got, so that nothing is lost over restarts and little is read twice. Each
// object is read at least once.
package s3
