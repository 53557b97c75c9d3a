package legacy

import (
	"net/http"

	"keyway/provider/upstream"
)

// JudgeAnswer judges an answer as if it had come.
func JudgeAnswer(d Description, status int, why string, body []byte) (*upstream.Person, error) {
	c, err := compile(d)
	if err != nil {
		return nil, err
	}
	return c.judge(answer{status: status, header: http.Header{"X-Why": {why}}, body: body, username: "alice"}, "https://old.example")
}
