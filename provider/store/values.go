package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// millis and instant turn times into Unix milliseconds and back; the zero time
// is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// listText and list turn strings into JSON and back; nil is "".
func listText(list []string) string {
	if list == nil {
		return ""
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "" // strings always marshal
	}
	return string(b)
}

func list(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var l []string
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return nil, fmt.Errorf("stored list: %w", err)
	}
	return l, nil
}

// objectText and object turn JSON objects into text and back; nil is "",
// and numbers stay [json.Number]. The keys are sorted, so equal objects have
// equal texts.
func objectText(o map[string]any) (string, error) {
	if o == nil {
		return "", nil
	}
	b, err := json.Marshal(o)
	return string(b), err
}

func object(text string) (map[string]any, error) {
	if text == "" {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var o map[string]any
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("stored object: %w", err)
	}
	return o, nil
}

// newSubject returns 130 random bits as 26 lower-case letters and digits.
func newSubject() string { return strings.ToLower(rand.Text()) }

// timeID returns an id of 16 bytes that sorts by at, and within one Store and
// millisecond by the order of the calls.
func (s *Store) timeID(at time.Time) []byte {
	id := timePrefix(at)
	id = binary.BigEndian.AppendUint32(id, s.serial.Add(1))
	return append(id, s.holder[:6]...)
}

// timePrefix is the least id of [Store.timeID] at a time.
func timePrefix(at time.Time) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(max(0, at.UnixMilli())))
	return b[2:]
}

// placeholders returns "$first,...": n of them.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// padded repeats the last of values until their number is a power of two, so
// that lists in statements come in few lengths.
func padded[T any](values []T) []T {
	n := 1
	for n < len(values) {
		n *= 2
	}
	out := values[:len(values):len(values)]
	for len(out) < n {
		out = append(out, values[len(values)-1])
	}
	return out
}
