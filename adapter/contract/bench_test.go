package contract_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"keyway/adapter"
	"keyway/adapter/contract"
)

func BenchmarkLogin(b *testing.B) {
	fsys := os.DirFS("../testdata/systems")
	s, err := adapter.Load(fsys, "library", "system.yaml")
	if err != nil {
		b.Fatal(err)
	}
	examples, err := contract.Load(fsys, "library/examples")
	if err != nil {
		b.Fatal(err)
	}
	send, err := contract.OnStage(s, examples[0].Given) //nolint:bodyclose // it returns a function
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://library.example/login",
			strings.NewReader("username=ann&password=p%26ss&key=k1"))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := send(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(err, resp)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
