package identity

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxImportLine is the longest line of an import, in bytes.
	MaxImportLine = 1 << 20
	// maxLineProblems is how many problems are kept; more are only counted.
	maxLineProblems = 10_000
)

// LineProblem is why a line of an import was not taken. The reason repeats no
// secret.
type LineProblem struct {
	Line   int    `json:"line"` // counted from 1
	Reason string `json:"reason"`
}

func (p LineProblem) String() string { return fmt.Sprintf("line %d: %s", p.Line, p.Reason) }

// lineProblems keeps the first problems and counts the rest.
type lineProblems struct {
	kept []LineProblem
	more int
	last int
}

func (p *lineProblems) add(line int, err error) {
	p.last = line
	if len(p.kept) >= maxLineProblems {
		p.more++
		return
	}
	p.kept = append(p.kept, LineProblem{Line: line, Reason: err.Error()})
}

func (p *lineProblems) list() []LineProblem {
	if p.more == 0 {
		return p.kept
	}
	return append(p.kept, LineProblem{Line: p.last, Reason: fmt.Sprintf("the last of %d more bad lines", p.more)})
}

// ParseRecords reads JSON Lines, one user a line, and calls fn for each good
// one. A bad line becomes a problem and the others are read all the same.
// It needs no more memory than a line takes. The error is that of r or of fn,
// which ends the reading.
func ParseRecords(r io.Reader, fn func(line int, rec Record) error) ([]LineProblem, error) {
	var problems lineProblems
	lines := lineReader{r: bufio.NewReaderSize(r, 64<<10)}
	for {
		line, err := lines.next()
		switch {
		case errors.Is(err, io.EOF):
			return problems.list(), nil
		case errors.Is(err, errLongLine):
			problems.add(lines.number, err)
			continue
		case err != nil:
			return problems.list(), err
		case len(line) == 0:
			continue
		}
		rec, err := parseRecord(line)
		if err != nil {
			problems.add(lines.number, err)
			continue
		}
		if err := fn(lines.number, rec); err != nil {
			return problems.list(), err
		}
	}
}

var errLongLine = fmt.Errorf("line is longer than %d bytes", MaxImportLine)

// lineReader reads lines of limited length.
type lineReader struct {
	r      *bufio.Reader
	buf    []byte
	number int // of the line that was read last, from 1
}

// next returns the next line without the space around it; it is valid until
// the call after. A line too long is skipped whole and is errLongLine.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	l.number++
	long, some := false, false
	for {
		part, err := l.r.ReadSlice('\n')
		some = some || len(part) > 0
		if long = long || len(l.buf)+len(part) > MaxImportLine+1; !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && some, err == nil:
		default:
			return nil, err
		}
		if long {
			return nil, errLongLine
		}
		line := l.buf
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		return bytes.TrimSpace(line), nil
	}
}
