package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const importedUsers = 100_000

// measureImport imports many users with bcrypt hashes, twice.
func measureImport(ctx context.Context, s settings, r *report, column string, fresh place) error {
	dir, dsn, err := fresh("import")
	if err != nil {
		return err
	}
	in, err := configure(dir, dsn, "0s")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "many.jsonl")
	if err := writeMany(file); err != nil {
		return err
	}
	var took [2]time.Duration
	for i := range took {
		cmd := exec.CommandContext(ctx, s.program, "users", "import", file, "--config", in.File) //nolint:gosec // the program to measure
		cmd.Env = append(os.Environ(), environment()...)
		begin := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("users import: %w\n%s", err, out)
		}
		took[i] = time.Since(begin)
	}
	r.fact(column, fmt.Sprintf("import of %d users with bcrypt hashes, and once more", importedUsers),
		fmt.Sprintf("%.1f s and %.1f s (target 30 s each)", took[0].Seconds(), took[1].Seconds()))
	return nil
}

// writeMany writes users whose hashes have bcrypt's form; nobody logs in with
// them.
func writeMany(file string) error {
	f, err := os.Create(file) //nolint:gosec // in a folder of our own
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	bcrypt := base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
	var random [39]byte
	for i := range importedUsers {
		if _, err := rand.Read(random[:]); err != nil {
			return err
		}
		hash := "$2y$10$" + bcrypt.EncodeToString(random[:16]) + bcrypt.EncodeToString(random[16:])
		_, err := fmt.Fprintf(w, `{"login_names":["user%[1]d","user%[1]d@example.com"],"email":"user%[1]d@example.com","email_verified":true,`+
			`"status":"active","password_hash":%[2]q,"claims":{"given_name":"User","family_name":"%[1]d"},`+
			`"accounts":{"faveo":{"id":"%[3]d","attributes":{"role":"user"}}}}`+"\n", i, hash, i+10)
		if err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
