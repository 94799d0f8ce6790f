// Package s3 reads events from the objects of a bucket, such as the files of Carbon
// Black Cloud's Data Forwarder: lines of JSON, usually compressed with gzip.
//
// A Source finds new objects by their time of arrival in the bucket. Keys are no help:
// the forwarder writes numbers without leading zeros, so that they do not sort by time,
// and late files have old names. An object is done when all its lines are settled. A
// file keeps the objects done and the offset within the others, so that a restart loses
// nothing and rereads little. Delivery is at least once.
package s3
