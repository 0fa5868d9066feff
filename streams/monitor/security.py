"""How the monitor connects: the pipeline's settings of Kafka clients, as faust and aiokafka take them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faust.auth import SASLCredentials, SSLCredentials

from feature_store.errors import ConfigError
from streams.kafka import connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types.auth import CredentialsT

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_NOT_FROM_FILES = (
    "ssl.certificate.pem",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.ca.certificate.stores",
    "ssl.crl.location",
)


def credentials_of(bootstrap: str) -> CredentialsT | None:
    """What faust connects to the Kafka at ``bootstrap`` with; None where that is plain.

    Raises ConfigError for what librdkafka can do and aiokafka cannot.
    """
    settings = connection(bootstrap)
    protocol = settings.get("security.protocol", "plaintext").lower()
    context = _context(settings) if protocol.endswith("ssl") else None
    if protocol.startswith("sasl"):
        return _sasl(settings, context)
    return SSLCredentials(context) if context is not None else None


def _sasl(settings: Mapping[str, Any], context: ssl.SSLContext | None) -> CredentialsT:
    mechanism = str(settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "GSSAPI"))).upper()
    if mechanism not in _MECHANISMS:
        raise ConfigError(
            f"kafka: sasl.mechanism {mechanism}: the monitor knows {', '.join(_MECHANISMS)}, or a client "
            "certificate; give it one of these in a pipeline file of its own"
        )
    return SASLCredentials(
        username=settings.get("sasl.username"),
        password=settings.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=context,
    )


def _context(settings: Mapping[str, Any]) -> ssl.SSLContext:
    unknown = [name for name in _NOT_FROM_FILES if name in settings]
    if unknown:
        raise ConfigError(
            f"kafka: {', '.join(unknown)}: the monitor reads certificates and keys from PEM files; use "
            "ssl.ca.location, ssl.certificate.location and ssl.key.location"
        )
    try:
        context = _trusting(settings)
        if "ssl.certificate.location" in settings:
            context.load_cert_chain(
                settings["ssl.certificate.location"],
                settings.get("ssl.key.location"),
                settings.get("ssl.key.password"),
            )
    except (OSError, ValueError) as error:
        raise ConfigError(f"kafka: a certificate or key that ssl.* names cannot be used: {error}") from error
    if settings.get("enable.ssl.certificate.verification") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # asked for by name
    elif settings.get("ssl.endpoint.identification.algorithm") == "none":
        context.check_hostname = False
    return context


def _trusting(settings: Mapping[str, Any]) -> ssl.SSLContext:
    place = settings.get("ssl.ca.location")
    inline = settings.get("ssl.ca.pem")
    if place in (None, "probe"):
        return ssl.create_default_context(cadata=inline)
    if Path(place).is_dir():
        return ssl.create_default_context(capath=place, cadata=inline)
    return ssl.create_default_context(cafile=place, cadata=inline)
