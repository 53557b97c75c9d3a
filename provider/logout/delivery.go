package logout

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"keyway/provider/identity"
	"keyway/provider/outbound"
)

const (
	batch      = 32
	atOnce     = 8
	claimFor   = time.Minute // longer than a batch of clients that do not answer takes
	storeFor   = 10 * time.Second
	maxAge     = 15 * time.Minute
	pauseAfter = 10 * time.Second
	slow       = 2 * time.Second // an answer that takes longer holds others up
)

// delays are between one try and the next.
func delays() []time.Duration {
	return []time.Duration{10 * time.Second, 30 * time.Second, 2 * time.Minute, 7 * time.Minute}
}

// Notice is one that a client is still to get.
type Notice struct {
	ID        []byte
	ClientID  string
	Subject   string // of ours
	SID       string // "": every session of the subject
	Tries     int    // this one included
	CreatedAt time.Time
	Claimed   time.Time // until when it is the claimant's; what follows is refused afterwards
}

// Queue stores notices.
type Queue interface {
	// ClaimNotices returns at most limit notices that are due, the earliest first.
	// Nobody else gets them until then.
	ClaimNotices(ctx context.Context, limit int, until time.Time) ([]Notice, error)
	// PostponeNotice makes a claimed notice due later, with n.Tries.
	PostponeNotice(ctx context.Context, n *Notice, due time.Time) error
	// EndNotice deletes a claimed notice and stores the event, nil for none.
	EndNotice(ctx context.Context, n *Notice, e *identity.Event) error
}

// Addressee is how a client is told.
type Addressee struct {
	URI     string
	Subject string // as the client knows the person
	SID     string // as it knows the session; "" for every session of the subject
	Alg     string // that it expects signatures by
}

// Poster posts a form; it is [*outbound.Client].
type Poster interface {
	PostForm(ctx context.Context, uri string, values url.Values) (*outbound.Answer, error)
}

// Options configures a [Delivery]. Only Poll has a default.
type Options struct {
	Issuer string
	Queue  Queue
	// Addressee says how the client of a notice is told; nil where it is not to be
	// told any more.
	Addressee func(ctx context.Context, n *Notice) (*Addressee, error)
	Sign      func(alg, typ string, claims map[string]any) (string, error)
	Post      Poster
	Now       func() time.Time
	Log       *slog.Logger
	Poll      time.Duration // how often notices are looked for; default 1 s
}

// Delivery delivers notices.
type Delivery struct {
	options Options

	mu     sync.Mutex
	paused map[string]time.Time // clients that just did not answer well, and until when they are left alone
}

// New returns a Delivery.
func New(o Options) (*Delivery, error) {
	if o.Queue == nil || o.Addressee == nil || o.Sign == nil || o.Post == nil || o.Now == nil || o.Log == nil {
		return nil, errors.New("logout: an option is missing")
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	return &Delivery{options: o, paused: map[string]time.Time{}}, nil
}

// Run delivers until ctx ends.
func (d *Delivery) Run(ctx context.Context) {
	t := time.NewTicker(d.options.Poll)
	defer t.Stop()
	for {
		n, err := d.Deliver(ctx)
		if err != nil && ctx.Err() == nil {
			d.options.Log.LogAttrs(ctx, slog.LevelError, "logout notices could not be read", slog.String("cause", err.Error()))
		}
		if n == batch && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Deliver tries the notices that are due, a batch at most, and returns how
// many there were.
func (d *Delivery) Deliver(ctx context.Context) (int, error) {
	notices, err := d.options.Queue.ClaimNotices(ctx, batch, d.options.Now().Add(claimFor))
	if err != nil {
		return 0, err
	}
	var wait sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for i := range notices {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			d.one(ctx, &notices[i])
		})
	}
	wait.Wait()
	return len(notices), nil
}

// one tries one notice and stores what became of it, even while the program
// ends.
func (d *Delivery) one(ctx context.Context, n *Notice) {
	now := d.options.Now()
	var outcome error
	paused := d.pausedUntil(n.ClientID, now)
	if paused.IsZero() {
		outcome = d.tell(ctx, n)
		if d.options.Now().Sub(now) > slow {
			d.pause(n.ClientID, d.options.Now())
		}
	}
	stored, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeFor)
	defer cancel()
	var err error
	switch {
	case !paused.IsZero() && now.Sub(n.CreatedAt) < maxAge:
		n.Tries-- // it was not tried
		err = d.options.Queue.PostponeNotice(stored, n, paused)
	case errors.Is(outcome, errNobody):
		err = d.options.Queue.EndNotice(stored, n, nil)
	case paused.IsZero() && outcome == nil:
		err = d.options.Queue.EndNotice(stored, n, d.event("logout_notice_delivered", "", n))
	case ctx.Err() != nil: // the program ends, and not the client is to blame
		n.Tries--
		err = d.options.Queue.PostponeNotice(stored, n, now)
	default:
		err = d.failed(stored, n, outcome, now)
	}
	if err != nil {
		d.log(stored, "what became of a logout notice could not be stored", n, err)
	}
}

// failed plans the next try, or gives up.
func (d *Delivery) failed(ctx context.Context, n *Notice, cause error, now time.Time) error {
	d.log(ctx, "a client could not be told of a sign-out", n, cause)
	reason := outbound.ReasonOf(cause)
	d.pause(n.ClientID, now)
	waits := delays()
	if reason == outbound.Forbidden || n.Tries > len(waits) || now.Sub(n.CreatedAt) >= maxAge {
		return d.options.Queue.EndNotice(ctx, n, d.event("logout_notice_failed", identity.ReasonUnavailable, n))
	}
	return d.options.Queue.PostponeNotice(ctx, n, now.Add(waits[n.Tries-1]))
}

// errNobody says that the client is not to be told any more.
var errNobody = errors.New("the client is not to be told")

// tell posts the logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.5).
func (d *Delivery) tell(ctx context.Context, n *Notice) error {
	to, err := d.options.Addressee(ctx, n)
	if err != nil {
		return err
	}
	if to == nil {
		return errNobody
	}
	token, err := d.options.Sign(to.Alg, Type, Claims(d.options.Issuer, n.ClientID, to.Subject, to.SID, d.options.Now()))
	if err != nil {
		return err
	}
	_, err = d.options.Post.PostForm(ctx, to.URI, url.Values{"logout_token": {token}})
	return err
}

// pausedUntil keeps one client that does not answer, or answers slowly or with
// errors, from holding up the notices of all others.
func (d *Delivery) pausedUntil(client string, now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, ok := d.paused[client]
	if ok && !now.Before(until) {
		delete(d.paused, client)
		return time.Time{}
	}
	return until
}

func (d *Delivery) pause(client string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused[client] = now.Add(pauseAfter)
}

func (d *Delivery) event(kind string, reason identity.Reason, n *Notice) *identity.Event {
	return &identity.Event{At: d.options.Now(), Kind: kind, Reason: reason, Subject: n.Subject, ClientID: n.ClientID}
}

func (d *Delivery) log(ctx context.Context, text string, n *Notice, cause error) {
	attrs := []slog.Attr{slog.String("client_id", n.ClientID), slog.Int("try", n.Tries)}
	if cause != nil {
		attrs = append(attrs, slog.String("cause", cause.Error()))
	}
	d.options.Log.LogAttrs(ctx, slog.LevelWarn, text, attrs...) //nolint:sloglint // the two texts above
}
