// Package chromium shows the pages that tests have made in a headless Chromium.
package chromium

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Browser is a headless Chromium, driven by its DevTools protocol over a pair of
// pipes: JSON messages, each ended by a zero byte.
type Browser struct {
	t       *testing.T
	in      io.Writer
	mu      sync.Mutex
	next    int
	replies map[int]chan message
	events  []message
	loaded  chan struct{}
	session string
	page    string // that was opened last, its address
	width   int    // of the window then
}

type message struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// In is the browser with another test to fail, as a subtest is.
func (b *Browser) In(t *testing.T) *Browser {
	b.t = t
	return b
}

// Start starts the Chromium that CHROMIUM names, or that is found.
func Start(t *testing.T) *Browser {
	t.Helper()
	program := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); program == "" && err == nil {
			program = found
		}
	}
	if program == "" {
		t.Fatal("no Chromium: pages are tested in a browser. Install one (Debian, Ubuntu: apt-get install chromium), or name one in CHROMIUM")
	}
	fromTest, toBrowser, err := os.Pipe()
	must(t, err)
	fromBrowser, toTest, err := os.Pipe()
	must(t, err)
	command := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
		"--disable-extensions", "--disable-dev-shm-usage", "--metrics-recording-only", "--no-first-run", "--hide-scrollbars",
		"--user-data-dir="+t.TempDir())
	command.ExtraFiles = []*os.File{fromTest, toTest}
	var log bytes.Buffer
	command.Stderr = &log
	must(t, command.Start())
	fromTest.Close()
	toTest.Close()
	b := &Browser{t: t, in: toBrowser, replies: map[int]chan message{}, loaded: make(chan struct{}, 8)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.listen(fromBrowser)
	}()
	t.Cleanup(func() {
		toBrowser.Close() // Chromium ends with its pipe
		timer := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		timer.Stop()
		<-done
		fromBrowser.Close()
		if t.Failed() {
			t.Logf("Chromium's log:\n%s", log.String())
		}
	})
	target := call[struct{ TargetID string }](b, "Target.createTarget", map[string]any{"url": "about:blank"})
	b.session = call[struct{ SessionID string }](b, "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}).SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		call[struct{}](b, domain+".enable", nil)
	}
	return b
}

func (b *Browser) listen(in io.Reader) {
	for reader := bufio.NewReader(in); ; {
		data, err := reader.ReadBytes(0)
		var m message
		if err != nil || json.Unmarshal(bytes.TrimSuffix(data, []byte{0}), &m) != nil {
			break
		}
		b.mu.Lock()
		if reply := b.replies[m.ID]; reply != nil && m.ID > 0 {
			reply <- m
			delete(b.replies, m.ID)
		} else {
			b.events = append(b.events, m)
		}
		b.mu.Unlock()
		if m.Method == "Page.loadEventFired" {
			b.loaded <- struct{}{}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, reply := range b.replies {
		close(reply)
		delete(b.replies, id)
	}
}

// call runs a command of the protocol and returns its result.
func call[Result any](b *Browser, method string, params any) Result {
	b.t.Helper()
	b.mu.Lock()
	b.next++
	m := map[string]any{"id": b.next, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	reply := make(chan message, 1)
	b.replies[b.next] = reply
	b.mu.Unlock()
	data, err := json.Marshal(m)
	must(b.t, err)
	_, err = b.in.Write(append(data, 0))
	must(b.t, err)
	var result Result
	select {
	case answer, ok := <-reply:
		switch {
		case !ok:
			b.t.Fatalf("%s: Chromium ended", method)
		case answer.Error != nil:
			b.t.Fatalf("%s: %s", method, answer.Error.Message)
		default:
			must(b.t, json.Unmarshal(answer.Result, &result))
		}
	case <-time.After(60 * time.Second):
		b.t.Fatalf("%s: no answer from Chromium", method)
	}
	return result
}

// Open loads a file at a width, in a theme, light or dark, and forgets what was before.
func (b *Browser) Open(path string, width int, theme string) {
	b.t.Helper()
	call[struct{}](b, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
	call[struct{}](b, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": theme}}})
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	abs, err := filepath.Abs(path)
	must(b.t, err)
	b.width = width
	b.page = (&url.URL{Scheme: "file", Path: abs}).String()
	call[struct{}](b, "Page.navigate", map[string]any{"url": b.page})
	select {
	case <-b.loaded:
	case <-time.After(60 * time.Second):
		b.t.Fatalf("%s did not load", path)
	}
}

// Evaluate runs JavaScript in the page.
func Evaluate[Result any](b *Browser, script string) Result {
	b.t.Helper()
	answer := call[struct {
		Result struct {
			Value Result `json:"value"`
		} `json:"result"`
		ExceptionDetails *struct {
			Text string `json:"text"`
		} `json:"exceptionDetails"`
	}](b, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true})
	if answer.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", script, answer.ExceptionDetails.Text)
	}
	return answer.Result.Value
}

// Complaints are what the console, or the page, had to say, and every request
// beyond the page itself.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	pages := 0
	for _, m := range b.events {
		switch m.Method {
		case "Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening":
			list = append(list, m.Method+" "+string(m.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			_ = json.Unmarshal(m.Params, &p)
			switch {
			case strings.HasPrefix(p.Request.URL, "data:"):
			case p.Request.URL == b.page && pages == 0:
				pages++
			default:
				list = append(list, "request of "+p.Request.URL)
			}
		}
	}
	return list
}

// Screenshot keeps the whole page as a picture.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	answer := call[struct{ Data string }](b, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
	data, err := base64.StdEncoding.DecodeString(answer.Data)
	must(b.t, err)
	must(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(b.t, os.WriteFile(path, data, 0o600))
}

// Look is what is seen of a page.
type Look struct {
	Images, Charts int
	// Faults are what no page may have: broken or nameless pictures, charts that are
	// empty or cut off, what is wider than the window, scripts, and Complaints.
	Faults []string
}

// Look opens all that can be unfolded, and looks at the page.
func (b *Browser) Look() Look {
	b.t.Helper()
	type seen struct {
		Images, Charts          int
		Broken, Scripts         int
		Nameless                []string
		Empty, Wide, Clipped    []string
		ScrollWidth, InnerWidth float64
	}
	got := Evaluate[seen](b, lookScript)
	look := Look{Images: got.Images, Charts: got.Charts, Faults: b.Complaints()}
	fault := func(format string, args ...any) { look.Faults = append(look.Faults, fmt.Sprintf(format, args...)) }
	if got.Broken > 0 || got.Scripts > 0 {
		fault("%d pictures are broken, %d scripts", got.Broken, got.Scripts)
	}
	// A telephone shows more than its width of a page that is wider.
	if wide := max(got.ScrollWidth, got.InnerWidth); wide > float64(b.width) {
		fault("the page is %v wide in %v", wide, b.width)
	}
	for what, list := range map[string][]string{
		"without a name": got.Nameless, "charts that are empty": got.Empty, "beyond the edge": got.Wide, "texts that stick out of their charts": got.Clipped,
	} {
		if len(list) > 0 {
			fault("%s: %q", what, list)
		}
	}
	return look
}

const lookScript = `(() => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const images = [...document.images];
  const charts = [...document.querySelectorAll('svg.chart')].filter(s => s.parentElement.offsetParent !== null);
  const label = e => e.getAttribute('aria-label');
  const drawn = s => { const b = s.getBBox(), r = s.getBoundingClientRect(); return b.width > 50 && b.height > 30 && r.width > 200 && r.height > 50; };
  const inside = e => !!e.closest('.scroll, pre, .hidden, .skip, svg');
  const clipped = s => {
    const r = s.getBoundingClientRect();
    return [...s.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();
      return b.left < r.left - 2 || b.right > r.right + 2 || b.top < r.top - 2 || b.bottom > r.bottom + 2; }).map(t => t.textContent);
  };
  return {
    Images: images.length, Charts: charts.length,
    Broken: images.filter(i => !(i.complete && i.naturalWidth > 0)).length, Scripts: document.scripts.length,
    Nameless: [...images.filter(i => !i.alt), ...charts.filter(s => !label(s)),
      ...[...document.querySelectorAll('table')].filter(t => !t.caption && !t.closest('.manifest'))].map(e => e.outerHTML.slice(0, 100)),
    Empty: charts.filter(s => !drawn(s)).map(label),
    ScrollWidth: document.documentElement.scrollWidth, InnerWidth: innerWidth,
    Wide: [...document.querySelectorAll('body *')].filter(e => !inside(e) && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.tagName + '.' + e.className),
    Clipped: charts.flatMap(clipped),
  };
})()`

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
