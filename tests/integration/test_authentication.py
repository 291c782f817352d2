"""Claims about credentials at the border, between real processes: over UNIX sockets, and over tcp."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from corps.security.authenticators import new_token, token_hash
from tests.forks import Forks
from tests.integration.elsewhere import Listening, User

SHARED = """
import corps, os, signal, threading
from collections.abc import Iterator

class Shelf(corps.Conc):
    restart = corps.Restart("permanent")

    @corps.public
    def ends(self) -> None:
        # It ends the process shortly after the answer.
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()

    @corps.public
    def put(self, book: str) -> str:
        return f"{book} of {corps.caller().identity}"

class Index(corps.Corps):
    def __init__(self):
        self._shelf = corps.options(env=1).create(Shelf)

    @corps.public
    def who(self) -> list[str]:
        caller = corps.caller()
        return [caller.identity, str(caller.is_own)]

    @corps.public
    def rare(self) -> int:
        return 1

    @corps.public
    def shelf(self) -> "corps.Name[Shelf]":
        return self._shelf

    def secret(self) -> str:
        return "s3cret"

corps.allow(Index, identity="alice", methods=["who", "shelf", "rare"])
corps.allow(Index, identity="carol", methods=["who"])
corps.allow(Shelf, identity="alice")
"""

TRY = """
import sys
def tried(ask):
    try:
        return str(ask())
    except Exception as error:
        return f"{type(error).__name__}, executed {getattr(error, 'executed', '')}: {error}"
def shown(**more):
    return corps.connect(sys.argv[1], Index, **more)
"""


class Place:
    """A Corps with a file of tokens, and one that asks it."""

    def __init__(self, owner: User, asker: User, folder: Path) -> None:
        self.owner, self.asker = owner, asker
        self.token, self.carols = new_token(), new_token()
        self.tokens = folder / "tokens.toml"
        self.audit = folder / "refused.jsonl"
        self.write(alice=self.token, carol=self.carols)
        self.where = ""
        self.listening: Listening | None = None

    def write(self, **tokens: str) -> None:
        text = "".join(f'{user} = "{token_hash(token)}"\n' for user, token in tokens.items())
        part = self.tokens.with_suffix(".part")
        with open(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        part.rename(self.tokens)

    def run(self, script: str) -> list[str]:
        """Run a script of the asker; return the lines that it prints."""
        words = json.dumps([self.token, self.carols])
        head = f"{SHARED}{TRY}\ntoken, carols = {words}\n"
        output = self.asker.run(head + script, self.where, timeout=120)
        for secret in (self.token, self.carols):
            assert secret not in output
        return output.splitlines()

    def refusals(self) -> list[dict[str, object]]:
        """What the front has written down."""
        path = self.audit.with_name("refused.front.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def settings(place: Place, *more: str) -> list[str]:
    said = [
        f"authentication.tokens={place.tokens}",
        "authentication.recheck=0.2",
        f"audit.file={place.audit}",
        "listen.silence=1",
        *more,
    ]
    return [word for each in said for word in ("--set", each)]


@pytest.fixture(params=["unix", "tcp"])
def place(request: pytest.FixtureRequest, tmp_path: Path, forks: Forks) -> Iterator[Place]:
    """A Corps that wants credentials of a program of the same user, or of one of another user over tcp."""
    ann = User(tmp_path, "ann", forks=forks)
    if request.param == "unix":
        place = Place(ann, ann, tmp_path)
        with ann.corps(SHARED, "auth", *settings(place, "authentication.owner=true"), "--external") as here:
            place.where, place.listening = "auth", here
            yield place
        return
    bob = User(tmp_path, "bob", forks=forks)
    ann.allow(bob)
    bob.allow(ann)
    place = Place(ann, bob, tmp_path)
    with ann.corps(SHARED, "auth", *settings(place), "--listen", "tcp://127.0.0.1") as here:
        place.where, place.listening = here.addresses[0].replace("tcp://", "tcp://ann@"), here
        yield place


def test_credentials_say_who_asks_and_what_they_may(place: Place) -> None:
    said = place.run("""
with shown(credentials=token) as index:
    print(index.who().ret, index.shelf().ret.put("Emma").ret)
    print(tried(lambda: getattr(index, "secret")().ret))
with shown(credentials=carols) as index:
    print(index.who().ret)
    print(tried(lambda: index.rare().ret))
""")
    assert said[0] == "['alice', 'False'] Emma of alice"
    assert said[1].startswith(("NotPermitted, executed no", "NoSuchMethod, executed no"))
    assert said[2] == "['carol', 'False']"
    assert said[3].startswith("NotPermitted, executed no: 'carol' may not call 'rare'")


def test_wrong_ones_are_refused_with_one_line_each(place: Place) -> None:
    said = place.run("""
for wrong in ("x" * 40, "", "x" * 9000, token + "x"):
    print(tried(lambda: shown(credentials=wrong).who().ret))
print(tried(lambda: shown().who().ret))
with shown(credentials=token) as index:
    print(index.who().ret)
""")
    assert [line.partition(",")[0] for line in said[:5]] == ["NotAuthenticated"] * 5
    assert all("executed no" in line for line in said[:5])
    assert "credentials=..." in said[4]
    assert said[5] == "['alice', 'False']"
    refusals = place.refusals()
    assert [refusal["kind"] for refusal in refusals] == ["credentials"] * 3  # the other two were not sent
    assert place.token not in json.dumps(refusals)


def test_a_token_that_is_revoked_counts_no_more_and_another_one_does(place: Place) -> None:
    (where,) = [place.tokens]
    new = new_token()
    said = place.run(f"""
import os, time
with shown(credentials=token) as index:
    print(index.who().ret)
    part = {str(where)!r} + ".part"
    with open(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write('alice = "{token_hash(new)}"')
    os.rename(part, {str(where)!r})
    until = time.monotonic() + 60
    while (answer := tried(lambda: index.who().ret)).startswith("[") and time.monotonic() < until:
        time.sleep(0.05)
    print(answer)
    with shown(credentials={new!r}) as again:
        print(again.who().ret)
""")
    assert said[0] == "['alice', 'False']"
    assert said[1].startswith("NotAuthenticated, executed no: the credentials do not count")
    assert said[2] == "['alice', 'False']"


def test_the_other_envs_of_the_corps_get_them_too_and_again_after_their_end(place: Place) -> None:
    said = place.run("""
import os, time
with shown(credentials=token) as index:
    shelf = index.shelf().ret
    print(shelf.put("Emma").ret)
    shelf.ends().ret
    time.sleep(1)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = tried(lambda: shelf.put("Persuasion").ret)
        if answer == "Persuasion of alice":
            break
        time.sleep(0.05)
    print(answer, index.who().ret)
""")
    assert said == ["Emma of alice", "Persuasion of alice ['alice', 'False']"]


def test_a_corps_says_in_time_that_its_authenticator_cannot_be(tmp_path: Path, forks: Forks) -> None:
    ann = User(tmp_path, "ann", forks=forks)
    words = ["--set", "authentication.authenticator=no.such:thing", "--external"]
    why = r"authentication\.authenticator is 'no\.such:thing'"
    with pytest.raises(AssertionError, match=why), ann.corps(SHARED, "auth-not", *words):
        pass


# An authenticator of the application, which blocks, or raises, as its credentials say.
OWN = (
    SHARED
    + """
import threading, time

class Odd:
    def check(self, credentials):
        if credentials.startswith("block"):
            threading.Event().wait(600)
        if credentials.startswith("raise"):
            raise ValueError(credentials)
        return credentials.partition(":")[0]
"""
)


def test_an_authenticator_that_blocks_or_raises_lets_nobody_in_and_holds_up_nobody(
    tmp_path: Path, forks: Forks
) -> None:
    ann = User(tmp_path, "ann", forks=forks)
    place = Place(ann, ann, tmp_path)
    place.where = "auth-odd"
    words = ["authentication.authenticator=auth-odd:Odd", "authentication.owner=true"]
    words += ["authentication.timeout=2", f"audit.file={place.audit}"]
    sets = [word for each in words for word in ("--set", each)]
    with ann.corps(OWN, "auth-odd", *sets, "--external") as here:
        said = place.run("""
import threading
answers = []
blocked = threading.Thread(target=lambda: answers.append(
    tried(lambda: shown(credentials="block" + token).who().ret)))
blocked.start()
print(tried(lambda: shown(credentials="raise" + token).who().ret))
print(shown(credentials="alice:" + token).who().ret)
blocked.join()
print(answers[0])
""")
        here.process.terminate()
        errors = here.process.stderr
        assert errors is not None
        log = errors.read()
    assert said[0].startswith(
        "NotAuthenticated, executed no: the credentials do not count: they could not be"
    )
    assert said[1] == "['alice', 'False']"
    assert "they could not be checked in time" in said[2]
    assert place.token not in log
    assert {refusal["kind"] for refusal in place.refusals()} == {"credentials"}


def test_a_json_web_token_counts_until_its_time_is_over(tmp_path: Path, forks: Forks) -> None:
    ann = User(tmp_path, "ann", forks=forks)
    place = Place(ann, ann, tmp_path)
    place.where = "auth-jwt"
    key = tmp_path / "key"
    with open(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
        file.write("k" * 40)
    words = [f"authentication.jwt_key={key}", "authentication.jwt_audience=index"]
    words += ["authentication.jwt_algorithms=HS256", "authentication.owner=true"]
    words += ["authentication.recheck=0.2"]
    sets = [word for each in words for word in ("--set", each)]
    with ann.corps(SHARED, "auth-jwt", *sets, "--external"):
        claims = {"sub": "alice", "aud": "index", "exp": time.time() + 15}
        place.token = jwt.encode(claims, "k" * 40, algorithm="HS256")
        place.carols = jwt.encode({**claims, "exp": time.time() - 60}, "k" * 40, algorithm="HS256")
        said = place.run("""
import time
print(tried(lambda: shown(credentials=carols).who().ret))
with shown(credentials=token) as index:
    print(index.who().ret)
    until = time.monotonic() + 60
    while (answer := tried(lambda: index.who().ret)).startswith("[") and time.monotonic() < until:
        time.sleep(0.1)
    print(answer)
""")
    assert "ExpiredSignatureError" in said[0]
    assert said[1] == "['alice', 'False']"
    assert "ExpiredSignatureError" in said[2]


def test_commands_take_them_from_a_file_or_the_environment_and_never_as_an_argument(
    tmp_path: Path, forks: Forks
) -> None:
    ann = User(tmp_path, "ann", forks=forks)
    place = Place(ann, ann, tmp_path)
    file = tmp_path / "token"
    with open(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600), "w") as opened:
        opened.write(place.token + "\n")
    environment = {**ann.environment, "MY_TOKEN": place.token}

    def command(*words: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "corps", *words],
            env=environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with ann.corps(SHARED, "auth-call", *settings(place, "authentication.owner=true"), "--external"):
        for words in (["--credentials-file", str(file)], ["--credentials-env", "MY_TOKEN"]):
            ended = command("call", *words, "auth-call", "who")
            assert (ended.stdout, ended.stderr) == ('["alice", "False"]\n', "")
        refused = command("call", "auth-call", "who")
        assert refused.returncode == 1
        assert "corps: NotAuthenticated" in refused.stderr
        assert command("call", "--credentials-env", "NO_TOKEN", "auth-call", "who").returncode != 0
        both = ["--credentials-file", str(file), "--credentials-env", "MY_TOKEN"]
        assert "one of them is enough" in command("call", *both, "auth-call", "who").stderr
        talk = command(
            "connect", "--credentials-file", str(file), "auth-call", typed="print(app.who().ret)\n"
        )
        assert "['alice', 'False']" in talk.stdout
        assert place.token not in talk.stdout + talk.stderr + refused.stderr
