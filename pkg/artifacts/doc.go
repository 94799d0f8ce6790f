// Package artifacts keeps the files that were collected from endpoints. A file
// streams into its store while its SHA-256 is taken, is encrypted on the way
// where recipients are configured, and counts as kept only when what lies in the
// store was compared with what went in. Its record (where it came from, which
// job and rule collected it, size, digest) is written last, so that a crash
// leaves no record without its file.
//
// The bytes lie in a Backend: a JetStream object store, S3, or a directory.
package artifacts
