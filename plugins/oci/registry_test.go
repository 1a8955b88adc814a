package oci_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upl-host/upl-host/plugins/oci"
)

// registry starts Debian's docker-registry on a free port of the loopback and
// returns its host:port, and the folder that it keeps all in.
func registry(t *testing.T, more string) (host, storage string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed (Debian: apt-get install docker-registry)")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = free.Addr().String()
	free.Close()
	dir := t.TempDir()
	storage = filepath.Join(dir, "storage")
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: %s}\nhttp:\n  addr: %s\n%s", storage, host, more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	server := exec.Command(program, "serve", config)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = server.Wait(); close(done) }()
	t.Cleanup(func() { _ = server.Process.Kill(); <-done })
	for range 200 {
		if response, err := http.Get("http://" + host + "/v2/"); err == nil {
			response.Body.Close()
			return host, storage
		}
		select {
		case <-done:
			t.Fatalf("docker-registry ended: %s", log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("docker-registry does not answer")
	return "", ""
}

func TestRegistry(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir()) // no developer's credentials
	host, storage := registry(t, "")
	plain := oci.Options{PlainHTTP: true, UserAgent: "upl-host/test"}
	roundTrip(t, host+"/org", plain)

	parent := t.TempDir()
	for name, test := range map[string]struct {
		ref  string
		o    oci.Options
		want func(error) bool
		text string
	}{
		"no tag":        {host + "/org/module:2", plain, as[*oci.NotFoundError], ""},
		"no repository": {host + "/org/nothing:1", plain, as[*oci.NotFoundError], ""},
		"no digest":     {host + "/org/module@sha256:" + strings.Repeat("0", 64), plain, as[*oci.NotFoundError], ""},
		"TLS":           {host + "/org/module:1.2.3", oci.Options{}, anything, "--plain-http"},
		"nobody":        {"127.0.0.1:1/org/module:1", plain, anything, "refused"},
	} {
		_, err := oci.Pull(t.Context(), test.ref, parent, oci.PullOptions{Options: test.o})
		fails(t, name, err, test.want, test.text)
	}
	nothing(t, parent)

	// The registry's own disk fails: its answer is not taken.
	for _, test := range []struct{ repository, needle string }{{"module", "\x00asm"}, {"process", "\x1f\x8b"}} {
		damage(t, storage, test.needle)
		_, err := oci.Pull(t.Context(), host+"/org/"+test.repository+":1.2.3", parent, oci.PullOptions{Options: plain})
		fails(t, test.repository, err, as[*oci.DigestError], "")
	}
	nothing(t, parent)
}

// damage changes the blobs that begin with needle, in their last byte.
func damage(t *testing.T, storage, needle string) {
	t.Helper()
	blobs, err := filepath.Glob(filepath.Join(storage, "docker/registry/v2/blobs/sha256/*/*/data"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, blob := range blobs {
		text, err := os.ReadFile(blob)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(text, []byte(needle)) {
			text[len(text)-1] ^= 1
			if err := os.WriteFile(blob, text, 0o600); err != nil {
				t.Fatal(err)
			}
			damaged++
		}
	}
	if damaged != 1 {
		t.Fatalf("%d blobs begin with %q", damaged, needle)
	}
}

// TestCredentials needs a name and a password, which are those of `docker login`.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	users := filepath.Join(dir, "users")
	// The password is secret, by bcrypt.
	if err := os.WriteFile(users, []byte("ada:$2a$04$J2hR.TTcHRA9xDAXxtrQYeZuYyByztBWNNxwXJ8Lb8TNHpQgc14tS\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, _ := registry(t, fmt.Sprintf("auth:\n  htpasswd: {realm: test, path: %s}\n", users))
	plain, ref, folder := oci.Options{PlainHTTP: true}, host+"/org/decided:1", module(t)
	login := func(password string) {
		auth := base64.StdEncoding.EncodeToString([]byte("ada:" + password))
		if err := os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, host, auth), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(name string) {
		t.Helper()
		_, err := oci.Push(t.Context(), folder, ref, plain)
		fails(t, name+", push", err, as[*oci.AccessError], "docker login "+host)
		_, err = oci.Pull(t.Context(), ref, t.TempDir(), oci.PullOptions{Options: plain})
		fails(t, name+", pull", err, as[*oci.AccessError], "docker login "+host)
	}
	refused("no credentials")
	login("guessed")
	refused("a wrong password")
	login("secret")
	pushed := push(t, folder, ref, plain)
	if pulled := pull(t, ref, t.TempDir(), oci.PullOptions{Options: plain}); pulled.Digest != pushed.Digest {
		t.Errorf("pulled %s, pushed %s", pulled.Digest, pushed.Digest)
	}
}
