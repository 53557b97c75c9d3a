package adapter

import (
	"crypto/sha1" //nolint:gosec // the ETag of Express is made of it; no secret rests on it
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer is a rendered reply, ready to be written.
type answer struct {
	status  int
	headers map[string]string // by their names as the legacy system writes them
	body    string
	allow   bool // the reply says nothing of Allow itself
}

// forced are the statuses of outcomes that have no reply of their own, so
// that what falls back still says the truth in HTTP.
var forced = map[Outcome]int{
	OutcomeTooLarge:         http.StatusRequestEntityTooLarge,
	OutcomeMethodNotAllowed: http.StatusMethodNotAllowed,
	OutcomeNotFound:         http.StatusNotFound,
}

// reply finds what answers an outcome along the fixed chain. The status is 0
// unless it is forced.
func (r *preparedRoute) reply(o Outcome) (reply *preparedReply, status int) {
	for {
		if reply = r.replies[o]; reply != nil || o == "" {
			return reply, status
		}
		if status == 0 {
			status = forced[o]
		}
		next, ok := fallback[o]
		if !ok && o != OutcomeInternal {
			next = OutcomeInternal // a reason that is newer than this chain
		}
		o = next
	}
}

// render answers with the outcome's reply; where that cannot be rendered,
// with internal's; and where that fails too, with an empty 500.
func (x *exchange) render(o Outcome) (answer, Outcome) {
	x.view.Outcome = o
	reply, status := x.route.reply(o)
	out, err := reply.render(&x.view)
	if err != nil {
		x.err = err
		o = OutcomeInternal
		x.view.Outcome = o
		x.view.User, x.view.Account, x.view.Token = nil, nil, nil
		reply, status = x.route.reply(o)
		if out, err = reply.render(&x.view); err != nil {
			return answer{status: http.StatusInternalServerError}, o
		}
	}
	if status != 0 {
		out.status = status
	}
	return out, o
}

func (r *preparedReply) render(v *View) (answer, error) {
	status, err := r.status.render(v)
	if err != nil {
		return answer{}, err
	}
	out := answer{headers: make(map[string]string, len(r.headers)+1), allow: r.allow}
	if out.status, err = strconv.Atoi(strings.TrimSpace(status)); err != nil || !goodStatus(out.status) {
		return answer{}, fmt.Errorf("the reply's status is no HTTP status")
	}
	for _, h := range r.headers {
		text, err := h.value.render(v)
		if err != nil {
			return answer{}, err
		}
		if text = strings.TrimSpace(text); text != "" {
			out.headers[h.name] = text
		}
	}
	if r.body != nil {
		if out.body, err = r.body.render(v); err != nil {
			return answer{}, err
		}
	}
	if r.express {
		out.headers["ETag"] = expressETag(out.body)
	}
	return out, nil
}

// expressETag is the weak ETag that Express gives a body.
func expressETag(body string) string {
	sum := sha1.Sum([]byte(body)) //nolint:gosec // see the import
	return fmt.Sprintf(`W/"%x-%s"`, len(body), base64.StdEncoding.EncodeToString(sum[:])[:27])
}

// write sends the answer.
func (a answer) write(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for name, value := range a.headers {
		h[name] = []string{value} // the name keeps its case
	}
	if h.Get("Content-Type") == "" {
		h["Content-Type"] = nil // nothing is guessed
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead && a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		_, _ = w.Write([]byte(a.body)) // a client that went away hears nothing
	}
}
