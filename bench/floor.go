package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// serveFloor answers bare handlers: what the machine can do at most.
func serveFloor(address string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cheap, err := bcrypt.GenerateFromPassword([]byte("correct-horse"), 4)
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.GET("/hello", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	r.POST("/form", func(c *gin.Context) { c.String(http.StatusOK, c.PostForm("username")) })
	r.GET("/es256", func(c *gin.Context) {
		h := sha256.Sum256([]byte("header.payload"))
		sig, err := ecdsa.SignASN1(rand.Reader, key, h[:])
		if err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		c.Data(http.StatusOK, "application/octet-stream", sig)
	})
	r.GET("/argon2id", func(c *gin.Context) {
		argon2.IDKey([]byte("correct-horse"), []byte("0123456789abcdef"), 2, 19*1024, 1, 32)
		c.Status(http.StatusOK)
	})
	r.GET("/bcrypt4", func(c *gin.Context) {
		if bcrypt.CompareHashAndPassword(cheap, []byte("correct-horse")) != nil {
			c.Status(http.StatusInternalServerError)
		}
	})
	s := &http.Server{Addr: address, Handler: r, ReadHeaderTimeout: 5 * time.Second}
	return s.ListenAndServe()
}
