"""The HTTP proxy that the environment names for a URL. No network access."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit

__all__ = ["proxy_for"]


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy for a URL; None if it is asked directly.

    Reads ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``ALL_PROXY``, or the settings of the operating
    system, and ``NO_PROXY``: ``*``, or hosts separated by commas. ``example.org`` also means the
    hosts below it, ``.example.org`` only those; ``10.0.0.0/8`` is a network.
    """
    named = urllib.request.getproxies()
    parts = urlsplit(url)
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or _is_excluded(parts.hostname or "", parts.port, named.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excluded(host: str, port: int | None, excluded: str) -> bool:
    for entry in filter(None, (part.strip().lower() for part in excluded.split(","))):
        if entry == "*" or _is_in_network(host, entry):
            return True
        name, separator, number = entry.rpartition("://")[2].rpartition(":")
        if not separator or ":" in name.strip("[]") or not number.isdecimal():  # there is no port
            name, number = entry.rpartition("://")[2], ""
        if number and int(number) != port:
            continue
        if _is_below(host, name.strip("[]")):
            return True
    return False


def _is_below(host: str, name: str) -> bool:
    name = name.removeprefix("*")
    if name.startswith("."):
        return host.endswith(name) and host != name
    return host == name or host.endswith(f".{name}")


def _is_in_network(host: str, entry: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
