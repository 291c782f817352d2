"""A container image of a packaged application: by buildah where it is installed, else for docker."""

import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from corps.errors import ConfigError
from corps.launch.unpacking import LOCK, MANIFEST, Manifest

_DOCKERFILE: Final = """\
FROM docker.io/library/python:{python}-slim
# What pip installs as corps: a release, or the path of a wheel in this folder.
ARG CORPS=corps=={corps}
COPY . /app
RUN cd /app && pip install --no-cache-dir -r {lock} "$CORPS"
USER 65534:65534
ENV HOME=/tmp
ENTRYPOINT ["corps", "run", "/app/{name}"]
"""


def write_image(packaged: Path) -> Path:
    """Write what an image is built of beside a packaged application, and build it if buildah is installed.

    Args:
        packaged: The file.

    Returns:
        The OCI archive; the folder with its Dockerfile if there is no buildah.

    Raises:
        ConfigError: It cannot be written, or buildah has failed; the text has its last lines.
    """
    folder = packaged.with_suffix(".image")
    archive = packaged.with_suffix(".oci.tar")
    try:
        with zipfile.ZipFile(packaged) as opened:
            manifest = Manifest.from_json(opened.read(MANIFEST).decode(), str(packaged))
            lock = opened.read(LOCK)
        folder.mkdir(exist_ok=True)
        shutil.copy(packaged, folder)
        (folder / LOCK).write_bytes(lock)
        minor = ".".join(manifest.python.split(".")[:2])
        text = _DOCKERFILE.format(python=minor, corps=manifest.corps, lock=LOCK, name=packaged.name)
        (folder / "Dockerfile").write_text(text)
        buildah = shutil.which("buildah")
        if buildah is None:
            return folder
        command = [buildah, "build", "--tag", f"oci-archive:{archive}", str(folder)]
        built = subprocess.run(  # noqa: S603 - the program that the user has installed
            command, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise ConfigError(f"no image of {packaged} could be made: {error}") from error
    if built.returncode:
        said = "\n".join(built.stderr.splitlines()[-10:])
        raise ConfigError(f"buildah could not make an image of {folder} (exit {built.returncode}):\n{said}")
    return archive
