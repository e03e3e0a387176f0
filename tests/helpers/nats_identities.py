"""Users of NATS as `nsc` makes them: NKeys, and signed JWTs.

Operator → account → user, as in https://docs.nats.io/running-a-nats-service/configuration/securing_nats/jwt
"""

import base64
import json
import secrets
from pathlib import Path
from typing import Any, Final

import attrs
import nkeys  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

_UNLIMITED: Final = dict.fromkeys(
    (
        "subs",
        "data",
        "payload",
        "imports",
        "exports",
        "conn",
        "leaf",
        "mem_storage",
        "disk_storage",
        "streams",
        "consumer",
    ),
    -1,
)


@attrs.frozen
class Identity:
    """A pair of keys."""

    seed: str

    @classmethod
    def new(cls, prefix: int) -> "Identity":
        seed: bytes = nkeys.encode_seed(secrets.token_bytes(32), prefix)  # pyright: ignore[reportUnknownMemberType] - untyped
        return cls(seed.decode())

    @property
    def public(self) -> str:
        key: bytes = self._pair().public_key
        return key.decode()

    def vouch(
        self,
        subject: "Identity",
        expires: float | None = None,
        **claims: Any,  # noqa: ANN401 - JSON
    ) -> str:
        """Return a JWT for another identity."""
        header = _base64(b'{"typ":"JWT","alg":"ed25519-nkey"}')
        body = {
            "iss": self.public,
            "sub": subject.public,
            "iat": 1,
            "jti": secrets.token_hex(16),
            "nats": {"version": 2, **claims},
        }
        body |= {} if expires is None else {"exp": int(expires)}
        signed = f"{header}.{_base64(json.dumps(body).encode())}"
        return f"{signed}.{_base64(self._pair().sign(signed.encode()))}"

    def _pair(self) -> Any:  # noqa: ANN401 - nkeys has no types
        return nkeys.from_seed(bytearray(self.seed, "ascii"))  # pyright: ignore[reportUnknownMemberType] - untyped


def operator_mode(folder: Path, expires: float | None = None) -> tuple[str, Path]:
    """Return the configuration of a server that trusts an operator, and a credentials file.

    The user of the credentials may expire at a time, in seconds since 1970.
    """
    operator = Identity.new(nkeys.PREFIX_BYTE_OPERATOR)
    system = Identity.new(nkeys.PREFIX_BYTE_ACCOUNT)
    account = Identity.new(nkeys.PREFIX_BYTE_ACCOUNT)
    user = Identity.new(nkeys.PREFIX_BYTE_USER)
    preload = {
        each.public: operator.vouch(each, type="account", limits=limits)
        for each, limits in (
            (account, _UNLIMITED),
            (system, {**_UNLIMITED, "mem_storage": 0, "disk_storage": 0}),
        )
    }
    config = json.dumps(
        {
            "operator": operator.vouch(operator, type="operator", system_account=system.public),
            "system_account": system.public,
            "resolver": "MEMORY",
            "resolver_preload": preload,
        },
        indent=1,
    )
    jwt = account.vouch(user, expires, type="user", pub={}, sub={}, subs=-1, data=-1, payload=-1)
    credentials = folder / "user.creds"
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return config, credentials


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
