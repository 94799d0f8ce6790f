// Package http takes EDR events that are posted: by an event forwarder exactly as
// it sends them, by anything that speaks the Splunk HTTP Event Collector's
// protocol, and as plain JSON, newline-delimited JSON or CloudEvents.
//
// A post is answered with 200 only when each of its events is settled, that is
// safe with whoever reads the source. The forwarder counts nothing but 200 as
// success, repeats a post for ever after most other answers, and after 400 not
// before its restart. So a busy or failing reader answers 503, and 400 is for
// bodies in which there is no event at all: one bad event among good ones is
// delivered like them and left to the decoder.
package http
