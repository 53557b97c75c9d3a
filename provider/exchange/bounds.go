package exchange

import (
	"errors"
	"slices"

	"keyway/provider/claims"
	"keyway/provider/target"
	"keyway/provider/wire"
)

// NarrowScopes returns the scopes that are asked for, or without any all that
// may be had: what was granted and the caller may have, but for offline_access,
// since what is exchanged is not refreshed. The error is invalid_scope.
func NarrowScopes(asked, granted, ceiling []string) ([]string, error) {
	may := both(granted, ceiling)
	may = slices.DeleteFunc(may, func(s string) bool { return s == claims.Offline })
	switch {
	case len(asked) == 0 && len(may) == 0 && len(granted) > 0:
		return nil, wire.Of("invalid_scope", errors.New("the caller may have none of the scopes that were granted"))
	case len(asked) == 0:
		return may, nil
	case !subset(asked, may):
		return nil, wire.Of("invalid_scope", errors.New("more is asked for than was granted and the caller may have"))
	}
	return asked, nil
}

// NarrowAudience returns the targets that are asked for, or without any all
// that may be had. A token without an audience is for everybody: so one is
// never made of a token that had one, while of a token that has none, one for
// whatever the caller may target. The error is invalid_target.
func NarrowAudience(asked Targets, granted, ceiling []string) ([]string, error) {
	may := ceiling
	if len(granted) > 0 {
		may = both(granted, ceiling)
	}
	audience, ok := target.Narrow(may, asked.Resources, asked.Audiences)
	if !ok || len(audience) == 0 && len(granted) > 0 {
		return nil, wire.Of(target.Code, errors.New("the target is malformed, or beyond the token or the caller"))
	}
	return audience, nil
}

func both(a, b []string) []string {
	var out []string
	for _, v := range a {
		if slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return distinct(out)
}

func subset(some, all []string) bool {
	return !slices.ContainsFunc(some, func(v string) bool { return !slices.Contains(all, v) })
}
