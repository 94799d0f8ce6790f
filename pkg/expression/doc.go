// Package expression compiles and evaluates what rule authors write: expr-lang
// conditions and values over a typed event, and text with ${{ }} in it. It adds
// to expr-lang the functions of the rule language, limits on size and cost,
// strict typing of every name, and errors that tell line, column and what the
// author may have meant. Rules, chains and guards all use it.
//
// A Scope says which names an expression may use, with their types: EventScope
// for conditions, which run on *events.Event; With adds vars, steps and the
// like for chains, whose expressions run on a map made with Scope.Env.
//
// An expression that compiles cannot hang and cannot exhaust memory: its source
// is bounded (MaxSource), it is built from an allow-list of operations, regular
// expressions, globs and networks in it are constants, and its cost is a
// constant times the size of what it reads (see MaxSteps, MaxGrowth).
//
// Event text is data. Nothing here compiles a string that came from an event.
package expression
