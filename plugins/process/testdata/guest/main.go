// Command guest is a plugin that misbehaves in ways that a program can. What it does
// before it serves is its argument; what it does in a run is its policies.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/upl-host/upl-host/sdk"
	"github.com/upl-host/upl-host/sdk/serve"
	"github.com/upl-host/upl-host/sdk/wire"
)

var own = serve.Policies(
	policy("fine", func(r *sdk.Round) error { return r.Emit(sdk.Label{Row: 0, Class: 1, Weight: 1}) }),
	policy("panics", func(*sdk.Round) error { panic("on purpose") }),
	policy("crashes", func(*sdk.Round) error {
		fmt.Fprintln(os.Stderr, "about to go")
		go func() { panic("out of the way") }()
		select {}
	}),
	policy("exits", func(*sdk.Round) error { os.Exit(7); return nil }),
	policy("hangs", func(*sdk.Round) error { select {} }),
	policy("hangs-in-log", func(r *sdk.Round) error { r.Log(sdk.LevelInfo, "still there"); select {} }),
	policy("logs", func(r *sdk.Round) error {
		for {
			r.Log(sdk.LevelInfo, "and another thing")
		}
	}),
	policy("prints", func(*sdk.Round) error {
		for {
			fmt.Fprintln(os.Stderr, strings.Repeat("and another thing ", 100))
		}
	}),
	policy("allocates", func(*sdk.Round) error {
		all := bytes.Repeat([]byte{1}, 600<<20)
		time.Sleep(time.Minute)
		return fmt.Errorf("%d bytes", len(all))
	}),
	policy("forges", func(r *sdk.Round) error { return r.Emit(sdk.Label{Row: 1 << 40, Class: 1, Weight: 1}) }),
	policy("refuses", func(*sdk.Round) error { return sdk.Unusable("k", "is too odd") }),
	policy("starts-another", func(r *sdk.Round) error {
		child := exec.Command("sleep", "1000")
		if err := child.Start(); err != nil {
			return err
		}
		return r.Metric("child", float64(child.Process.Pid))
	}),
	policy("looks-around", looksAround),
)

func main() {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "chats":
		fmt.Println("Hello from a plugin that was told not to.")
	case "exits":
		fmt.Fprintln(os.Stderr, "cannot find my things")
		os.Exit(3)
	case "hangs":
		time.Sleep(time.Hour)
	case "answers-elsewhere":
		fmt.Println("1|1|tcp|127.0.0.1:80|grpc|")
		time.Sleep(time.Hour)
	case "answers-unproven":
		_ = os.Unsetenv("PLUGIN_CLIENT_CERT") // a certificate is then neither asked for nor shown
	case "speaks-2.0":
		answer(&wire.DescribeResponse{AbiVersion: 2 << 16, Manifest: []byte(`{"policies":[]}`)})
	case "speaks-1.9":
		answer(&wire.DescribeResponse{AbiVersion: 1<<16 | 9})
	case "describes-nothing":
		answer(&wire.DescribeResponse{AbiVersion: sdk.ABIVersion, Manifest: []byte(`{"policies":`)})
	}
	own.Main()
}

// answer serves a plugin that has one answer, and cannot run.
func answer(response *wire.DescribeResponse) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake, GRPCServer: plugin.DefaultGRPCServer,
		Plugins: plugin.PluginSet{wire.Name: &answering{response: response}},
	})
}

type answering struct {
	plugin.NetRPCUnsupportedPlugin
	wire.UnimplementedPoliciesServer
	response *wire.DescribeResponse
}

func (a *answering) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterPoliciesServer(s, a)
	return nil
}

func (*answering) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is the plugin's side")
}

func (a *answering) Describe(context.Context, *wire.DescribeRequest) (*wire.DescribeResponse, error) {
	return a.response, nil
}

func policy(name string, end func(*sdk.Round) error) sdk.Policy {
	return sdk.Policy{Name: name, Version: "1.0.0", Parameters: `{"type": "object"}`, Selection: func() sdk.Selection { return ending(end) }}
}

type ending func(*sdk.Round) error

func (e ending) Configure(*sdk.Setup) error { return nil }

func (e ending) EndRound(r *sdk.Round) (bool, error) { return false, e(r) }

// looksAround tells what it sees of the host.
func looksAround(r *sdk.Round) error {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		r.Log(sdk.LevelInfo, "variable "+name)
	}
	if n, err := os.Stdin.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("standard input gave %d bytes, %w", n, err)
	}
	fmt.Println("said on standard output")
	fmt.Fprintln(os.Stderr, "said on standard error")
	return nil
}
