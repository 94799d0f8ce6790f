// Package format writes rule files in one form: keys in the order of the
// reference, two blanks of indentation, one blank line between rules, even
// spacing inside { } and [ ].
//
// It moves lines and changes white space between values. No value changes, so the
// digest of a rule stays the same, and every comment stays with the key or the
// item that it stands above or beside. Source verifies both before it returns.
package format
