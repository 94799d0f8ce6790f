// Package lsp is a language server for rule files: diagnostics as the checker gives
// them, completion, hover, definitions, references, rename, quick fixes and
// formatting. It speaks the Language Server Protocol over a stream.
//
// A text that is being typed is rarely valid. What stands where is therefore told by
// lines and indentation (outline, cursor), never by a parse of the whole; the checker
// has the last word, in diagnostics.
package lsp
