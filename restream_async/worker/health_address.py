"""Where the health endpoint of a worker listens."""

from typing import Final

import attrs

from restream_async.errors import ConfigurationError

_HIGHEST_PORT: Final = 65535
_WRONG: Final = (
    "the address of the health endpoint must be HOST:PORT, or PORT for this machine only; an IPv6 "
    "address stands in brackets, as in [::]:9464"
)


@attrs.frozen(kw_only=True)
class HealthAddress:
    """A host and a port.

    Attributes:
        host: a name or an address of this machine; `0.0.0.0` and `::` are all of them. Without it,
            only this machine can reach the endpoint.
        port: 0: one that is free; the log names it.

    """

    host: str = "127.0.0.1"
    port: int

    @classmethod
    def parse(cls, text: str) -> "HealthAddress":
        """Return the address of a text such as `0.0.0.0:9464`, `[::]:9464`, `:9464` or `9464`.

        Raises:
            ConfigurationError: the text is none.

        """
        host, _, number = text.rpartition(":")
        in_brackets = host.startswith("[") and host.endswith("]")
        is_port = number.isascii() and number.isdecimal() and int(number) <= _HIGHEST_PORT
        if not is_port or host != host.strip() or (":" in host) != in_brackets:
            raise ConfigurationError(_WRONG)
        host = host[1:-1] if in_brackets else host
        return cls(port=int(number), **({"host": host} if host else {}))
