package wire

import (
	"context"
	"errors"
	"os"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/upl-host/upl-host/sdk/session"
)

// Handshake is what host and plugin tell each other before they speak. It keeps
// people from starting a plugin by hand; it is no protection.
var Handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "UPL_HOST_PLUGIN", MagicCookieValue: "upl-v1"}

// Name is what go-plugin knows the service by.
const Name = "policies"

// MaxMessage is the largest message of either side, in bytes.
const MaxMessage = 64 << 20

// Service is the contract's service as go-plugin has it, on both sides.
type Service struct {
	plugin.NetRPCUnsupportedPlugin
	// Backend is behind a plugin's side; nil on the host's.
	Backend Backend
	// Output is where what the policies print goes.
	Output *os.File
}

// GRPCServer registers the plugin's side.
func (s *Service) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	if s.Backend == nil {
		return errors.New("nothing to serve")
	}
	RegisterPoliciesServer(server, &policiesServer{backend: s.Backend, output: s.Output})
	return nil
}

// GRPCClient is the host's side, a PoliciesClient.
func (s *Service) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, connection *grpc.ClientConn) (any, error) {
	return NewPoliciesClient(connection), nil
}

// Backend is what a plugin serves.
type Backend interface {
	// Describe gives the manifest's part that the plugin says of itself, JSON.
	Describe(context.Context) ([]byte, error)
	// Start makes the guest of a run.
	Start(ctx context.Context, host Host) (session.Guest, error)
}

// Serve serves the plugin's side until the host ends it, then exits. Standard
// output is the host's from here on: what policies print goes to standard error.
func Serve(backend Backend) {
	output := os.Stderr
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{Name: &Service{Backend: backend, Output: output}},
		Logger:          quiet(),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage))...)
		},
	})
}
