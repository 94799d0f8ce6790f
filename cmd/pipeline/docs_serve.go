package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"edrpipe"
	"edrpipe/internal/manual"
	"edrpipe/internal/web"
)

func newDocsServeCommand() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:     "serve",
		Example: `  pipeline docs serve --listen 127.0.0.1:7481`,
		Short:   "Show the documentation in a browser",
		Long: `Serves the documentation of this version, which is in the binary, until it is
interrupted. Nothing is read from elsewhere, and no service has to run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := manual.New(edrpipe.Documents, web.Stylesheet())
			if err != nil {
				return err
			}
			l, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", listen)
			if err != nil {
				return fmt.Errorf("show the documentation: %w; choose another address with --listen, 127.0.0.1:0 takes a free port", err)
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "The documentation is at http://%s; stop with Ctrl-C.\n", l.Addr()); err != nil {
				return errors.Join(err, l.Close())
			}
			return serveUntil(cmd.Context(), l, m)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7481", "address to listen on")
	return cmd
}

// serveUntil answers requests until ctx ends.
func serveUntil(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	ended := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer ended()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
