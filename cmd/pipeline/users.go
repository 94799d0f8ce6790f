package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"edrpipe/internal/web"
)

func newUsersCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "users",
		Short: "Say who may use the dashboard and the API, and in which role",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&file, "file", "edrpipe-data/users.yaml", "the users file; a running service reads it again within seconds")
	cmd.AddCommand(newUsersAddCommand(&file), newUsersRemoveCommand(&file), newUsersListCommand(&file))
	return cmd
}

// readUsers reads the users file; one that is not there yet has nobody in it.
func readUsers(file string) (*web.Users, error) {
	u, err := web.LoadUsers(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &web.Users{}, nil
	}
	return u, err
}

func newUsersAddCommand(file *string) *cobra.Command {
	var role, email string
	var groups []string
	cmd := &cobra.Command{
		Use:     "add NAME",
		Example: `  pipeline users add bob --role approver --group soc-leads --file users.yaml`,
		Short:   "Add a user, or give one a new role; prints a new token, once",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := readUsers(*file)
			if err != nil {
				return err
			}
			user := web.User{Name: args[0], Role: web.Role(role), Groups: groups, Email: email}
			if !user.Role.Allows(web.Viewer) {
				return &usageError{fmt.Errorf("role %q is none of viewer, approver, admin", role)}
			}
			token := web.NewToken()
			user.Token = web.HashToken(token)
			u.List = slices.DeleteFunc(u.List, func(o web.User) bool { return o.Name == user.Name })
			u.List = append(u.List, user)
			if err := u.Save(*file); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", token)
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is %s. The token is shown only now.\n", user.Name, user.Role)
			return nil
		},
	}
	cmd.Flags().StringVar(&role, "role", string(web.Viewer), "viewer, approver or admin")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions([]string{string(web.Viewer), string(web.Approver), string(web.Admin)}, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that is not there
	cmd.Flags().StringSliceVar(&groups, "group", nil, "group for approvals, such as soc-leads; may be repeated")
	cmd.Flags().StringVar(&email, "email", "", "address under which the user comes by OpenID Connect")
	return cmd
}

func newUsersRemoveCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Example: `  pipeline users remove bob --file users.yaml`,
		Short:   "Take a user off the list; open logins end with it",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if u, err := readUsers(*file); err == nil { // a shell has no place for errors
				for _, user := range u.List {
					names = append(names, user.Name)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			u, err := readUsers(*file)
			if err != nil {
				return err
			}
			rest := slices.DeleteFunc(slices.Clone(u.List), func(o web.User) bool { return o.Name == args[0] })
			switch {
			case len(rest) == len(u.List):
				return fmt.Errorf("there is no user %q in %s", args[0], *file)
			case !slices.ContainsFunc(rest, func(o web.User) bool { return o.Role == web.Admin }):
				return fmt.Errorf("%q is the last admin: add another one first", args[0])
			}
			u.List = rest
			return u.Save(*file)
		},
	}
}

func newUsersListCommand(file *string) *cobra.Command {
	var f outputFlag
	cmd := &cobra.Command{
		Use:     "list",
		Example: `  pipeline users list --file users.yaml`,
		Short:   "List the users",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			u, err := readUsers(*file)
			if err != nil {
				return err
			}
			listed := make([]listedUser, 0, len(u.List))
			t := newTable(cmd.OutOrStdout(), "~user", "role", "=groups", "~email")
			for _, user := range u.List {
				listed = append(listed, listedUser{Name: user.Name, Role: user.Role, Groups: user.Groups, Email: user.Email})
				t.AppendRow(table.Row{user.Name, user.Role, strings.Join(user.Groups, ", "), user.Email})
			}
			return f.print(cmd.OutOrStdout(), listed, func() { t.Render() })
		},
	}
	f.register(cmd)
	return cmd
}

// listedUser is a user as it is listed: without the token's hash.
type listedUser struct {
	Name   string   `json:"name"`
	Role   web.Role `json:"role"`
	Groups []string `json:"groups,omitempty"`
	Email  string   `json:"email,omitempty"`
}
