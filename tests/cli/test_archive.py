"""The archive: whole or refused, whatever is done to it; nothing in it reaches beyond where it belongs."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyrage
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli import archive, encryption
from cli.archive import layout, members
from cli.errors import UserError

KEY = b"a key that signs archives, of thirty-two and more"
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
    made.size, made.type, made.uid, made.mode = size, kind, 0, 0o640
    return made


def write(
    path: Path, recipients: encryption.Recipients | None = None, files: Mapping[str, bytes] | None = None
) -> archive.Manifest:
    with archive.writing(path, "dev", str(KNOWN["created"]), recipients, KEY) as writer:
        writer.text(archive.STATE, '{"version": 3}')
        writer.add(info("data/grafana", kind=tarfile.DIRTYPE))
        for name, data in (FILES if files is None else files).items():
            writer.add(info(name, len(data)), io.BytesIO(data), size=2 << 30 if name.endswith("vlog") else len(data))
        if files is None:
            writer.drop("data/prometheus/wal/00000001")
        return archive.finish(writer, **KNOWN)


def content(path: Path, identities: encryption.Identities | None = None) -> dict[str, bytes]:
    result = {}

    def visit(member: tarfile.TarInfo, data: object) -> None:
        if data is not None:
            result[member.name] = data.read()  # type: ignore[attr-defined]
            assert member.uid == 0

    archive.read(path, identities, visit)
    return result


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "a.tar"
    write(path)
    return path


@pytest.fixture(scope="module")
def with_passphrase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "passphrase").write_text(f"{PASSPHRASE}\n")
    write(folder / "a.tar", encryption.recipients(str(folder / "passphrase")))
    return folder / "a.tar"


def test_what_goes_in_comes_out(plain: Path) -> None:
    manifest, texts = archive.verify(plain, None, KEY)
    assert manifest.images == KNOWN["images"]
    assert texts == {archive.STATE: '{"version": 3}'}
    result = content(plain)
    assert {name: result[name] for name in FILES} == FILES
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
        archive.verify(damaged, None, KEY)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_cut_anywhere_is_refused(plain: Path, tmp_path: Path, data: st.DataObject) -> None:
    raw = plain.read_bytes()
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(UserError, match="Nothing was touched"):
        archive.verify(damaged, None, KEY)


def test_more_at_the_end_is_refused(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(plain.read_bytes() + b"\0" * 512)
    with pytest.raises(UserError, match="damaged"):
        archive.verify(tmp_path / "a.tar", None, KEY)


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
        archive.verify(tmp_path / "a.tar", None, KEY)


def test_a_newer_format_is_refused(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "VERSION", 2)
    write(tmp_path / "a.tar")
    monkeypatch.undo()
    with pytest.raises(UserError, match="version 2 of the archive's format, this program reads 1"):
        archive.verify(tmp_path / "a.tar", None, KEY)
    archive.verify(plain, None, KEY)


def owned(name: str, uid: int, gid: int = 0) -> tarfile.TarInfo:
    made = info(name)
    made.uid, made.gid = uid, gid
    return made


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
    info("data/grafana/.before-restore/grafana.db"),
    info("data/grafana/.before-restore", kind=tarfile.DIRTYPE),
    info("data/grafana/.before-restore.moving/x"),
    info("data/elsewhere/x"),
    owned("data/grafana/x", 10001),
    owned("data/loki/x", 472),
    owned("data/grafana/x", 0, 4),
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda e: f"{e.name} {e.type.decode()} {e.uid}:{e.gid}")
def test_what_reaches_elsewhere_is_neither_written_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evil: tarfile.TarInfo
) -> None:
    evil.linkname = "/etc/passwd"
    path = tmp_path / "a.tar"
    with pytest.raises(UserError, match="cannot go into"), archive.writing(path, "dev", "now", None, KEY) as writer:
        writer.add(evil, io.BytesIO())
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(members, "problem", lambda _: "")
    with archive.writing(path, "dev", "now", None, KEY) as writer:
        writer.add(evil, io.BytesIO())
        archive.finish(writer, **KNOWN)
    monkeypatch.undo()
    visited = []
    with pytest.raises(UserError, match="does not belong there"):
        archive.read(path, None, lambda member, _: visited.append(member))
    assert visited == []


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    def twice() -> None:
        with archive.writing(tmp_path / "a", "dev", "now", None, KEY) as writer:
            writer.text(archive.STATE, "1")
            writer.text(archive.STATE, "2")

    with pytest.raises(UserError, match="cannot go into"):
        twice()


def test_a_manifest_that_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with archive.writing(path, "dev", "now", None, KEY) as writer:
        writer.text(archive.STATE, "the state")
        writer.members[archive.STATE] = archive.Member(archive.STATE, 9, "0" * 64, 9)
        archive.finish(writer, **KNOWN)
    with pytest.raises(UserError, match="is not as its manifest says"):
        archive.verify(path, None, KEY)


def test_an_interrupted_backup_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with archive.writing(tmp_path / "a.tar", "dev", "now", None, KEY) as writer:
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
        encryption.Identities(passphrase=PASSPHRASE).unlock(header.encode() + bytes(33))


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
    archive.verify(with_passphrase, encryption.Identities(passphrase=PASSPHRASE), KEY)
    assert not busy


def test_a_passphrase_opens_and_another_does_not(with_passphrase: Path, tmp_path: Path) -> None:
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(PASSPHRASE)
    wrong.write_text(PASSPHRASE[:-1])
    identities = encryption.identities(str(right))
    archive.verify(with_passphrase, identities, KEY)
    assert content(with_passphrase, identities)["data/grafana/grafana.db"] == FILES["data/grafana/grafana.db"]
    with pytest.raises(UserError, match=r"does not open the archive\. Nothing was touched"):
        archive.verify(with_passphrase, encryption.identities(str(wrong)), KEY)
    with pytest.raises(UserError, match="is encrypted: DECRYPT="):
        archive.verify(with_passphrase, None, KEY)
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
        archive.verify(tmp_path / "damaged.tar", encryption.Identities(passphrase=PASSPHRASE), KEY)


def test_a_key_opens_and_another_does_not(tmp_path: Path) -> None:
    own, other = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    for name, key in (("own", own), ("other", other)):
        (tmp_path / name).write_text(f"# created: today\n{key}\n")
    write(tmp_path / "a.tar", encryption.recipients(str(own.to_public())))
    archive.verify(tmp_path / "a.tar", encryption.identities(str(tmp_path / "own")), KEY)
    with pytest.raises(UserError, match=r"another key, or damaged .*Nothing was touched"):
        archive.verify(tmp_path / "a.tar", encryption.identities(str(tmp_path / "other")), KEY)
    (tmp_path / "phrase").write_text(PASSPHRASE)
    with pytest.raises(UserError, match="encrypted to a key"):
        archive.verify(tmp_path / "a.tar", encryption.identities(str(tmp_path / "phrase")), KEY)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not on PATH")
def test_a_file_of_ssh_keys_will_do(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    write(tmp_path / "a.tar", encryption.recipients(str(tmp_path / "key.pub")))
    archive.verify(tmp_path / "a.tar", encryption.identities(str(tmp_path / "key")), KEY)


@pytest.mark.parametrize("text", ["", "short\n", "one line of words\nand another\n", "age1thisisnokeyatall\n"])
def test_a_file_of_anything_else_is_no_lock(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(UserError, match="ENCRYPT"):
        encryption.recipients(str(tmp_path / "file"))


def test_a_private_key_is_not_what_one_encrypts_to(tmp_path: Path) -> None:
    key = str(pyrage.x25519.Identity.generate())
    (tmp_path / "file").write_text(key)
    with pytest.raises(UserError, match="holds a private key") as refused:
        encryption.recipients(str(tmp_path / "file"))
    assert key not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read, setting in ((encryption.recipients, "ENCRYPT"), (encryption.identities, "DECRYPT")):
        with pytest.raises(UserError, match=f"{setting}=.*cannot be read"):
            read(str(tmp_path / "none"))
        assert read("") is None


def test_secrets_are_in_no_repr(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(PASSPHRASE)
    assert PASSPHRASE not in repr(encryption.identities(str(tmp_path / "file")))


def unsigned(path: Path, out: Path) -> None:
    """Write the archive as a version before signatures would have written it."""
    with tarfile.open(path) as old, tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as new:
        for member in old:
            content = old.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name == "SHA256SUMS":
                data = b"".join(line for line in data.splitlines(keepends=True) if b"signature.json" not in line)
            if member.name != "signature.json":
                layout.write_small(new.fileobj, member.name, data)  # type: ignore[arg-type]
    raw = out.read_bytes().rstrip(b"\0")
    out.write_bytes(raw + b"\0" * (-len(raw) % 512 + 1024))


def test_an_archive_without_a_signature_is_accepted_only_when_somebody_says_so(plain: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.tar"
    unsigned(plain, old)
    with pytest.raises(UserError, match=r"is not signed: its author is unknown.*ACCEPT_UNSIGNED=yes"):
        archive.verify(old, None, KEY)
    manifest, _ = archive.verify(old, None, KEY, accept_unsigned=True)
    assert set(manifest.members) == {*FILES, archive.STATE}


@pytest.mark.parametrize("key", [None, KEY[::-1]])
def test_a_signature_by_another_key_counts_as_none(plain: Path, key: bytes | None) -> None:
    with pytest.raises(UserError, match=r"is signed.*ACCEPT_UNSIGNED"):
        archive.verify(plain, None, key)
    archive.verify(plain, None, key, accept_unsigned=True)


def test_what_was_changed_after_it_was_signed_is_refused_whatever_is_accepted(plain: Path, tmp_path: Path) -> None:
    with tarfile.open(plain) as tar:
        signed = tar.extractfile("signature.json")
        assert signed is not None
        signature = signed.read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "signed", lambda *_: json.loads(signature))
        write(tmp_path / "a.tar", files={"data/grafana/grafana.db": b"another"})
    with pytest.raises(UserError, match="changed after it was signed"):
        archive.verify(tmp_path / "a.tar", None, KEY, accept_unsigned=True)


def test_a_file_that_changes_between_the_two_readings_is_refused(plain: Path) -> None:
    manifest, _ = archive.verify(plain, None, KEY)
    name = "data/grafana/grafana.db"
    member, data = manifest.members[name], FILES[name]
    assert archive.require_equal(plain, member, info(name, len(data)), io.BytesIO(data)).read() == data
    changed = archive.require_equal(plain, member, info(name, len(data)), io.BytesIO(data[::-1]))
    with pytest.raises(UserError, match="changed while it was read"):
        changed.read()
    with pytest.raises(UserError, match="changed while it was read"):
        archive.require_equal(plain, member, info(name, 1), io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("kind", "mode"), [(tarfile.REGTYPE, 0o4755), (tarfile.REGTYPE, 0o2755), (tarfile.DIRTYPE, 0o4755)]
)
def test_a_file_that_runs_as_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes, mode: int
) -> None:
    evil = info("data/grafana/x", kind=kind)

    def keep(_: tarfile.TarInfo) -> str:
        evil.mode = mode
        return ""

    monkeypatch.setattr(members, "problem", keep)
    with archive.writing(tmp_path / "a.tar", "dev", "now", None, KEY) as writer:
        writer.add(evil, io.BytesIO())
        archive.finish(writer, **KNOWN)
    monkeypatch.undo()
    with pytest.raises(UserError, match=f"mode {mode:o}"):
        archive.read(tmp_path / "a.tar", None, lambda *_: None)


_GIB = 1024**3


def bomb(path: Path, name: str, kind: bytes = tarfile.REGTYPE, size: int = _GIB) -> None:
    """Write an archive, signed, whose content says to be 1 GiB of zeros."""
    unpacked = zstandard.ZstdCompressor(level=3)
    out = io.BytesIO()
    with unpacked.stream_writer(out, closefd=False) as packed:
        packed.write(info(name, size, kind).tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // (16 * 1024 * 1024)):
            packed.write(bytes(16 * 1024 * 1024))
    content = out.getvalue()
    with path.open("wb") as file:
        head = {"format": archive.FORMAT, "version": 1, "stack": "dev", "created": "now", "encryption": "none"}
        sums = {"format.json": layout.write_small(file, "format.json", json.dumps(head).encode())}
        sums["content.tar.zst"] = layout.write_small(file, "content.tar.zst", content)
        sums["signature.json"] = layout.write_small(
            file, "signature.json", json.dumps(layout.signed(KEY, sums)).encode()
        )
        layout.write_small(file, "SHA256SUMS", layout.checksum_lines(sums))
        file.write(bytes(1024))


_VERIFY = """
import resource, sys
from pathlib import Path
from cli import archive
from cli.errors import UserError
key = bytes.fromhex(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    archive.verify(Path(sys.argv[1]), None, key or None, accept_unsigned=not key)
except UserError as refused:
    print(refused)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("name", "kind", "key"),
    [
        (archive.STATE, tarfile.REGTYPE, KEY),
        (archive.STATE, tarfile.REGTYPE, b""),
        (archive.MANIFEST, tarfile.REGTYPE, KEY),
        ("pulumi/Pulumi.dev.yaml", tarfile.REGTYPE, KEY),
        ("././@LongLink", tarfile.GNUTYPE_LONGNAME, KEY),
        ("x", tarfile.XHDTYPE, KEY),
        ("x", tarfile.XGLTYPE, b""),
        ("data/grafana/grafana.db", tarfile.REGTYPE, b""),
    ],
)
def test_a_small_archive_does_not_fill_the_memory(tmp_path: Path, name: str, kind: bytes, key: bytes) -> None:
    path = tmp_path / "a.tar"
    bomb(path, name, kind)
    assert path.stat().st_size < 400_000
    done = subprocess.run(
        [sys.executable, "-c", _VERIFY, str(path), key.hex()], capture_output=True, text=True, check=True
    )
    refused, used = done.stdout.splitlines()
    assert refused.endswith("Nothing was touched.")
    assert int(used) < 64 * 1024, f"{used} KiB"


def test_an_archive_of_nothing_but_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    write(path, files={f"data/loki/chunks/{n:06}": b"" for n in range(30_000)})
    path_size = path.stat().st_size
    archive.verify(path, None, KEY)
    limits = archive.Limits(size=path_size * 1000, members=10_000)
    with pytest.raises(UserError, match="unpacks to more"):
        archive.read(path, None, lambda *_: None, limits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"created": "\x1b]0;owned\x07"},
        {"images": ["grafana"]},
        {"images": {"grafana": "x\x1b[2J"}},
        {"counts": [{"store": "grafana"}]},
        {"counts": {"a": 1}},
        {"at": "now"},
    ],
)
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = tmp_path / "a.tar"
    with archive.writing(path, "dev", "now", None, KEY) as writer:
        writer.text(archive.STATE, "{}")
        archive.finish(writer, **(KNOWN | wrong))
    with pytest.raises(UserError, match="manifest") as refused:
        archive.verify(path, None, KEY)
    assert "\x1b" not in str(refused.value)


def test_what_is_no_size_of_such_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with archive.writing(path, "dev", "now", None, KEY) as writer:
        writer.text(archive.STATE, "{}")
        writer.add(info("data/grafana/grafana.db", 1), io.BytesIO(b"x"), size=1 << 60)
        archive.finish(writer, **KNOWN)
    with pytest.raises(UserError, match="is not as its manifest says"):
        archive.verify(path, None, KEY)


def test_json_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.tar").open("wb") as file:
        layout.write_small(file, "format.json", b"[" * 900_000)
        file.write(bytes(1024))
    with pytest.raises(UserError, match="no archive of"):
        archive.verify(tmp_path / "a.tar", None, KEY)
