package main

import "github.com/spf13/cobra"

func newDatasetCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "dataset", Short: "Look after data sets", Args: cobra.NoArgs}
	cmd.AddCommand(newDatasetShowCommand(), newDatasetCheckCommand(), newDatasetSplitCommand())
	return cmd
}
