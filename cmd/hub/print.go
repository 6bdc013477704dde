package main

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

//go:embed packaging/tram-hub.service
var unitFile string

//go:embed packaging/alerts.yaml
var alertsFile string

//go:embed packaging/dashboard.json
var dashboardFile string

//go:embed packaging/prometheus.yaml
var prometheusFile string

//go:embed packaging/Containerfile
var containerFile string

// printCommand prints the files that other programs run and watch the hub by.
func printCommand() *cobra.Command {
	files := map[string]string{"unit": unitFile, "alerts": alertsFile, "dashboard": dashboardFile, "prometheus": prometheusFile, "containerfile": containerFile}
	names := slices.Sorted(maps.Keys(files))
	return &cobra.Command{
		Use:     "print NAME",
		GroupID: "run",
		Short:   "Print a file for systemd, Prometheus, Grafana or a container",
		Long: `print writes a file that belongs to this version of the hub to standard output:

  unit           the service for systemd
  prometheus     how Prometheus finds the hub
  alerts         what to be woken for: rules for Prometheus, with what to do
  dashboard      for Grafana
  containerfile  for podman and buildah`,
		Example:   "  hub print alerts > /etc/prometheus/alerts.yaml",
		Args:      cobra.ExactArgs(1),
		ValidArgs: names,
		RunE: func(c *cobra.Command, args []string) error {
			text, ok := files[args[0]]
			if !ok {
				return usageError{fmt.Errorf("there is no %q, but: %s", args[0], strings.Join(names, ", "))}
			}
			_, err := fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
}
