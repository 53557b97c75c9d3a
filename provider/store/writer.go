package store

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
)

// batchMax bounds how many writes share a transaction, and so how long the
// first of them waits.
const batchMax = 128

// The states of a job.
const (
	jobWaits int32 = iota
	jobRuns
	jobLeft // its caller went away
)

// job is one write that waits for its turn.
type job struct {
	ctx   context.Context
	fn    writeFunc
	state atomic.Int32
	done  chan error // has room for the answer
	err   error      // what fn said in the batch, until the commit
}

// writer owns the one connection that changes an SQLite file. See the
// package's documentation.
type writer struct {
	db      *sql.DB
	conn    *sql.Conn
	stmts   *statements
	jobs    chan *job
	quit    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, jobs: make(chan *job, batchMax), quit: make(chan struct{}), stopped: make(chan struct{})}
	go w.loop()
	return w
}

// write hands fn to the writer and waits for the commit.
func (w *writer) write(ctx context.Context, fn writeFunc) error {
	j := &job{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-w.quit:
		return unavailable(errClosed)
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.state.CompareAndSwap(jobWaits, jobLeft) {
			return unavailable(ctx.Err())
		}
	case <-w.stopped:
	}
	return w.outcome(j)
}

// outcome waits for a job that has begun, or that was queued while the store
// closed.
func (w *writer) outcome(j *job) error {
	select {
	case err := <-j.done:
		return err
	case <-w.stopped:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return unavailable(errClosed)
	}
}

// close answers what is queued and ends the writer.
func (w *writer) close() {
	w.once.Do(func() { close(w.quit) })
	<-w.stopped
}

func (w *writer) loop() {
	defer close(w.stopped)
	defer w.drop()
	for {
		select {
		case j := <-w.jobs:
			w.group(w.gather(j))
		case <-w.quit:
			for {
				select {
				case j := <-w.jobs:
					w.group(w.gather(j))
				default:
					return
				}
			}
		}
	}
}

// gather returns the jobs that wait, without waiting for more.
func (w *writer) gather(first *job) []*job {
	batch := make([]*job, 0, 16)
	for j := first; ; {
		if j.ctx.Err() == nil && j.state.CompareAndSwap(jobWaits, jobRuns) {
			batch = append(batch, j)
		} else if j.state.CompareAndSwap(jobWaits, jobLeft) {
			j.done <- unavailable(j.ctx.Err())
		}
		if len(batch) == batchMax {
			return batch
		}
		select {
		case j = <-w.jobs:
		default:
			return batch
		}
	}
}

// group runs the batch in one transaction, or else each job in its own.
func (w *writer) group(batch []*job) {
	if len(batch) == 0 {
		return
	}
	err := w.transaction(batch)
	if err != nil && len(batch) > 1 {
		for _, j := range batch {
			w.group([]*job{j})
		}
		return
	}
	for _, j := range batch {
		if err != nil {
			j.err = err
		}
		j.done <- j.err
	}
}

// transaction runs the batch and commits. An error means that nothing of it was
// kept.
func (w *writer) transaction(batch []*job) error {
	ctx := context.Background()
	if err := w.connect(ctx); err != nil {
		return unavailable(err)
	}
	if _, err := w.stmts.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		w.drop()
		return classify(err)
	}
	for _, j := range batch {
		tx := &session{run: w.stmts}
		j.err = j.fn(context.WithoutCancel(j.ctx), tx)
		if j.err != nil && (tx.changed || !expected(j.err)) {
			w.rollback(ctx)
			return j.err
		}
	}
	if _, err := w.stmts.ExecContext(ctx, `COMMIT`); err != nil {
		w.rollback(ctx)
		return classify(err)
	}
	return nil
}

func (w *writer) rollback(ctx context.Context) {
	if _, err := w.stmts.ExecContext(ctx, `ROLLBACK`); err != nil {
		w.drop()
	}
}

func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts = conn, &statements{db: conn}
	return nil
}

// drop closes the connection, and with it whatever transaction it is in.
func (w *writer) drop() {
	if w.conn == nil {
		return
	}
	w.stmts.close()
	_ = w.conn.Raw(func(any) error { return sql.ErrConnDone }) // no way back into the pool
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}
