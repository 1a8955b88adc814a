package report_test

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

// browser is a headless Chromium, driven by its DevTools protocol over a pair of
// pipes: JSON messages, each ended by a zero byte.
type browser struct {
	t       *testing.T
	in      io.Writer
	mu      sync.Mutex
	next    int
	replies map[int]chan message
	events  []message
	loaded  chan struct{}
	session string
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

// startBrowser starts the Chromium that CHROMIUM names, or that is found.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	program := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); program == "" && err == nil {
			program = found
		}
	}
	if program == "" {
		t.Fatal("no Chromium: the report is tested in a browser. Install one (Debian, Ubuntu: apt-get install chromium), or name one in CHROMIUM")
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
	b := &browser{t: t, in: toBrowser, replies: map[int]chan message{}, loaded: make(chan struct{}, 8)}
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

func (b *browser) listen(in io.Reader) {
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
func call[Result any](b *browser, method string, params any) Result {
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

// open loads a file at a width, in a theme, and forgets what was before.
func (b *browser) open(path string, width int, theme string) {
	b.t.Helper()
	call[struct{}](b, "Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600})
	call[struct{}](b, "Emulation.setEmulatedMedia", map[string]any{"features": []any{map[string]any{"name": "prefers-color-scheme", "value": theme}}})
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	abs, err := filepath.Abs(path)
	must(b.t, err)
	call[struct{}](b, "Page.navigate", map[string]any{"url": (&url.URL{Scheme: "file", Path: abs}).String()})
	select {
	case <-b.loaded:
	case <-time.After(60 * time.Second):
		b.t.Fatalf("%s did not load", path)
	}
}

// evaluate runs JavaScript in the page.
func evaluateIn[Result any](b *browser, script string) Result {
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

// complaints are what the console, or the page, had to say, and every request
// beyond the page itself.
func (b *browser) complaints() []string {
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
			case strings.HasPrefix(p.Request.URL, "file:") && strings.HasSuffix(p.Request.URL, "/report.html") && pages == 0:
				pages++
			default:
				list = append(list, "request of "+p.Request.URL)
			}
		}
	}
	return list
}

// screenshot keeps the whole page as a picture under build/report.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	answer := call[struct{ Data string }](b, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true})
	data, err := base64.StdEncoding.DecodeString(answer.Data)
	must(b.t, err)
	dir := filepath.Join("..", "..", "build", "report")
	must(b.t, os.MkdirAll(dir, 0o755))
	must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600))
}

// look is what a page must be like once it is shown.
type look struct {
	Images, Broken          int
	Charts                  int
	EmptyCharts             []string
	ScrollWidth, InnerWidth float64
	Overflowing             []string
	Scripts                 int
	Nameless                int
}

const lookScript = `(() => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  const images = [...document.images];
  const charts = [...document.querySelectorAll('svg.chart')].filter(s => s.parentElement.offsetParent !== null);
  const box = s => { const b = s.getBBox(), r = s.getBoundingClientRect(); return b.width > 50 && b.height > 30 && r.width > 200 && r.height > 50; };
  const inside = e => !!e.closest('.scroll, pre, .hidden, .skip, svg');
  return {
    Images: images.length, Broken: images.filter(i => !(i.complete && i.naturalWidth > 0)).length,
    Charts: charts.length, EmptyCharts: charts.filter(s => !box(s)).map(s => s.getAttribute('aria-label')),
    ScrollWidth: document.documentElement.scrollWidth, InnerWidth: innerWidth,
    Overflowing: [...document.querySelectorAll('body *')].filter(e => !inside(e) && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className),
    Scripts: document.scripts.length,
    Nameless: images.filter(i => !i.alt).length + charts.filter(s => !s.getAttribute('aria-label')).length
      + [...document.querySelectorAll('table')].filter(t => !t.caption && !t.closest('.manifest')).length,
  };
})()`

// clippedScript finds the texts of charts that stick out of their chart.
const clippedScript = `[...document.querySelectorAll('svg.chart')].filter(s => s.parentElement.offsetParent !== null).flatMap(s => {
  const r = s.getBoundingClientRect();
  return [...s.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();
    return b.left < r.left - 2 || b.right > r.right + 2 || b.top < r.top - 2 || b.bottom > r.bottom + 2; }).map(t => t.textContent);
})`

func TestInChromium(t *testing.T) {
	b := startBrowser(t)
	for name, f := range fixtures() {
		dir, _ := build(t, f)
		path := filepath.Join(dir, "report.html")
		for _, width := range []int{390, 1400} {
			for _, theme := range []string{"light", "dark"} {
				if theme == "dark" && name != "demo" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d/%s", name, width, theme), func(t *testing.T) {
					b.t = t
					b.open(path, width, theme)
					if f.classes == nil {
						b.screenshot(fmt.Sprintf("%s-%d-%s", strings.ReplaceAll(name, " ", "-"), width, theme))
					}
					checkLook(t, b, f)
				})
			}
		}
	}
}

func checkLook(t *testing.T, b *browser, f fixture) {
	t.Helper()
	got := evaluateIn[look](b, lookScript)
	if got.Broken > 0 || got.Nameless > 0 || got.Scripts > 0 {
		t.Errorf("%d of %d pictures are broken, %d lack a name, %d scripts", got.Broken, got.Images, got.Nameless, got.Scripts)
	}
	if shown := f.classes == nil; shown != (got.Images > 0) {
		t.Errorf("%d pictures are shown", got.Images)
	}
	if got.Charts < 5 || len(got.EmptyCharts) > 0 {
		t.Errorf("%d charts, of them empty: %q", got.Charts, got.EmptyCharts)
	}
	if got.ScrollWidth > got.InnerWidth || len(got.Overflowing) > 0 {
		t.Errorf("the page is %v wide in %v; beyond the edge: %q", got.ScrollWidth, got.InnerWidth, got.Overflowing)
	}
	if clipped := evaluateIn[[]string](b, clippedScript); len(clipped) > 0 {
		t.Errorf("texts stick out of their charts: %q", clipped)
	}
	if complaints := b.complaints(); len(complaints) > 0 {
		t.Errorf("the browser has something to say: %s", strings.Join(complaints, "\n"))
	}
}

// The themes must differ, in the page and in the charts; and text must be
// legible in both.
func TestThemes(t *testing.T) {
	b := startBrowser(t)
	dir, _ := build(t, fixtures()["demo"])
	colors := map[string]map[string]string{}
	for _, theme := range []string{"light", "dark"} {
		b.open(filepath.Join(dir, "report.html"), 1400, theme)
		colors[theme] = evaluateIn[map[string]string](b, `({page: getComputedStyle(document.body).backgroundColor,
			ink: getComputedStyle(document.body).color, chart: getComputedStyle(document.querySelector('svg.chart text')).fill})`)
		if c := colors[theme]; c["page"] == c["ink"] || c["page"] == c["chart"] {
			t.Errorf("%s: %v", theme, c)
		}
	}
	for _, part := range []string{"page", "ink", "chart"} {
		if colors["light"][part] == colors["dark"][part] {
			t.Errorf("%s is %s in both themes", part, colors["light"][part])
		}
	}
}
