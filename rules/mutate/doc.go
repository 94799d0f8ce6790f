// Package mutate measures the tests of rules: it changes one thing of a rule after
// another and looks whether a test notices.
//
// Changed are each comparison, connective and literal of each expression, each item
// of each list, suppression, the bounds of a correlation, each step with its if,
// approval and literal parameters, and the order of steps. A change that the checker
// refuses is no mutant: nobody could load it. What tests cannot show, such as retries
// and the time of an undo, is left alone.
package mutate
