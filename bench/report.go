package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// report collects what was measured and prints it as one table.
type report struct {
	s       settings
	order   []string
	target  map[string]float64
	minus   map[string]string
	Results map[string]map[string]result `json:"results"` // row -> column
	facts   []string
}

func newReport(s settings) *report {
	return &report{s: s, target: map[string]float64{}, minus: map[string]string{}, Results: map[string]map[string]result{}}
}

func (r *report) add(column string, row row, got result) {
	if r.Results[row.Name] == nil {
		r.Results[row.Name] = map[string]result{}
		r.order = append(r.order, row.Name)
	}
	r.target[row.Name], r.minus[row.Name] = row.Target, row.Floor
	r.Results[row.Name][column] = got
	fmt.Fprintf(os.Stderr, "%-9s %-66s %8.0f/s  %7.3f ms CPU  %d errors\n", column, row.Name, got.Rate, r.cpu(row.Name, column), got.Errors)
	if got.First != "" {
		fmt.Fprintf(os.Stderr, "          first error: %.300s\n", got.First)
	}
}

// cpu is the row's CPU an operation, without the floor handler it contains.
func (r *report) cpu(name, column string) float64 {
	cpu := r.Results[name][column].CPU
	if floor := r.minus[name]; floor != "" {
		cpu -= r.Results[floor]["floor"].CPU - r.Results["floor: Gin hello"]["floor"].CPU
	}
	return cpu
}

func (r *report) fact(column, name, value string) {
	line := fmt.Sprintf("%s, %s: %s", name, column, value)
	r.facts = append(r.facts, line)
	fmt.Fprintln(os.Stderr, line)
}

func (r *report) memory(column, name string, pid int) error {
	mb, err := memory(pid)
	r.fact(column, name, fmt.Sprintf("%.0f MB", mb))
	return err
}

// write writes the table, and beside it the figures that the next run is
// compared with.
func (r *report) write(file string) error {
	saved := strings.TrimSuffix(file, filepath.Ext(file)) + ".json"
	last := report{}
	b, err := os.ReadFile(saved) //nolint:gosec // the caller names it
	if err == nil {
		err = json.Unmarshal(b, &last)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	table := r.table(&last)
	fmt.Println(table)                                               //nolint:forbidigo // the program's output
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil { //nolint:gosec // for everyone to read
		return err
	}
	if b, err = json.MarshalIndent(r, "", " "); err != nil {
		return err
	}
	return os.WriteFile(saved, b, 0o644) //nolint:gosec // for everyone to read
}

func (r *report) table(last *report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The last benchmark\n\nWritten by `make bench`: %s, %d processors, %d callers on the same machine, %s a row.\n",
		runtime.Version(), runtime.NumCPU(), r.s.load.Workers, r.s.load.For)
	b.WriteString("CPU is the server's, in milliseconds an operation (PostgreSQL's own is not in it); for logins, without the hash.\n\n")
	b.WriteString("| row | CPU | rate | p99 | errors | target | x last run |\n|---|---|---|---|---|---|---|\n")
	for _, name := range r.order {
		for _, column := range []string{"floor", "sqlite", "postgres"} {
			got, ok := r.Results[name][column]
			if !ok {
				continue
			}
			title := name
			if column != "floor" {
				title += ", " + column
			}
			fmt.Fprintf(&b, "| %s | %.3f | %.0f/s | %s | %d | %s | %s |\n", title, r.cpu(name, column), got.Rate, got.P99.Round(10_000),
				got.Errors, orDash(r.target[name]), ratio(got.CPU, last.Results[name][column].CPU))
		}
	}
	b.WriteString("\n")
	for _, f := range r.facts {
		b.WriteString("- " + f + "\n")
	}
	return b.String()
}

func orDash(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}

func ratio(now, before float64) string {
	if before == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", now/before)
}
