package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"edrpipe/internal/apiclient"
	"edrpipe/internal/doctor"
	"edrpipe/internal/printable"
)

func newDoctorCommand() *cobra.Command {
	var f configFlags
	var form outputFlag
	cmd := &cobra.Command{
		Use:     "doctor",
		Example: `  pipeline doctor --config pipeline.yaml`,
		Short:   "Try everything that the configuration names, step by step, and say how to cure what fails",
		Long: `Tries files and their modes, room on the disk, rules with their tests, guards, the
EDR server (address, certificate, token, rights, Live Response, clock), the bus and
its streams, and the sources. It changes nothing, and can be run beside the service.
The exit status is 1 when something fails.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := form.check(); err != nil {
				return err
			}
			cfg, _, err := f.load()
			if err != nil {
				return err
			}
			d := doctor.Doctor{Config: cfg, Now: time.Now}
			if c, err := (apiclient.Search{ConfigFile: f.file, Environ: os.Environ()}).Find(); err == nil && cfg.Web.Listen != "" {
				d.Service, d.Token, d.HTTP = c.Server, c.Token, c.HTTP
			}
			return runDoctor(cmd, &d, form)
		},
	}
	f.register(cmd)
	form.register(cmd)
	return cmd
}

func runDoctor(cmd *cobra.Command, d *doctor.Doctor, form outputFlag) error {
	w := cmd.OutOrStdout()
	all := []doctor.Finding{}
	bad := 0
	d.Run(cmd.Context(), func(x doctor.Finding) {
		all = append(all, x)
		if x.State == doctor.Failed {
			bad++
		}
		if form.output == "table" {
			writeFinding(w, x)
		}
	})
	err := form.print(w, all, func() {
		if bad == 0 {
			fmt.Fprintln(w, "nothing fails")
			return
		}
		fmt.Fprintf(w, "%s failed\n", counted(bad, "check"))
	})
	if err == nil && bad > 0 {
		return errSilent
	}
	return err
}

var doctorColors = map[doctor.State]text.Color{doctor.OK: text.FgGreen, doctor.Degraded: text.FgYellow, doctor.Failed: text.FgRed, doctor.Unknown: text.FgYellow}

// writeFinding prints a finding in lines that fit, with the cure below it.
func writeFinding(w io.Writer, x doctor.Finding) {
	state := fmt.Sprintf("%-8s", x.State)
	if isTerminal(w) && os.Getenv("NO_COLOR") == "" {
		state = doctorColors[x.State].EscapeSeq() + state + text.EscapeReset
	}
	width := terminalWidth(w)
	indent := strings.Repeat(" ", 20)
	write := func(head, s string) {
		if width > 0 {
			s = text.WrapSoft(s, max(width-len(indent), leastText))
		}
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				head = indent
			}
			fmt.Fprintln(w, head+strings.TrimRight(printable.Line(line), " "))
		}
	}
	write(fmt.Sprintf("%s  %-10s", state, x.Check), x.Text)
	if x.Cure != "" {
		write(indent, "→ "+x.Cure)
	}
}
