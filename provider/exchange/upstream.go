package exchange

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"keyway/provider/target"
	"keyway/provider/wire"
)

// UpstreamTarget begins the target by which a client asks for the access token that a
// connector's upstream gave, in place of one of ours.
const UpstreamTarget = "urn:keyway:upstream:"

// Upstream is whose token a request for one of an upstream is about, and the
// connector; "" where it asks for one of ours. The subject token must be of that very
// person, who came by that very connector. may are the connectors whose tokens the
// caller may take. Errors are as those of [Reader.Exchange].
func (r *Reader) Upstream(ctx context.Context, form url.Values, caller Caller, may []string) (*Party, string, error) {
	targets := ReadTargets(form)
	all := append(slices.Clone(targets.Resources), targets.Audiences...)
	i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, UpstreamTarget) })
	if i < 0 {
		return nil, "", nil
	}
	connector := strings.TrimPrefix(all[i], UpstreamTarget)
	request, err := Parse(form)
	switch {
	case err != nil:
		return nil, "", err
	case len(all) > 1 || !slices.Contains(may, connector):
		return nil, "", wire.Of(target.Code, errors.New("the caller may not take tokens of this upstream, or asks for something else beside"))
	case request.Issue != TypeAccessToken || request.Actor.Token != "" || len(request.Scopes) > 0:
		return nil, "", wire.BadRequest("An upstream's token is an access token as the upstream made it: without scopes and actors.")
	}
	of, err := r.subject(ctx, request.Subject, caller.ID)
	switch {
	case err != nil:
		return nil, "", refused("subject_token", err)
	case of.Subject == "" || of.Origin.Connector != connector || of.Act != nil || !mayAct(of.MayAct, caller.ID, caller.Issuer):
		return nil, "", Refused("subject_token", errors.New("it is not of a person of this connector, or not for the caller to act by"))
	case of.Origin.Bound != nil:
		return nil, "", Refused("subject_token", errors.New("a bound token never becomes a bearer token"))
	}
	return of, connector, nil
}
