"""What a command leaves to the shell: its streams, its exit code, one message."""

import json
import os
import signal
import subprocess
import sys

import pytest

from zoo.errors import ZooError
from zoo.process import ended

ZOO = [sys.executable, "-m", "zoo"]


def program(code: str, **options) -> subprocess.CompletedProcess[bytes]:
    """Run a program that has `ended` at hand: the streams are those of a process."""
    return subprocess.run(
        [sys.executable, "-c", "import sys\nfrom zoo.process import ended\n" + code],
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options),
    )


@pytest.fixture
def handlers():
    """Put the signal handlers back, which an interrupted command leaves to the system."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_exit_codes(capsys) -> None:
    def raises(error):
        def command():
            raise error

        return command

    assert ended(lambda: None) == 0
    assert ended(raises(SystemExit(2))) == 2
    assert ended(raises(ZooError("a file is not there."))) == 1
    assert capsys.readouterr().err == "zoo: a file is not there.\n"
    assert ended(raises(PermissionError(13, "Permission denied", "m/red"))) == 1
    assert capsys.readouterr().err == "zoo: m/red: Permission denied.\n"
    with pytest.raises(OSError, match="no file"):  # a fault of ours is seen as one
        ended(raises(OSError("no file")))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
@pytest.mark.parametrize(
    "command",
    [["train", "textcnn"], ["evaluate", "run", "x.csv"], ["predict", "run"], ["generate", "run"],
     ["export", "run", "to"], ["data", "x.csv"], ["runs"]],
    ids=lambda command: command[0],
)  # fmt: skip
def test_signals_end_every_command(
    command, number, code, zoo_command, monkeypatch, handlers
) -> None:
    """The signal comes while TensorFlow is loaded, or while runs are read."""

    def signalled(*_, **__):
        signal.raise_signal(number)

    monkeypatch.setattr("zoo.cli.load_tensorflow", signalled)
    monkeypatch.setattr("zoo.runs.run.list_runs", signalled)
    ended = zoo_command(*command, code=code)
    assert ended.stderr == "zoo: interrupted.\n"
    assert ended.stdout == ""


def test_a_second_signal_ends_at_once() -> None:
    """While threads that Python waits for go on, as those of a server or of the data do."""
    code = (
        "import signal, threading, time\n"
        "from zoo.__main__ import main\n"
        "import zoo.cli\n"
        "def slow(*_):\n"
        "    threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "zoo.cli.summaries = slow\n"
        "sys.argv = ['zoo', 'presets']\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + code], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr.readline() == "zoo: interrupted.\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == -signal.SIGINT
        assert process.stderr.read() == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["presets", "--json"], ["--help"]])
def test_a_full_disk_is_one_message(command, unbuffered) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*ZOO, *command], stdout=full, stderr=subprocess.PIPE, text=True, env=environment
        )
    assert done.returncode == 1
    expected = "zoo: standard output: cannot be written: No space left on device.\n"
    assert done.stderr == expected


def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = program("sys.exit(ended(lambda: print('a' * 100_000)))", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("closed", "code", "written"),
    [
        (0, 0, (b"done\n", b"")),
        (
            1,
            1,
            (b"", b"zoo: standard output is closed. Send it somewhere, as to /dev/null.\n"),
        ),
        (2, 0, (b"done\n", b"")),
    ],
)
def test_closed_streams(closed, code, written) -> None:
    code_of = f"import os\nsys.exit(ended(lambda: os.write({closed}, b'') or print('done')))"
    done = program(code_of, preexec_fn=lambda: os.close(closed))
    assert (done.returncode, (done.stdout, done.stderr)) == (code, written)


def test_a_closed_stdin_is_one_message(zoo_command, trained, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it
    ended = zoo_command("predict", trained.path, code=1)
    assert ended.stderr.startswith("zoo: standard input is closed. Pipe lines into the command")
    assert ended.stdout == ""


@pytest.mark.parametrize("locale", [{"PYTHONIOENCODING": "latin1"}, {"LC_ALL": "C"}])
def test_output_is_utf_8_whatever_the_locale(locale) -> None:
    code = (
        "import json\nfrom zoo.errors import ZooError\n"
        "def command():\n"
        "    document = {'label': '\\u6b63', 'file': 'caf\\udce9.png'}\n"
        "    print(json.dumps(document, ensure_ascii=False))\n"
        "    raise ZooError('\\u6b63 caf\\udce9.png')\n"
        "sys.exit(ended(command))\n"
    )
    done = program(code, env={**os.environ, "PYTHONUTF8": "0"} | locale)
    assert done.returncode == 1
    assert json.loads(done.stdout.decode("utf-8")) == {"label": "正", "file": "caf\udce9.png"}
    assert done.stderr.decode("utf-8") == "zoo: 正 caf\\udce9.png\n"


def test_debug_shows_the_traceback_of_the_zoo_alone(zoo_command, monkeypatch) -> None:
    with pytest.raises(ZooError, match="Did you mean"):
        zoo_command("presets", "textcn", "--debug")
    given = []
    monkeypatch.setattr("zoo.launch.launch", lambda workers, command: given.append(command) or 0)
    zoo_command("launch", "--", "zoo", "presets", "textcn", "--debug", code=0)
    assert given == [["zoo", "presets", "textcn", "--debug"]]
