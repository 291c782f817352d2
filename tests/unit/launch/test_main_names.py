"""Claims about what of a script others have: not what is for the script alone, nor what came later."""

from pathlib import Path
from types import ModuleType

import pytest

from corps.launch.main_names import MainNames, names_for_the_script_alone

SCRIPT = """
import os
def above(): pass
class Both: pass
number = (1, 2)
if __name__ == "__main__":
    import json as other
    def inside(): pass
    class Both: pass
    for each in ():
        pass
else:
    def elsewhere(): pass
def below(): pass
"""


@pytest.mark.parametrize(
    ("test", "names"),
    [
        ('__name__ == "__main__"', {"f"}),
        ('"__main__" == __name__ and sys', {"f"}),
        ('__name__ in ("__main__",)', set()),
        ('__name__ != "__main__"', {"g"}),
        ("sys", set()),
    ],
)
def test_the_block_for_the_script_alone_is_found(test: str, names: set[str]) -> None:
    code = f"import sys\nif {test}:\n def f(): pass\nelse:\n g = lambda: (h := 1)\n".encode()
    assert names_for_the_script_alone(code) == names


def test_only_what_stood_there_at_the_boot_is_had(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    main = ModuleType("__main__")
    exec(SCRIPT.partition("def below")[0], vars(main))
    has = MainNames(main, path)
    assert [name for name in ("os", "above", "Both", "number") if has(name)] == [
        "os",
        "above",
        "Both",
        "number",
    ]
    assert not has("inside")
    assert not has("other")
    assert not has("missing")
    exec("def below(): pass\ndef above(): pass\nnumber = (1, 2, 3)", vars(main))
    assert not has("below")
    assert not has("above")
    assert not has("number")
    del main.os
    assert not has("os")
