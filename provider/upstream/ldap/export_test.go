package ldap

import (
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

var (
	JudgeAD     = judgeAD
	TextOfGUID  = textOfGUID
	BytesOfGUID = bytesOfGUID
)

// Disabled is "" for an account that can be used.
func Disabled(attributes map[string][]string, now time.Time) string {
	if err := disabled(goldap.NewEntry("cn=x", attributes), now); err != nil {
		return err.Error()
	}
	return ""
}

// Built are what is made of a name; "" for one that is refused.
func (o Options) Built(name string) (filter, bindName string) {
	name, err := o.judgeName(name)
	if err != nil {
		return "", ""
	}
	bindName, err = o.bindName(name)
	if err != nil {
		bindName = ""
	}
	return o.filterOf(name), bindName
}

// FollowFilter is "" for a subject that is refused.
func (o Options) FollowFilter(subject string) string {
	filter, _ := o.followFilter(subject)
	return filter
}

// GroupFilter fills in the filter of groups.
func (g Groups) GroupFilter(dn string, attributes map[string][]string) string {
	filter, _ := g.filterOf(goldap.NewEntry(dn, attributes))
	return filter
}
