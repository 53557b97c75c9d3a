package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// printRows prints rows as a table with these column heads, or values as JSON.
func printRows(w io.Writer, format string, values any, head []string, rows [][]string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(values)
	default:
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		_, _ = fmt.Fprintln(t, strings.ToUpper(strings.Join(head, "\t")))
		for _, r := range rows {
			_, _ = fmt.Fprintln(t, strings.Join(r, "\t"))
		}
		return t.Flush()
	}
}
