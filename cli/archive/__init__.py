"""The archive of a backup: one file, which is complete or does not exist.

```
observability-dev-20261125T031500Z.tar
├── format.json           format and its version, stack, time, encryption
├── key.age               only with a passphrase: the key, encrypted with it
├── content.tar.zst[.age] ── pulumi/state.json        as Pulumi exports it, secrets encrypted
│                            pulumi/Pulumi.<stack>.yaml
│                            pulumi/passphrase        of the state's secrets; only inside an encrypted archive
│                            data/<service>/…         the files of that service's volume, with owner and mode
│                            manifest.json            images, counts, size and SHA-256 of everything above
├── signature.json        HMAC-SHA256 of the checksums of the members above (cli/archive_key.py)
└── SHA256SUMS            of the members above
```

The parts have common formats: `tar`, `age -d`, `zstd -d` and `sha256sum -c` read them without this program.

An archive is untrusted input. Checksums and signature are compared before anything is decrypted or unpacked. The
unpacked size is limited, and each member is checked for name, kind, mode, owner and size.

Modules: `layout` (names and blocks of the outer tar), `manifest`, `members` (what may be in the content), `streams`,
`writing`, `outer` (the outer tar, checksums, signature) and `reading`.
"""

from cli.archive.layout import DATA, FORMAT, MANIFEST, PASSPHRASE, STATE
from cli.archive.manifest import Count, Manifest, Member
from cli.archive.reading import Limits, read, require_equal, verify
from cli.archive.writing import Writer, finish, writing

__all__ = [
    "DATA",
    "FORMAT",
    "MANIFEST",
    "PASSPHRASE",
    "STATE",
    "Count",
    "Limits",
    "Manifest",
    "Member",
    "Writer",
    "finish",
    "read",
    "require_equal",
    "verify",
    "writing",
]
