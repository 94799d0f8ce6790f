// Package audit keeps a log in which nothing can be changed, taken out or put in
// without it being found: every entry carries the hash of the one before, and
// its own over its exact bytes. With a key the hash is keyed, so that not even
// somebody who can rewrite the whole log can make it fit.
//
// What a chain cannot show is that its end was cut off. For that Verify takes a
// Head that was noted earlier, elsewhere.
package audit
