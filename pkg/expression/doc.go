// Package expression compiles and evaluates what rule authors write: expr-lang
// conditions and values over a typed event, and text with ${{ }} in it. It adds
// to expr-lang the functions of the rule language, limits on size and cost,
// strict typing of every name, and errors that tell line, column and what the
// author may have meant. Rules, chains and guards all use it.
package expression
