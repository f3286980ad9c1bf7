"""The archive: whole or refused, whatever is done to it; nothing in it reaches beyond where it belongs."""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyrage
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import archive, encryption
from cli.errors import UserError

PASSPHRASE = "correct horse battery staple"
KNOWN = {
    "stack": "dev",
    "created": "2026-11-25T03:15:00+00:00",
    "images": {"grafana": "grafana/grafana:12.4.0"},
    "paused_seconds": 0.5,
    "at": 1_795_576_500,
    "counts": [],
}
FILES = {
    "data/grafana/grafana.db": b"SQLite format 3\0" + os.urandom(5_000),
    "data/jaeger/values/000001.vlog": b"badger",
    "data/prometheus/wal/00000001": b"",
}


def info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.uid, made.mode = size, kind, 472, 0o640
    return made


def write(path: Path, lock: encryption.Encryption | None = None) -> archive.Manifest:
    with archive.writing(path, "dev", str(KNOWN["created"]), lock) as writer:
        writer.text(archive.STATE, '{"version": 3}')
        writer.add(info("data/grafana", kind=tarfile.DIRTYPE))
        for name, data in FILES.items():
            writer.add(info(name, len(data)), io.BytesIO(data), size=2 << 30 if name.endswith("vlog") else len(data))
        writer.drop("data/prometheus/wal/00000001")
        return archive.finish(writer, **KNOWN)


def content(path: Path, opener: encryption.Decryption | None = None) -> dict[str, bytes]:
    found = {}

    def visit(member: tarfile.TarInfo, data: object) -> None:
        if data is not None:
            found[member.name] = data.read()  # type: ignore[attr-defined]
            assert member.uid in {0, 472}

    archive.read(path, opener, visit)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "a.tar"
    write(path)
    return path


@pytest.fixture(scope="module")
def with_passphrase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
    write(folder / "a.tar", encryption.parse_encrypt(str(folder / "passphrase")))
    return folder / "a.tar"


def test_what_goes_in_comes_out(plain: Path) -> None:
    manifest, texts = archive.verify(plain, None)
    assert manifest.images == KNOWN["images"]
    assert texts == {archive.STATE: '{"version": 3}'}
    found = content(plain)
    assert {name: found[name] for name in FILES} == FILES
    vlog = manifest.members["data/jaeger/values/000001.vlog"]
    assert (vlog.stored, vlog.size, vlog.kept) == (6, 2 << 30, True)
    assert not manifest.members["data/prometheus/wal/00000001"].kept
    assert plain.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in plain.parent.iterdir()] == ["a.tar"]


def test_common_tools_read_it(plain: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", str(plain), "-C", str(tmp_path)], check=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    inner = zstandard.ZstdDecompressor().stream_reader((tmp_path / "content.tar.zst").open("rb"), closefd=True)
    with inner, tarfile.open(fileobj=inner, mode="r|") as tar:
        assert tar.getnames()[-1] == archive.MANIFEST


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_refused(plain: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = bytearray(plain.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(raw)
    with pytest.raises(UserError, match="Nothing was touched"):
        archive.verify(damaged, None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_anywhere_is_refused(plain: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = plain.read_bytes()
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(UserError, match="Nothing was touched"):
        archive.verify(damaged, None)


def test_more_at_the_end_is_refused(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(plain.read_bytes() + b"\0" * 512)
    with pytest.raises(UserError, match="damaged"):
        archive.verify(tmp_path / "a.tar", None)


def foreign(path: Path, head: bytes, name: str = "format.json") -> None:
    with tarfile.open(path, "w") as tar:
        tar.addfile(info(name, len(head)), io.BytesIO(head))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_bytes(b"no tar at all" * 100),
        lambda p: p.write_bytes(b"\0" * 10_240),
        lambda p: foreign(p, b"{}", "other.json"),
        lambda p: foreign(p, b"{}"),
        lambda p: foreign(p, b"[]"),
        lambda p: foreign(p, b'{"format": "somebody-elses", "version": 1}'),
    ],
)
def test_a_foreign_file_is_refused(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.tar")
    with pytest.raises(UserError, match=r"no archive of `make backup`|damaged"):
        archive.verify(tmp_path / "a.tar", None)


def test_a_newer_format_is_refused(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "VERSION", 2)
    write(tmp_path / "a.tar")
    monkeypatch.undo()
    with pytest.raises(UserError, match="version 2 of the archive's format, this program reads 1"):
        archive.verify(tmp_path / "a.tar", None)
    archive.verify(plain, None)


EVIL = [
    info("../../etc/passwd"),
    info("/etc/passwd"),
    info("data/grafana/../../../etc/passwd"),
    info("data//grafana/x"),
    info("data/./grafana"),
    info("data/grafana"),  # a file where a folder belongs
    info("manifest.json/x"),
    info("pulumi/Pulumi.dev.yaml/../x"),
    info("elsewhere/x"),
    info("data/grafana/link", kind=tarfile.SYMTYPE),
    info("data/grafana/link", kind=tarfile.LNKTYPE),
    info("data/grafana/device", kind=tarfile.CHRTYPE),
    info("data/grafana/pipe", kind=tarfile.FIFOTYPE),
    info("data", kind=tarfile.DIRTYPE),
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda e: f"{e.name} {e.type.decode()}")
def test_what_reaches_elsewhere_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: tarfile.TarInfo
) -> None:
    evil.linkname = "/etc/passwd"
    path = tmp_path / "a.tar"
    with pytest.raises(UserError, match="cannot go into"), archive.writing(path, "dev", "now", None) as writer:
        writer.add(evil, io.BytesIO())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(archive, "_is_ours", lambda _: True)
    with archive.writing(path, "dev", "now", None) as writer:
        writer.add(evil, io.BytesIO())
        archive.finish(writer, **KNOWN)
    monkeypatch.undo()
    visited = []
    with pytest.raises(UserError, match="does not belong there"):
        archive.read(path, None, lambda member, _: visited.append(member))
    assert visited == []


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    def twice() -> None:
        with archive.writing(tmp_path / "a", "dev", "now", None) as writer:
            writer.text(archive.STATE, "1")
            writer.text(archive.STATE, "2")

    with pytest.raises(UserError, match="cannot go into"):
        twice()


def test_a_manifest_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with archive.writing(path, "dev", "now", None) as writer:
        writer.text(archive.STATE, "the state")
        writer.members[archive.STATE] = archive.Member(archive.STATE, 9, "0" * 64, 9)
        archive.finish(writer, **KNOWN)
    with pytest.raises(UserError, match="is not as its manifest says"):
        archive.verify(path, None)


def test_an_interrupted_backup_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with archive.writing(tmp_path / "a.tar", "dev", "now", None) as writer:
            writer.text(archive.STATE, "{}")
            assert [p.name for p in tmp_path.iterdir()] == [".a.tar.partial"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_is_too_busy_for_a_passphrase_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def text(of: bytes) -> str:
        return base64.b64encode(of).decode().rstrip("=")

    monkeypatch.setattr(encryption, "_PAUSE_SECONDS", 0)
    header = f"age-encryption.org/v1\n-> scrypt {text(b's' * 16)} 30\n{text(b'x' * 32)}\n--- {text(b'm' * 32)}\n"
    with pytest.raises(UserError, match="was not tried: this machine is too busy, or too slow"):
        encryption.Decryption(passphrase=PASSPHRASE).identities_for(header.encode() + bytes(33))


def test_a_passphrase_is_tried_until_the_machine_is_quiet(
    with_passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = ["Excessive work parameter for passphrase."] * 3
    right: Callable[[bytes, str], bytes] = pyrage.passphrase.decrypt

    def decrypt(key: bytes, passphrase: str) -> bytes:
        if busy:
            raise pyrage.DecryptError(busy.pop())
        return right(key, passphrase)

    monkeypatch.setattr(encryption, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(pyrage.passphrase, "decrypt", decrypt)
    archive.verify(with_passphrase, encryption.Decryption(passphrase=PASSPHRASE))
    assert not busy


def test_a_passphrase_opens_and_another_does_not(with_passphrase: Path, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(PASSPHRASE)
    wrong.write_text(PASSPHRASE[:-1])
    opener = encryption.parse_decrypt(str(right))
    archive.verify(with_passphrase, opener)
    assert content(with_passphrase, opener)["data/grafana/grafana.db"] == FILES["data/grafana/grafana.db"]
    with pytest.raises(UserError, match=r"does not open the archive\. Nothing was touched"):
        archive.verify(with_passphrase, encryption.parse_decrypt(str(wrong)))
    with pytest.raises(UserError, match="is encrypted: DECRYPT="):
        archive.verify(with_passphrase, None)
    assert PASSPHRASE.encode() not in with_passphrase.read_bytes()
    assert b"SQLite" not in with_passphrase.read_bytes()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_in_what_is_encrypted_is_refused(
    with_passphrase: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(with_passphrase.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / "damaged.tar").write_bytes(raw)
    with pytest.raises(UserError, match=r"Nothing was touched|DECRYPT"):
        archive.verify(tmp_path / "damaged.tar", encryption.Decryption(passphrase=PASSPHRASE))


def test_a_key_opens_and_another_does_not(tmp_path: Path) -> None:
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, key in (("own", own), ("other", other)):
        (tmp_path / name).write_text(f"# created: today\n{key}\n")
    write(tmp_path / "a.tar", encryption.parse_encrypt(str(own.to_public())))
    archive.verify(tmp_path / "a.tar", encryption.parse_decrypt(str(tmp_path / "own")))
    with pytest.raises(UserError, match=r"another key, or damaged .*Nothing was touched"):
        archive.verify(tmp_path / "a.tar", encryption.parse_decrypt(str(tmp_path / "other")))
    (tmp_path / "phrase").write_text(PASSPHRASE)
    with pytest.raises(UserError, match="encrypted to a key"):
        archive.verify(tmp_path / "a.tar", encryption.parse_decrypt(str(tmp_path / "phrase")))


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not on PATH")
def test_a_file_of_ssh_keys_will_do(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    write(tmp_path / "a.tar", encryption.parse_encrypt(str(tmp_path / "key.pub")))
    archive.verify(tmp_path / "a.tar", encryption.parse_decrypt(str(tmp_path / "key")))


@pytest.mark.parametrize("text", ["", "short\n", "one line of words\nand another\n", "age1thisisnokeyatall\n"])
def test_a_file_of_anything_else_is_no_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UserError, match="ENCRYPT"):
        encryption.parse_encrypt(str(tmp_path / "file"))


def test_a_private_key_is_not_what_one_encrypts_to(tmp_path: Path) -> None:
    key = str(pyrage.x25519.Identity.generate())
    (tmp_path / "file").write_text(key)
    with pytest.raises(UserError, match="holds a private key") as refused:
        encryption.parse_encrypt(str(tmp_path / "file"))
    assert key not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read, setting in ((encryption.parse_encrypt, "ENCRYPT"), (encryption.parse_decrypt, "DECRYPT")):
        with pytest.raises(UserError, match=f"{setting}=.*cannot be read"):
            read(str(tmp_path / "none"))
        assert read("") is None


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(PASSPHRASE)
    assert PASSPHRASE not in repr(encryption.parse_decrypt(str(tmp_path / "file")))
