package storetest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// fill gives every field of the struct that v points to a value of its own, so that
// a field which a store forgets shows as a difference. It fails on a kind it does
// not know: a new field wants a decision.
func fill(t testing.TB, v any) {
	t.Helper()
	n := 0
	fillValue(t, reflect.ValueOf(v).Elem(), &n)
}

func fillValue(t testing.TB, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = noon().Add(time.Duration(*n) * time.Hour)
		return
	case *map[string]any:
		*x = map[string]any{"s": fmt.Sprint("v", *n), "n": json.Number("12345678901234567890"), "l": []any{"a", true, nil}}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("v'\"é ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64, reflect.Int:
		v.SetInt(int64(*n) * int64(time.Minute))
	case reflect.Uint8:
		v.SetUint(uint64(*n % 256)) //nolint:gosec // small
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(t, v.Index(0), n)
		fillValue(t, v.Index(1), n)
	case reflect.Array:
		for i := range v.Len() {
			fillValue(t, v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(t, v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i), n)
		}
	default:
		t.Fatalf("fill does not know %s", v.Type())
	}
}
