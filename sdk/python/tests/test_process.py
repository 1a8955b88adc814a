"""The server, as a process that a host starts."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import grpc
import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

import policies
import upl_plugin as upl
from conftest import ENTRY
from process import Process, RemoteGuest, describe
from upl_plugin import _policies_pb2 as pb
from upl_plugin import abi, certificate, testing
from upl_plugin.policy import Plugin
from upl_plugin.testing import Data, Session

MANIFEST = Plugin(
    policies.Everything,
    policies.Kinds,
    policies.Wrong,
    policies.Threshold,
    policies.Mean,
).manifest()
ALL = (abi.EmitKind.SOFT, abi.EmitKind.CANDIDATES, abi.EmitKind.DROP)


def session(name: str, data: Data, **params: object) -> Session:
    described = {p["name"]: p for p in MANIFEST["policies"]}[name]
    return Session(described, data, params, ALL)


def random_data(rows: int, classes: int, models: int = 2, **more: object) -> Data:
    draw = np.random.default_rng(7)
    return Data(draw.dirichlet(np.ones(classes), (models, rows)), **more)


def same(a: object, b: object) -> bool:
    """Whether two results are equal, arrays by their bytes."""
    return repr(_bytes(a)) == repr(_bytes(b))


def _bytes(x: object) -> object:
    if isinstance(x, np.ndarray):
        return x.dtype, x.shape, x.tobytes()
    if hasattr(x, "__dataclass_fields__"):
        return {name: _bytes(getattr(x, name)) for name in x.__dataclass_fields__}
    return x


def test_handshake(process: Process) -> None:
    core, version, network, path, protocol, der = process.handshake
    assert (core, version, network, protocol) == ("1", "1", "unix", "grpc")
    assert str(Path(path).parent) == process.sockets.name
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    assert "=" not in der


def test_describe(channel: grpc.Channel) -> None:
    answer = describe(channel)
    assert answer.abi_version == abi.ABI_VERSION
    assert json.loads(answer.manifest) == MANIFEST


def test_health(channel: grpc.Channel) -> None:
    # HealthCheckRequest{service: "plugin"}; HealthCheckResponse{status: SERVING}.
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"\x0a\x06plugin", timeout=60) == b"\x08\x01"


def test_strangers_are_refused(process: Process) -> None:
    key, own = certificate.make()
    stranger = process.channel(key, own.public_bytes(Encoding.PEM))
    with stranger, pytest.raises(grpc.RpcError) as caught:
        describe(stranger)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("batch_rows", [1, 7, 256])
def test_every_view(channel: grpc.Channel, batch_rows: int) -> None:
    draw = np.random.default_rng(8)
    data = random_data(
        40,
        3,
        features=[draw.random((40, 5))] * 2,
        text_features=[draw.random((3, 5))] * 2,
        batch_rows=batch_rows,
    )
    there = session("everything", data)
    with RemoteGuest(channel, there) as guest:
        there.rounds(guest)
    here = testing.select(
        policies.Everything,
        data.probabilities,
        features=data.features,
        text_features=data.text_features,
        batch_rows=batch_rows,
    )
    assert same(there.result(), here)
    assert here.rounds == 2
    assert [m.value for m in here.metrics if m.name == "previous"] == [0, 6]
    assert len(here.log) == 2 * -(-40 // batch_rows)


def test_every_kind_in_pieces(channel: grpc.Channel) -> None:
    data = random_data(200_000, 3, models=1)
    there = session("kinds", data)
    with RemoteGuest(channel, there) as guest:
        there.rounds(guest)
    assert max(guest.emits) <= 1 << 20
    result = there.result()
    assert same(result, testing.select(policies.Kinds, data.probabilities))
    assert len(result.labels.rows) == len(result.drops) == 50_000
    assert result.soft.soft[0].tolist() == [0.5, 0, 0.5]
    assert result.candidates.classes[:4].tolist() == [0, 1, 0, 1]


def test_combine(channel: grpc.Channel) -> None:
    data = random_data(600, 1000, models=3, batch_rows=500)
    there = session("mean", data)
    with RemoteGuest(channel, there) as guest:
        there.rounds(guest)
        combined = there.combine(guest)
    assert max(guest.emits) <= (1 << 20) + abi.SIZE_HEAD
    assert np.array_equal(combined, data.mean)


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("undeclared", upl.Code.DENIED, "opening view rows: it is not among"),
        ("exit", upl.Code.INTERNAL, "SystemExit: no more"),
        ("raise", upl.Code.INTERNAL, "KeyError: 'no such key'\n\t"),
        ("late", upl.Code.STATE, "reading view stats: it is read in observe"),
    ],
)
def test_faults(channel: grpc.Channel, how: str, code: upl.Code, message: str) -> None:
    there = session("wrong", random_data(5, 2), how=how)
    with pytest.raises(upl.Error) as caught, RemoteGuest(channel, there) as guest:
        there.rounds(guest)
    assert caught.value.code == code
    assert message in str(caught.value)


def test_a_wrong_record(channel: grpc.Channel) -> None:
    there = session("wrong", random_data(5, 2), how="range")
    wrong = pytest.raises(testing.ContractError, match="row 1000000000: there are 5")
    with wrong, RemoteGuest(channel, there) as guest:
        there.rounds(guest)


def test_a_fault_says_where(channel: grpc.Channel) -> None:
    there = session("wrong", random_data(5, 2), how="raise")
    with pytest.raises(upl.Error) as caught, RemoteGuest(channel, there) as guest:
        there.rounds(guest)
    assert "policies.py" in caught.value.message.splitlines()[1]
    assert 'in configure: {}["no such key"]' in caught.value.message.splitlines()[1]


def test_unusable_parameter(channel: grpc.Channel) -> None:
    data = random_data(5, 2)
    there = session("everything", data, k=13)
    with pytest.raises(upl.Error) as caught, RemoteGuest(channel, there) as guest:
        there.rounds(guest)
    assert (caught.value.code, str(caught.value)) == (
        upl.Code.CONFIG,
        "parameter k: is 13",
    )


def test_output_is_no_handshake() -> None:
    with Process(ENTRY) as process:
        assert process.handshake[0] == "1"
        with process.channel() as channel:
            there = session("wrong", random_data(5, 2), how="prints")
            with RemoteGuest(channel, there) as guest:
                there.rounds(guest)
            shut_down(channel)
        out, err = process.popen.communicate(timeout=60)
    assert out == b""
    assert b"chatter while importing" in err
    assert b"chatter in a run" in err


def shut_down(channel: grpc.Channel) -> None:
    channel.unary_unary("/plugin.GRPCController/Shutdown")(b"", timeout=60)


def test_shutdown() -> None:
    with Process(ENTRY) as process:
        with process.channel() as channel:
            shut_down(channel)
        assert process.popen.wait(60) == 0
        assert os.listdir(process.sockets.name) == []


def test_it_ends_with_its_host() -> None:
    with Process(ENTRY) as template:
        starter = (
            "from subprocess import PIPE, Popen; import sys\n"
            "child = Popen([sys.executable, sys.argv[1]], stdout=PIPE)\n"
            "child.stdout.readline()\n"
            "print(child.pid, flush=True)\n"
        )
        pid = int(
            subprocess.run(
                [sys.executable, "-c", starter, ENTRY],
                env=template._environment(),
                check=True,
                capture_output=True,
                timeout=60,
            ).stdout
        )
    deadline = time.monotonic() + 60
    while _runs(pid):
        assert time.monotonic() < deadline, "the plugin outlives its host"
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that nobody waits for has ended, too.
    return ") Z " not in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PLUGIN_PROTOCOL_VERSIONS", "2", "version 1"),
        ("PLUGIN_CLIENT_CERT", "", "PLUGIN_CLIENT_CERT"),
    ],
)
def test_a_host_of_another_kind(
    process: Process, name: str, value: str, complaint: str
) -> None:
    with Process(ENTRY, {**process._environment(), name: value}) as other:
        _, err = other.popen.communicate(timeout=60)
        assert other.popen.returncode == 1
    assert complaint in err.decode()


def test_a_missing_package_is_named(process: Process, tmp_path: Path) -> None:
    missing = "raise ModuleNotFoundError('no grpc', name='grpc')"
    (tmp_path / "grpc.py").write_text(missing)
    env = process._environment()
    env["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{env['PYTHONPATH']}"
    with Process(ENTRY, env) as other:
        _, err = other.popen.communicate(timeout=60)
    assert "has no module grpc. It is the python3" in err.decode()
    assert "Traceback" not in err.decode()


def test_a_run_that_the_host_leaves(channel: grpc.Channel) -> None:
    data = random_data(30, 2)
    left = RemoteGuest(channel, session("mean", data))
    # Its question, after this call, is never answered.
    left.outbox.put(pb.HostMessage(call=pb.Call(function=pb.CONFIGURE)))
    assert next(left.stream).WhichOneof("message") == "open_view"
    left.stream.cancel()
    there = session("mean", data)
    with RemoteGuest(channel, there) as guest:
        there.rounds(guest)
        assert len(there.combine(guest)) == 30


def test_many_runs_at_once(channel: grpc.Channel) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            there = session("mean", random_data(30, 2))
            there.rounds(stack.enter_context(RemoteGuest(channel, there)))


def test_by_hand() -> None:
    run = subprocess.run(
        [sys.executable, ENTRY],
        env={"PYTHONPATH": str(ENTRY.parents[1]), "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
        timeout=60,
    )
    chatter, _, described = run.stdout.partition(b"\n")
    assert chatter == b"chatter while importing"
    assert json.loads(described) == MANIFEST
    assert b"upl-host starts it" in run.stderr
