from pathlib import Path

import pytest

from dev.node import fields, objects, volumes
from dev.node.api import Object
from tests.unit.dev.node.stored import FakeObjects

STORED = FakeObjects(
    {(objects.CONFIG_MAP, "settings"): {"a": b"1", "b": b"2"}, (objects.SECRET, "tls"): {"tls.key": b"\x00key"}}
)
TOKEN = {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}}


def made(folder: Path, *found: Object) -> tuple[volumes.Volumes, fields.Facts]:
    """Return the volumes of a Pod, and the Pod's facts."""
    pod = {"metadata": {"name": "web-1", "labels": {"tier": "front"}}, "spec": {"volumes": list(found)}}
    return volumes.Volumes(pod, folder=folder), fields.Facts(pod, "127.18.0.2", "127.18.0.1", {})


async def written(folder: Path, *found: Object) -> dict[str, bytes]:
    """Write volumes, and return the files' contents by path."""
    volume, facts = made(folder, *found)
    await volume.write(facts=facts, reader=STORED)
    return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in all files of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_each_key_is_a_file(tmp_path: Path) -> None:
    """A ConfigMap's or Secret's keys are files in the volume's folder, for their owner alone."""
    config = {"name": "config", "configMap": {"name": "settings"}}
    secret = {"name": "tls", "secret": {"secretName": "tls"}}
    found = await written(tmp_path, config, secret)
    assert found == {"config/a": b"1", "config/b": b"2", "tls/tls.key": b"\x00key"}
    assert (tmp_path / "tls" / "tls.key").stat().st_mode & 0o077 == 0


async def test_items_choose_keys_and_paths(tmp_path: Path) -> None:
    """With items there are only these files, at the paths that they say."""
    config = {"name": "config", "configMap": {"name": "settings", "items": [{"key": "b", "path": "deep/er"}]}}
    assert await written(tmp_path, config) == {"config/deep/er": b"2"}


async def test_a_projected_volume_has_the_files_of_all_its_sources(tmp_path: Path) -> None:
    """Sources of several kinds share one folder; a token is not written but wished for."""
    label = {"path": "tier", "fieldRef": {"fieldPath": "metadata.labels['tier']"}}
    sources = [TOKEN, {"secret": {"name": "tls"}}, {"downwardAPI": {"items": [label]}}]
    found = {"name": "all", "projected": {"sources": sources}}
    assert await written(tmp_path, found) == {"all/tls.key": b"\x00key", "all/tier": b"front"}
    volume, _ = made(tmp_path, found)
    assert volume.wishes == [volumes.Wish(tmp_path / "all" / "token", audience="", lifetime=3607)]


async def test_an_optional_source_may_be_missing(tmp_path: Path) -> None:
    """Then the folder is empty; otherwise the error names what is missing."""
    missing: Object = {"name": "no"}
    assert await written(tmp_path, {"name": "config", "configMap": {**missing, "optional": True}}) == {}
    assert (tmp_path / "config").is_dir()
    with pytest.raises(objects.MissingError, match="ConfigMap no"):
        await written(tmp_path, {"name": "config", "configMap": missing})
    key = {"name": "settings", "items": [{"key": "c", "path": "c"}]}
    with pytest.raises(objects.MissingError, match="couldn't find key c in ConfigMap settings"):
        await written(tmp_path, {"name": "config", "configMap": key})


def test_other_kinds_are_left_out_by_name(tmp_path: Path) -> None:
    """A volume of a kind that this node doesn't know is told of, and nobody's mount."""
    volume, _ = made(tmp_path, {"name": "scratch", "emptyDir": {}}, {"name": "disk", "hostPath": {"path": "/"}})
    assert volume.left_out == ["disk"]
    assert volume.mounts({"volumeMounts": [{"name": "disk", "mountPath": "/disk"}]}).paths == {}


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("/etc/ca/ca.crt", "{}/ca/ca.crt"),
        ("/etc/ca", "{}/ca"),
        ("/etc/ca/inner/file", "{}/other/sub/file"),
        ("/etc/cat", "/etc/cat"),
        ("--ca=/etc/ca/ca.crt", "--ca=/etc/ca/ca.crt"),
        ("", ""),
    ],
)
def test_a_path_in_a_mount_leads_to_the_folder(tmp_path: Path, text: str, real: str) -> None:
    """A text that begins with a mountPath gets the path of the volume's folder in its place, the longest first."""
    volume, _ = made(tmp_path, {"name": "ca", "emptyDir": {}}, {"name": "other", "emptyDir": {}})
    mounts = volume.mounts(
        {
            "volumeMounts": [
                {"name": "ca", "mountPath": "/etc/ca/"},
                {"name": "other", "mountPath": "/etc/ca/inner", "subPath": "sub"},
            ]
        }
    )
    assert mounts.real(text) == real.format(tmp_path)
