package main

import (
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// newRulesImportCommand holds the importers; there is one.
func newRulesImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Convert rules of other products",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesImportSigmaCommand())
	return cmd
}

func newRulesImportSigmaCommand() *cobra.Command {
	var in sigmaImport
	cmd := &cobra.Command{
		Use:   "sigma [flags] PATH…",
		Short: "Convert Sigma rules, and say which cannot be",
		Long: `Convert Sigma rules into a rule file, and print a table of what was converted and
what was refused, with the reasons counted.

What can be said exactly is converted; the rest is refused with the reason: a
field that the EDR's events do not have, a search over all fields, an
aggregation. Nothing is approximated. A rule on the data of a registry value
(Details), which the EDR does not report, gets a step that reads the value back
from the endpoint, and decides then: it needs mode enforce to do so.
Correlations are converted with the rules that they name, of any of the files.

--narrower leaves out alternatives on fields that events lack, where the rule
then matches less and never more; source.narrower of the rule names them.

PATH is a Sigma file or a directory, of which every .yml and .yaml is read. The
rules are written in mode shadow, with one step that publishes what was found:
give them the steps and the mode that you want. Long lists of values and
placeholders (|expand) are list files in lists/ beside the rules; a list of a
placeholder is made empty, for you to fill. With --out - the rules go to
standard output and the table to standard error.

--update takes a newer version of the originals into the file that --out names.
Modes, steps and whatever else is yours stay, and so does what you have added
behind a condition with &&. A rule that it leaves as it was is named.

The exit status is 1 when a path cannot be read or no rule could be converted.`,
		Example: `  pipeline rules import sigma sigma/rules/windows --out rules/sigma.yaml
  pipeline rules import sigma sigma/rules/windows --out rules/sigma.yaml --update
  pipeline rules check rules/sigma.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: in.run,
	}
	cmd.Flags().StringVarP(&in.out, "out", "o", "sigma.yaml", "file to write; - is standard output")
	cmd.Flags().BoolVar(&in.force, "force", false, "replace the file if it is there")
	cmd.Flags().BoolVar(&in.update, "update", false, "take the conversion into the file that is there, and keep what is yours")
	cmd.Flags().BoolVar(&in.narrower, "narrower", false, "leave out alternatives that cannot be said")
	cmd.Flags().StringVar(&in.format, "format", "table", "of what was converted and refused: table or json")
	return cmd
}

func sigmaFiles(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			ext := filepath.Ext(file)
			if err == nil && !entry.IsDir() && (file == path || ext == ".yml" || ext == ".yaml") {
				files = append(files, file)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
