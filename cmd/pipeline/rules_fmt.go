package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"edrpipe/rules"
	"edrpipe/rules/format"
)

func newRulesFmtCommand() *cobra.Command {
	f := &ruleFormatter{}
	cmd := &cobra.Command{
		Use:   "fmt [flags] PATH…",
		Short: "Write rule files in one form",
		Long: `Write rule files and files of tests in one form: keys in the order of the
reference, two blanks of indentation, one blank line between rules, even spacing
inside { } and [ ]. Comments stay with the key or the item that they stand above or
beside. No value changes: the digest of each rule stays the same, and a file that is
formatted already is left alone.

Without a flag the formatted text goes to standard output. - reads standard input.

The exit status is 1 when --check finds a file that is not formatted, or when a file
is not YAML.`,
		Example: `  pipeline rules fmt -w rules/
  pipeline rules fmt --check rules/
  pipeline rules fmt - < rules/office-shell.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			f.in, f.out, f.errs = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return f.run(paths)
		},
	}
	cmd.Flags().BoolVarP(&f.write, "write", "w", false, "write each file that changes, and name it")
	cmd.Flags().BoolVar(&f.check, "check", false, "name the files that are not formatted, with what would change, and write nothing")
	cmd.MarkFlagsMutuallyExclusive("write", "check")
	return cmd
}

// ruleFormatter formats files.
type ruleFormatter struct {
	write, check bool
	in           io.Reader
	out, errs    io.Writer
	unformatted  int
	wrong        bool
}

func (f *ruleFormatter) run(paths []string) error {
	if len(paths) == 1 && paths[0] == "-" {
		text, err := io.ReadAll(f.in)
		if err != nil {
			return err
		}
		if err := f.text("standard input", text); err != nil {
			return err
		}
		return f.verdict()
	}
	files, err := rules.Paths(true, paths...)
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := f.text(file, text); err != nil {
			return err
		}
	}
	return f.verdict()
}

func (f *ruleFormatter) verdict() error {
	if f.check && f.unformatted > 0 {
		fmt.Fprintf(f.out, "%s not formatted: run pipeline rules fmt -w\n", counted(f.unformatted, "file"))
	}
	if f.wrong || f.check && f.unformatted > 0 {
		return errSilent
	}
	return nil
}

// text formats a file. A file that is not YAML is reported, and the others are
// formatted all the same.
func (f *ruleFormatter) text(name string, text []byte) error {
	formatted, err := format.Source(name, text)
	if err != nil {
		f.wrong = true
		if err := printed(f.errs, err); err != errSilent {
			return err
		}
		return nil
	}
	same := bytes.Equal(text, formatted)
	if !same {
		f.unformatted++
	}
	switch {
	case f.check && !same:
		_, err = f.out.Write(diff.Diff(name, text, name+" (formatted)", formatted))
	case f.check, f.write && same:
	case f.write && name != "standard input":
		fmt.Fprintln(f.out, name)
		err = replaceFile(name, formatted)
	default:
		_, err = f.out.Write(formatted)
	}
	return err
}

// replaceFile puts a text in the place of a file at once, with the file's mode.
func replaceFile(name string, text []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".fmt-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it is renamed
	_, err = temporary.Write(text)
	if err == nil {
		err = temporary.Chmod(info.Mode().Perm())
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(temporary.Name(), name)
}
