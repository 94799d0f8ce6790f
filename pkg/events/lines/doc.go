// Package lines reads events that arrive as lines of text: from files (plain,
// gzip or lz4, once or followed across rotations from where reading last ended),
// from a stream such as standard input, and from TCP, UDP and syslog senders.
//
// A file is read at least once: its remembered place moves only over lines that
// are settled. A stream, a TCP or a syslog sender cannot be asked for a line
// again: a line that failed is kept and handed over again, up to a bound beyond
// which nothing more is read, which slows the sender down. Lines that are with us
// when we are killed are lost there; the event forwarder's HTTP output does not
// have this weakness.
package lines
