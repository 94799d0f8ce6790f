// Package rules turns rule files into an immutable compiled Set and matches
// events against it: index, expressions, correlation, suppression, tests and
// explanations. It knows nothing of jobs: a Match says which rule wants which
// chain on which sensors, and why.
//
// Load reads files and says everything that is wrong with them, each mistake at
// its character; Live keeps a set in force while its files change. Set.Match
// and Matcher find matches, Correlator and Suppressor decide with what came
// before. A Simulation does all of that on a clock of its own: tests, Explain,
// Backtest and Comparer stand on it.
package rules
