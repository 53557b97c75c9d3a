package visit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/storage"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	storetest.Main(m)
}

// open lets everybody stay.
type open struct{}

func (open) Ask(context.Context, identity.Question) error { return nil }

// desk is browsers over a real database.
type desk struct {
	*visit.Visits
	store *store.Store
	at    time.Time
	alice string
}

func newDesk(t *testing.T, change ...func(*visit.Options)) *desk {
	t.Helper()
	d := &desk{at: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return d.at }
	d.store = storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: now})
	saved, err := d.store.SaveRecords(t.Context(), []identity.Record{{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}}})
	require.NoError(t, err)
	d.alice = saved[0].Subject
	o := visit.Options{
		Issuer: "https://id.example.com/tenant", Directory: "default", Key: make([]byte, 32), Storage: d.store, Gate: open{}, Now: now,
		Vouched: func(_ context.Context, s *storage.BrowserSession) (bool, error) { return s.Connector == "corp", nil },
		Frame:   func(_ context.Context, client, sid string) string { return "https://" + client + ".example/" + sid },
		PeerAddr: func(r *http.Request) netip.Addr {
			peer, _ := netip.ParseAddrPort(r.RemoteAddr)
			return peer.Addr()
		},
		Lifetimes: visit.Lifetimes{Interaction: time.Minute, SessionIdle: time.Hour, SessionMax: 2 * time.Hour},
	}
	for _, f := range change {
		f(&o)
	}
	d.Visits, err = visit.New(o)
	require.NoError(t, err)
	return d
}

// asks is a request with cookies, and what becomes of it.
func asks(cookies ...*http.Cookie) (*gin.Context, *httptest.ResponseRecorder) {
	w := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(w)
	c.Request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	for _, one := range cookies {
		c.Request.AddCookie(one)
	}
	return c, w
}

// begins has a browser begin an interaction, and returns its cookies.
func (d *desk) begins(t *testing.T) (string, *storage.Interaction, []*http.Cookie) {
	t.Helper()
	c, w := asks()
	id, err := d.Begin(c, storage.Interaction{})
	require.NoError(t, err)
	cookies := w.Result().Cookies()
	c, _ = asks(cookies...)
	i, err := d.Interaction(c, id)
	require.NoError(t, err)
	return id, i, cookies
}

// signsIn returns the cookies of a browser in which alice is signed in.
func (d *desk) signsIn(t *testing.T, connector string, before ...*http.Cookie) []*http.Cookie {
	t.Helper()
	_, i, cookies := d.begins(t)
	c, w := asks(append(cookies, before...)...)
	who := &identity.Identity{User: identity.User{Subject: d.alice}, AuthTime: d.at, Connector: connector}
	require.NoError(t, d.SignIn(c, who, i, "app"))
	return w.Result().Cookies()
}

func (d *desk) session(t *testing.T, cookies []*http.Cookie) *storage.BrowserSession {
	t.Helper()
	c, _ := asks(cookies...)
	s, err := d.Session(c)
	require.NoError(t, err)
	return s
}

func TestASessionLastsWhileItIsUsedAndVouchedFor(t *testing.T) {
	d := newDesk(t)
	own, corp, gone := d.signsIn(t, ""), d.signsIn(t, "corp"), d.signsIn(t, "gone")
	require.True(t, strings.HasPrefix(own[0].Name, "__Host-keyway_session-tenant"), own[0].Name)
	require.True(t, own[0].HttpOnly && own[0].Secure && own[0].SameSite == http.SameSiteLaxMode)
	require.Equal(t, []string{"pwd"}, d.session(t, own).AMR)
	require.Empty(t, d.session(t, corp).AMR, "how is the upstream's to say")
	require.Nil(t, d.session(t, gone))
	require.Nil(t, d.session(t, append(own, own...)), "of two cookies, one is somebody else's")
	d.at = d.at.Add(50 * time.Minute)
	require.NotNil(t, d.session(t, own))
	d.at = d.at.Add(50 * time.Minute)
	require.NotNil(t, d.session(t, own), "it was used")
	require.Nil(t, d.session(t, corp), "it was not")
	d.at = d.at.Add(30 * time.Minute)
	require.Nil(t, d.session(t, own), "however much it is used")
}

func TestWhoSignsInAgainKeepsWhatIsPublicAndNothingElse(t *testing.T) {
	d := newDesk(t)
	first := d.signsIn(t, "")
	before := d.session(t, first)
	second := d.signsIn(t, "", first...)
	after := d.session(t, second)
	require.Equal(t, before.ID, after.ID)
	require.NotEqual(t, first[0].Value, second[0].Value, "against fixation")
	require.Nil(t, d.session(t, first))

	c, w := asks(second...)
	_, err := d.SignOut(c, after)
	require.NoError(t, err)
	require.Negative(t, w.Result().Cookies()[0].MaxAge)
	require.Nil(t, d.session(t, second))
}

func TestAnInteractionIsOfTheBrowserThatBeganIt(t *testing.T) {
	d := newDesk(t)
	id, i, cookies := d.begins(t)
	code := func(cookies ...*http.Cookie) string {
		c, _ := asks(cookies...)
		_, err := d.Interaction(c, id)
		return wire.From(err).Code
	}
	require.Equal(t, "wrong_browser", code())
	_, _, others := d.begins(t)
	require.Equal(t, "wrong_browser", code(others...))
	require.NoError(t, d.store.EndInteraction(t.Context(), i.Hash))
	require.Equal(t, "interaction_answered", code(cookies...))
	d.at = d.at.Add(3 * time.Minute)
	require.Equal(t, "interaction_expired", code(cookies...))
}

func TestAFormIsOfOneBrowserPageAndSession(t *testing.T) {
	d := newDesk(t)
	_, _, cookies := d.begins(t)
	c, _ := asks(cookies...)
	s := &storage.BrowserSession{Hash: storage.Hash{1}}
	token := d.FormToken(c, "/account", s)
	require.NoError(t, d.CheckForm(c, "/account", token, s))
	require.Error(t, d.CheckForm(c, "/login", token, s))
	require.Error(t, d.CheckForm(c, "/account", token, nil))
	require.Error(t, d.CheckForm(c, "/account", token, &storage.BrowserSession{Hash: storage.Hash{2}}))
	require.Error(t, d.CheckForm(c, "/account", "", s))
	other, _ := asks()
	require.Error(t, d.CheckForm(other, "/account", token, s))
}

func TestWhereARequestComesFrom(t *testing.T) {
	d := newDesk(t)
	for peer, source := range map[string]string{
		"192.0.2.7:1": "192.0.2.7/32", "[2001:db8::1:2:3:4]:1": "2001:db8::/64", "[::ffff:192.0.2.7]:1": "192.0.2.7/32", "[fe80::1%eth0]:1": "fe80::/64", "": "",
	} {
		c, _ := asks()
		c.Request.RemoteAddr = peer
		require.Equal(t, source, d.Source(c), peer)
	}
	require.NotEmpty(t, d.Event(func() *gin.Context { c, _ := asks(); return c }(), "login", "s").RemoteAddr)
}

func TestVisitsNeedAllOfTheirOptions(t *testing.T) {
	for name, change := range map[string]func(*visit.Options){
		"key": func(o *visit.Options) { o.Key = []byte("short") }, "storage": func(o *visit.Options) { o.Storage = nil }, "gate": func(o *visit.Options) { o.Gate = nil },
		"issuer": func(o *visit.Options) { o.Issuer = ":" }, "frame": func(o *visit.Options) { o.Frame = nil }, "vouched": func(o *visit.Options) { o.Vouched = nil },
	} {
		var o visit.Options
		newDesk(t, func(x *visit.Options) { o = *x })
		change(&o)
		_, err := visit.New(o)
		require.ErrorContains(t, err, "visits: ", name)
	}
}
