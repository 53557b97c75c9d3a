package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
)

// saveBatch is how many records are saved in one call.
const saveBatch = 1000

// SaverOptions configures a [Saver].
type SaverOptions struct {
	Directory Directory
	Users     Users
	Hasher    *Hasher
}

// Saver saves users that come from outside, hashing plain passwords before
// they reach a store.
type Saver struct {
	directory Directory
	users     Users
	hasher    *Hasher
}

// NewSaver returns a Saver.
func NewSaver(o SaverOptions) (*Saver, error) {
	if o.Directory == nil || o.Users == nil || o.Hasher == nil {
		return nil, errors.New("saver: Directory, Users and Hasher are needed")
	}
	return &Saver{directory: o.Directory, users: o.Users, hasher: o.Hasher}, nil
}

// ImportSummary is what became of an import.
type ImportSummary struct {
	Created   int           `json:"created"`
	Updated   int           `json:"updated"`
	Unchanged int           `json:"unchanged"`
	Problems  []LineProblem `json:"problems"` // in the order of their lines
}

// Import reads JSON Lines (see [ParseRecords]) and saves each user. A second
// run with the same lines changes nothing. It needs the memory of a few
// batches, for one is read while another is saved, and 20 bytes a line.
func (s *Saver) Import(ctx context.Context, r io.Reader) (ImportSummary, error) {
	run := importRun{saver: s}
	batches := make(chan *importBatch, 1)
	saving, ctx := errgroup.WithContext(ctx)
	saving.Go(func() error {
		for b := range batches {
			if err := run.save(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
	hand := func(b *importBatch) error {
		select {
		case batches <- b:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	batch, first := &importBatch{}, firstNames{}
	var repeated lineProblems
	parsed, err := ParseRecords(r, func(line int, rec Record) error {
		if before, ok := first.add(rec.User.LoginNames[0], line); ok {
			repeated.add(line, fmt.Errorf("login name %q is in line %d already", rec.User.LoginNames[0].Name, before))
			return nil
		}
		batch.lines, batch.records = append(batch.lines, line), append(batch.records, rec)
		if len(batch.records) < saveBatch {
			return nil
		}
		full := batch
		batch = &importBatch{}
		return hand(full)
	})
	if err == nil {
		err = hand(batch)
	}
	close(batches)
	if failed := saving.Wait(); failed != nil {
		err = failed // it is what ended the reading
	}
	run.sum.Problems = slices.Concat(parsed, repeated.list(), run.problems.list())
	slices.SortStableFunc(run.sum.Problems, func(a, b LineProblem) int { return a.Line - b.Line })
	return run.sum, err
}

// firstNames are the lines in which each user's first login name stood. A
// user is found by it, so that a second line of that name would overwrite the
// first, at every run anew.
type firstNames map[[16]byte]int32

func (f firstNames) add(n LoginName, line int) (before int, known bool) {
	sum := sha256.Sum256([]byte(n.Directory + "\x00" + FoldName(n.Name)))
	key := [16]byte(sum[:16])
	if at, ok := f[key]; ok {
		return int(at), true
	}
	f[key] = int32(line) //nolint:gosec // files of that many lines do not fit
	return 0, false
}

// importBatch is what is saved in one call.
type importBatch struct {
	lines   []int
	records []Record
}

// importRun is one import under way.
type importRun struct {
	saver    *Saver
	problems lineProblems
	sum      ImportSummary
}

func (run *importRun) save(ctx context.Context, b *importBatch) error {
	results, err := run.saver.Save(ctx, b.records)
	for i, r := range results {
		switch {
		case r.Err != nil:
			run.problems.add(b.lines[i], r.Err)
		case r.Change == ChangeCreated:
			run.sum.Created++
		case r.Change == ChangeUpdated:
			run.sum.Updated++
		default:
			run.sum.Unchanged++
		}
	}
	return err
}

// Save saves records and returns a result for each. Plain passwords are
// hashed, as many at once as the hasher has workers; one that the stored
// credential verifies is left as it is stored.
func (s *Saver) Save(ctx context.Context, records []Record) ([]SaveResult, error) {
	results := make([]SaveResult, 0, len(records))
	for batch := range slices.Chunk(records, saveBatch) {
		saved, err := s.saveBatch(ctx, batch)
		results = append(results, saved...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

func (s *Saver) saveBatch(ctx context.Context, batch []Record) ([]SaveResult, error) {
	hashed, errs := s.hashAll(ctx, batch)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var good []Record
	for i, rec := range hashed {
		if errs[i] == nil {
			good = append(good, rec)
		}
	}
	saved, err := s.directory.SaveRecords(ctx, good)
	if err != nil {
		return nil, err
	}
	if len(saved) != len(good) {
		return nil, errors.New("store returned too few results")
	}
	results := make([]SaveResult, len(batch))
	for i := range batch {
		if errs[i] != nil {
			results[i] = SaveResult{Err: errs[i]}
			continue
		}
		results[i], saved = saved[0], saved[1:]
	}
	return results, nil
}

// hashAll returns the batch with hashes in place of passwords, and the error
// of each record.
func (s *Saver) hashAll(ctx context.Context, batch []Record) ([]Record, []error) {
	hashed, errs := slices.Clone(batch), make([]error, len(batch))
	var group errgroup.Group
	group.SetLimit(s.hasher.Workers())
	for i := range hashed {
		if !slices.ContainsFunc(hashed[i].Credentials, func(c RecordCredential) bool { return c.Password != "" }) {
			continue
		}
		group.Go(func() error {
			errs[i] = s.hashRecord(ctx, &hashed[i])
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return hashed, errs
}

func (s *Saver) hashRecord(ctx context.Context, rec *Record) error {
	rec.Credentials = slices.Clone(rec.Credentials)
	for i := range rec.Credentials {
		c := &rec.Credentials[i]
		if c.Password == "" {
			continue
		}
		kept, err := s.keep(ctx, rec, c)
		if err != nil {
			return err
		}
		if !kept {
			if c.Hash, err = s.hasher.Hash(ctx, c.Password); err != nil {
				return err
			}
		}
		c.Password = ""
	}
	return nil
}

// keep puts the stored credential in place of the plain password that it
// verifies, so that saving it changes nothing.
func (s *Saver) keep(ctx context.Context, rec *Record, c *RecordCredential) (bool, error) {
	slot := func(n LoginName) bool { return n.Slot == c.Slot || n.Slot == "" && c.Slot == SlotPassword }
	i := slices.IndexFunc(rec.User.LoginNames, slot)
	if i < 0 {
		return false, nil
	}
	name := rec.User.LoginNames[i]
	l, err := s.users.FindLogin(ctx, name.Directory, FoldName(name.Name))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, storageFailure(err)
	}
	if l.Credential == nil || l.Credential.Slot != c.Slot {
		return false, nil
	}
	ok, _, err := s.hasher.Verify(ctx, *l.Credential, c.Password)
	if ok {
		c.Credential = *l.Credential
	}
	if ReasonOf(err) == ReasonInternal {
		err = nil // what cannot be read is replaced
	}
	return ok, err
}
