# SPDX-License-Identifier: MIT
"""Certificates that are made for a test, by the command `openssl`."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import ssl
import subprocess

import pytest

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*words: object) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


@dataclasses.dataclass
class Identity:
    """A certificate and its key."""

    certificate: pathlib.Path
    key: pathlib.Path

    def keys(self, **more: object) -> dict[str, str]:
        """The map `tls` of a listener."""
        return {"certificate": str(self.certificate), "key": str(self.key), **more}

    def trusted(self, client: Identity | None = None) -> ssl.SSLContext:
        """What trusts nobody else, and shows the certificate of `client`."""
        context = ssl.create_default_context(cafile=self.certificate)
        if client is not None:
            context.load_cert_chain(client.certificate, client.key)
        return context


def self_signed(folder: pathlib.Path, name: str = "localhost") -> Identity:
    """One that signs itself, and may sign others."""
    made = Identity(folder / f"{name}.pem", folder / f"{name}-key.pem")
    files = ("-keyout", made.key, "-out", made.certificate)
    subject = ("-subj", f"/CN={name}", "-days", 30, "-addext", NAMES)
    openssl("req", "-x509", *NEW_KEY, *subject, *files)
    return made


PAST = ("-not_before", "20200101000000Z", "-not_after", "20200102000000Z")


def days_of(expired: bool) -> tuple[object, ...]:
    """How long it is good. Only OpenSSL before 3.4 takes days before today."""
    if not expired:
        return ("-days", 30)
    asked = subprocess.run(["openssl", "x509", "-help"], capture_output=True)
    knows = b"-not_before" in asked.stdout + asked.stderr
    return PAST if knows else ("-days", -1)


def signed(
    folder: pathlib.Path, name: str, authority: Identity, expired: bool = False
) -> Identity:
    """One that `authority` has signed."""
    made = Identity(folder / f"{name}.pem", folder / f"{name}-key.pem")
    asked = folder / f"{name}.csr"
    openssl("req", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", made.key, "-out", asked)
    by = ("-CA", authority.certificate, "-CAkey", authority.key)
    openssl(
        "x509", "-req", "-in", asked, *by, *days_of(expired), "-out", made.certificate
    )
    return made
