package process

import (
	"context"
	"errors"
	"io"
	"math"
	"os/exec"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/sdktest"
	"github.com/upl-host/upl-host/sdk/session"
	"github.com/upl-host/upl-host/sdk/wire"
)

// script is a run's stream on which a program says what it was told to.
type script struct {
	grpc.ClientStream
	says []byte // messages, each behind its length in one byte
}

func (s *script) Send(*wire.HostMessage) error { return nil }

func (s *script) Recv() (*wire.PluginMessage, error) {
	if len(s.says) == 0 {
		return nil, io.EOF
	}
	n := min(int(s.says[0]), len(s.says)-1)
	message := &wire.PluginMessage{}
	if err := proto.Unmarshal(s.says[1:1+n], message); err != nil {
		return nil, err
	}
	s.says = s.says[1+n:]
	return message, nil
}

func said(messages ...*wire.PluginMessage) []byte {
	var all []byte
	for _, m := range messages {
		b, err := proto.Marshal(m)
		if err != nil || len(b) > math.MaxUint8 {
			panic("a message that is too long")
		}
		all = append(append(all, byte(len(b))), b...)
	}
	return all
}

// FuzzMessages has a program say whatever it likes: the host neither crashes nor
// believes it.
func FuzzMessages(f *testing.F) {
	returned := func(result int32) *wire.PluginMessage {
		return &wire.PluginMessage{Message: &wire.PluginMessage_Returned{Returned: &wire.Return{Result: result}}}
	}
	view := make([]byte, sdk.SizeViewSpec)
	view[0], view[4] = sdk.SizeViewSpec, byte(sdk.ViewRows)
	label := make([]byte, sdk.SizeLabel)
	f.Add(said(
		&wire.PluginMessage{Message: &wire.PluginMessage_OpenView{OpenView: &wire.OpenView{Spec: view}}}, returned(0), returned(0),
		&wire.PluginMessage{Message: &wire.PluginMessage_ReadView{ReadView: &wire.ReadView{First: -1, N: 2, Cap: 1 << 60}}}, returned(0),
		&wire.PluginMessage{Message: &wire.PluginMessage_Emit{Emit: &wire.Emit{Kind: 1, Records: label}}},
		&wire.PluginMessage{Message: &wire.PluginMessage_Metric{Metric: &wire.Metric{Name: "m", Value: math.Inf(1)}}},
		&wire.PluginMessage{Message: &wire.PluginMessage_Random{Random: &wire.Random{Size: math.MaxUint32}}},
		&wire.PluginMessage{Message: &wire.PluginMessage_Log{Log: &wire.Log{Level: -7, Message: "\x1b"}}}, returned(2),
	))
	f.Add(said(&wire.PluginMessage{Message: &wire.PluginMessage_Returned{Returned: &wire.Return{Fault: &wire.Fault{Kind: 9}}}}))
	f.Add(said(&wire.PluginMessage{}))
	f.Add(said(&wire.PluginMessage{Message: &wire.PluginMessage_Returned{}}))
	f.Fuzz(func(t *testing.T, says []byte) {
		p := sdktest.Matrix{Values: []float32{1, 0, 0, 0.25, 0.5, 0.25}, C: 3}
		in := session.Input{
			Ensemble: p, Models: []session.Probabilities{p}, ClassNames: []string{"a", "b", "c"},
			Takes: []sdk.EmitKind{sdk.EmitSoft, sdk.EmitCandidates, sdk.EmitDrop},
		}
		description := session.Description{Name: "p", Kind: sdk.KindSelection, Needs: session.Needs{Views: []string{"rows", "stats", "class_top_k"}}}
		description.Parameters = []byte(`{}`)
		selection, err := session.Select(t.Context(), description, in, func(_ context.Context, host sdk.Host) (session.Guest, error) {
			ended := make(chan struct{})
			close(ended)
			running := &process{command: &command{cmd: &exec.Cmd{}, ended: ended}, output: &output{}}
			running.closed.Do(func() {}) // there is nothing to end
			return &guest{process: running, host: host, memory: &memory{}, end: func() {}, unwatch: func() {}, stream: &script{says: says}}, nil
		})
		if err == nil {
			for _, l := range selection.Labels {
				if l.Row < 0 || l.Row >= 2 || l.Class < 0 || l.Class >= 3 || !(l.Weight >= 0) {
					t.Errorf("label %v", l)
				}
			}
			return
		}
		for _, target := range []any{new(*session.TrapError), new(*session.LimitError), new(*session.ProtocolError), new(*session.GuestError)} {
			if errors.As(err, target) {
				return
			}
		}
		t.Errorf("%T: %v", err, err)
	})
}
