package adapter

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// toText is the text of a value, as a legacy system's own string type would
// hold it.
func toText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string, []any, map[string]any:
		return (&jsonWriter{}).text(v)
	default:
		return fmt.Sprint(v)
	}
}

func toInt(v any) (int64, error) {
	switch v := v.(type) {
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case time.Duration:
		return int64(v / time.Second), nil
	case uint64:
		if v > math.MaxInt64 {
			return 0, fmt.Errorf("a number is too large")
		}
		return int64(v), nil
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, fmt.Errorf("not a whole number")
		}
		return int64(v), nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(toText(v)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not a whole number") // the value stays out of the log
	}
	return n, nil
}

func toBool(v any) bool {
	switch toText(v) {
	case "", "0", "false", "[]", "{}":
		return false
	}
	return true
}

// timeLayouts are the forms of time that accounts hold.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02",
}

func toTime(v any) (time.Time, error) {
	if t, ok := v.(time.Time); ok {
		return t, nil
	}
	text := strings.TrimSpace(toText(v))
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC(), nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("not a time")
}

// reach finds a member of a JSON object; dots reach into objects, and never
// stand for themselves: a member whose own name has a dot is not the one that
// the real system reads.
func reach(m map[string]any, path string) (any, bool) {
	head, tail, dotted := strings.Cut(path, ".")
	if !dotted {
		v, ok := m[path]
		return v, ok
	}
	inner, ok := m[head].(map[string]any)
	if !ok {
		return nil, false
	}
	return reach(inner, tail)
}
