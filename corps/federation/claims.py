"""What a process writes down about the external Corps that it boots, from its first moment to its last."""

import json
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from corps.errors import Damaged
from corps.federation.json_fields import read_object
from corps.process_stat import name_of_process, place_of_ids

FORMAT: Final = 1  # of a claim. A reader refuses what a newer release wrote

MAX_SIZE: Final = 64 * 1024  # bytes of a claim at most

_NAME: Final = 40  # letters of a name in the tag of a contained Corps
_ID: Final = 8  # and of its id

Stage = Literal["starting", "running", "ending"]
State = Literal["starting", "running", "ending", "stale"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a tag, and how far its Corps is.

    Attributes:
        tag: The tag.
        corps: Random id of the Corps.
        class_name: ``module:qualname`` of its class; empty where it is not known yet.
        pid: The process that boots it, and ends it.
        template: The process that starts its Envs.
        started: What tells that process from a later one with the same id, as of `name_of_process`.
        since: When the boot began, in seconds since 1970.
        user: The name of the user.
        host: The name of the host.
        source: What was booted, for people.
        log_file: Where the output goes; empty where it is the booting process's own.
        stage: How far it is.
    """

    tag: str
    corps: str
    class_name: str
    pid: int
    template: int
    started: str
    since: float
    user: str
    host: str
    source: str
    log_file: str = ""
    stage: Stage = "starting"

    @property
    def state(self) -> State:
        """How far it is, or ``"stale"`` if its process has gone.

        A process in another container cannot be seen. It counts as alive while the machine runs.
        """
        if name_of_process(self.pid) == self.started:
            return self.stage
        boot, _, namespace = self.started.partition("@")[2].partition("/")
        boot_here, _, namespace_here = place_of_ids().partition("/")
        return self.stage if boot == boot_here and namespace != namespace_here else "stale"

    @property
    def is_left_over(self) -> bool:
        """Whether its process has gone, and no other Corps will ever have its tag, which has the id in it."""
        return self.tag.endswith(_ending(self.corps)) and self.state == "stale"

    @property
    def is_near(self) -> bool:
        """Whether this process can see the process of the claim, if that is alive."""
        return self.started.partition("@")[2] == place_of_ids()

    @property
    def holder(self) -> str:
        """Who has the tag, for texts."""
        what = self.class_name.rpartition(":")[2] or self.source
        return f"{what} ({self.stage}, process {self.pid})"

    def to_json(self) -> bytes:
        """Return it as the content of a file."""
        return (json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes, where: str) -> "Claim":
        """Read the content of a file, which `where` names in errors.

        Raises:
            Damaged: It is no such content.
            NewerFormat: A newer release of corps wrote it.
        """
        found = read_object(content, where, newest=FORMAT, limit=MAX_SIZE)
        kinds: dict[str, type[Any]] = {"pid": int, "template": int, "since": float}
        facts = {each.name: found.take(each.name, kinds.get(each.name, str)) for each in fields(cls)}
        claim = cls(**facts)
        if claim.stage not in get_args(Stage) or claim.pid <= 0 or claim.template <= 0:
            what = f"processes {claim.pid} and {claim.template}, stage {claim.stage!r:.80}"
            raise Damaged(f"{where}: that cannot be: {what}")
        return claim


def private_tag(name: str, corps: str) -> str:
    """Make the tag of a Corps that is contained in another one: no other Corps has it."""
    kept = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:_NAME] or "corps"
    return f"{kept}{_ending(corps)}"


def _ending(corps: str) -> str:
    return f".{corps[:_ID]}"
