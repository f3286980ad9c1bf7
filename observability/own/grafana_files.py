"""Grafana's provisioning files: data sources with their correlations, alerting, and grafana.ini."""

from __future__ import annotations

import configparser
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from observability import topology
from observability.names import uids
from observability.own.model import (
    FOLDER_TITLE,
    ContactPoint,
    Correlation,
    Folder,
    GrafanaRuleGroup,
    Json,
    MuteTiming,
    Source,
    Template,
)
from observability.own.reading import File, Found, Report, ValuePath, dotted, slug, texts
from observability.own.receivers import check_interval, check_receiver
from observability.own.secret_references import REFERENCE, looks_secret
from observability.settings.production import EXPANDED
from observability.settings.value_types import milliseconds

OURS: Final = (uids.DATASOURCE_PROMETHEUS, uids.DATASOURCE_LOKI, uids.DATASOURCE_JAEGER)
"""UIDs of the program's own data sources, each also its type."""
_UID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ENVIRONMENT: Final = re.compile(r"(?<!\$)\$(?!\$|\{secret:|__)(\{[A-Za-z_]|[A-Z_]{3,})")
_SOURCE_FIELDS: Final = frozenset(
    {
        "name", "type", "uid", "access", "url", "user", "database", "basicAuth", "basicAuthUser", "withCredentials",
        "isDefault", "jsonData", "secureJsonData", "orgId", "version", "editable", "correlations", "readOnly",
        "typeLogoUrl", "apiVersion",
    }
)  # fmt: skip
_HEADER: Final = re.compile(r"httpHeaderName(\d+)")
_SECRET_ADDRESSES: Final = {
    "slack": "url", "discord": "url", "teams": "url", "googlechat": "url", "wecom": "url", "dingding": "url",
    "oncall": "url",
}  # fmt: skip
"""The receivers whose address is all that it takes to send to them."""
_CONTACTS: Final = frozenset({"page", "ticket", "watchdog", "nobody"})
_TIMINGS: Final = frozenset({"always", "ticket-quiet-hours"})
_REFUSED_SECTIONS: Final = {
    "paths": "the program decides where files are",
    "database": "the program's backup reads Grafana's own database",
    "server": "the settings are grafanaRootUrl, bindAddress, ports and tlsCertificate",
    "security": "the program sets what is here; see docs/how-to/harden.md",
    "metrics": "the program scrapes these metrics itself",
    "smtp": "the settings are smtpHost and its neighbours",
    "auth.generic_oauth": "the settings are oauth and oauthClientSecret",
}
_ALLOWED_KEYS: Final = frozenset({"paths.permitted_provisioning_paths", "smtp.from_name", "smtp.ehlo_identity"})
_NOT_IN_PRODUCTION: Final = {
    "auth.anonymous.enabled": "everybody who reaches Grafana would read all telemetry",
    "auth.proxy.enabled": "everybody who reaches Grafana could name themselves anybody, by a header",
    "plugins.allow_loading_unsigned_plugins": "nobody can tell who wrote such a plugin",
}
_OFF: Final = frozenset({"", "false", "0", "off", "no"})
_STORE: Final = re.compile(
    rf"(observability-.+-)?({'|'.join(p.name for p in topology.WRITTEN_BY_COLLECTOR)})(-in-backends)?\.?"
)
"""Names of the stores in the stack's networks: of the part, of its container, of its address there."""
_HTTPS_IN_PRODUCTION: Final = "(hidden); accepted: in production, an address with https"
_PINNED_PLUGIN: Final = re.compile(r"[a-z0-9-]+@[0-9][\w.+-]*(@https://\S+)?")


def sources(files: Iterable[File]) -> tuple[tuple[Source, ...], tuple[Correlation, ...]]:
    """Return every data source, and the correlations that are written with it."""
    found: list[Source] = []
    correlations: list[Correlation] = []
    taken = dict.fromkeys(OURS, "the program")
    names = {"Prometheus": "the program", "Loki": "the program", "Jaeger": "the program"}
    for file in files:
        document = file.mapping(file.value, ())
        for key in document:
            if key in {"deleteDatasources", "prune"}:
                file.warn((key,), "left out: what is no longer in a file is deleted anyway")
            elif key not in {"apiVersion", "datasources"}:
                file.refuse((key,), "nothing reads this; accepted: apiVersion and datasources")
        for path, item in file.items(document.get("datasources"), ("datasources",)):
            source = _source(file, item, path)
            for what, name, owners in (("uid", source.uid, taken), ("name", source.name, names)):
                if name in owners:
                    file.refuse((*path, what), f"'{name}'; accepted: one that {owners[name]} does not have")
                owners[name] = file.name
            found.append(source)
            correlations += _correlations(file, item.get("correlations"), (*path, "correlations"), source.uid)
    return tuple(found), tuple(correlations)


def _source(file: File, item: Json, path: ValuePath) -> Source:
    for key in item:
        if key in {"password", "basicAuthPassword"}:
            file.refuse((*path, key), f"accepted: secureJsonData.{key}: ${{secret:name}}")
        elif key not in _SOURCE_FIELDS:
            file.refuse((*path, key), f"unknown field; fields are: {', '.join(sorted(_SOURCE_FIELDS))}")
    _no_environment(file, item, path)
    name = file.text(item, "name", path)
    uid = file.text(item, "uid", path, default=slug(name))
    if not _UID.fullmatch(uid):
        file.refuse((*path, "uid"), "accepted: up to 40 letters, digits, hyphens and underscores")
    if item.get("isDefault"):
        file.warn((*path, "isDefault"), "left out: the program's Prometheus is the default")
    json_data = dict(file.mapping(item.get("jsonData") or {}, (*path, "jsonData")))
    secure = dict(file.mapping(item.get("secureJsonData") or {}, (*path, "secureJsonData")))
    for key, value in secure.items():
        if not isinstance(value, str) or not REFERENCE.search(value):
            file.refuse((*path, "secureJsonData", key), "(hidden); accepted: ${secret:name}")
    headers = {}
    for key in [key for key in json_data if _HEADER.fullmatch(key)]:
        value = secure.pop(f"httpHeaderValue{key.removeprefix('httpHeaderName')}", "")
        headers[str(json_data.pop(key))] = str(value)
    return Source(
        uid=uid,
        name=name,
        type=file.text(item, "type", path),
        url=_only_reading(file, _unescaped(file.text(item, "url", path, default="")), (*path, "url")),
        access="direct" if item.get("access") == "direct" else "proxy",
        user=_unescaped(file.text(item, "user", path, default="")),
        database=_unescaped(file.text(item, "database", path, default="")),
        basic_auth=bool(item.get("basicAuth")),
        basic_auth_user=_unescaped(file.text(item, "basicAuthUser", path, default="")),
        json_data=_unescaped(json_data),
        secure=_unescaped(secure),
        headers=headers,
    )


def _only_reading(file: File, url: str, path: ValuePath) -> str:
    """Return an address, by way of the reading proxy where it is one of the stack's own stores.

    There a Viewer could delete lines, stop the store and write to it through Grafana's proxy.
    """
    store = _STORE.fullmatch(urlsplit(url).hostname or "")
    if store is None:
        return url
    through = f"http://{topology.READING_PROXY.address(store[2])}"
    file.warn(path, f"'{url}' is read at {through}: past the reading proxy, a Viewer could change what is stored")
    return through


def _no_environment(file: File, value: Any, path: ValuePath) -> None:  # noqa: ANN401 - YAML
    """Refuse `$NAME` and `${NAME}`, which Grafana's provisioning takes from its environment."""
    for where, text in texts(value, path):
        if match := _ENVIRONMENT.search(text):
            file.refuse(where, f"'{match[0]}…' is a variable of an environment; accepted: a value, or ${{secret:name}}")


def _unescaped(value: Any) -> Any:  # noqa: ANN401 - YAML both ways
    """Return a value with `$` for the `$$` that provisioning files have for it."""
    if isinstance(value, str):
        return value.replace("$$", "$")
    if isinstance(value, dict):
        return {key: _unescaped(inner) for key, inner in value.items()}
    return [_unescaped(inner) for inner in value] if isinstance(value, list) else value


def correlations(files: Iterable[File], known: Iterable[str]) -> tuple[Correlation, ...]:
    """Return the correlations in files of their own: a list, each with `sourceUID`."""
    known = {*known, *OURS}
    found: list[Correlation] = []
    for file in files:
        document = file.value.get("correlations") if isinstance(file.value, dict) else file.value
        for path, item in file.items(document, ("correlations",) if isinstance(file.value, dict) else ()):
            source = file.text(item, "sourceUID", path)
            if source and source not in known:
                file.refuse((*path, "sourceUID"), f"'{source}'; accepted: {', '.join(sorted(known))}")
            found += _correlations(file, [item], path, source, listed=False)
    return tuple(found)


def _correlations(
    file: File,
    value: Any,  # noqa: ANN401 - YAML
    path: ValuePath,
    source: str,
    *,
    listed: bool = True,
) -> Iterator[Correlation]:
    for where, item in file.items(value, path):
        here = where if listed else path
        kind = str(item.get("type") or (item.get("config") or {}).get("type") or "query")
        if kind not in {"query", "external"}:
            file.refuse((*here, "type"), f"'{kind}'; accepted: query or external")
        config = {"transformations": [], **{k: v for k, v in (item.get("config") or {}).items() if k != "type"}}
        label = file.text(item, "label", here)
        target = file.text(item, "targetUID", here, default=source if kind == "external" else None)
        digest = hashlib.sha256(f"{source}/{target}/{label}".encode()).hexdigest()[:6]
        yield Correlation(
            name=f"own-{slug(label, 30)}-{digest}",
            source=source,
            target=target,
            label=label,
            description=file.text(item, "description", here, default=""),
            type=kind,
            config=_unescaped(config),
        )


def contact_points(files: Iterable[File], *, production: bool = False) -> tuple[ContactPoint, ...]:
    """Return every receiver of the contact points in files of alerting; in production, over https alone."""
    found: list[ContactPoint] = []
    taken: dict[str, str] = {}
    for file, path, item in _of_alerting(files, "contactPoints"):
        name = file.text(item, "name", path)
        if name in _CONTACTS:
            file.refuse((*path, "name"), f"'{name}'; accepted: a name that the program's own do not have")
        for where, receiver in file.items(item.get("receivers"), (*path, "receivers")):
            kind = file.text(receiver, "type", where)
            settings = dict(file.mapping(receiver.get("settings") or {}, (*where, "settings")))
            _no_environment(file, {k: v for k, v in settings.items() if "{{" not in str(v)}, (*where, "settings"))
            for at, text in texts(settings, (*where, "settings")) if production else ():
                if text.lower().startswith("http://"):
                    file.refuse(at, _HTTPS_IN_PRODUCTION)
            check_receiver(file, kind, settings, where)
            secret = _SECRET_ADDRESSES.get(kind)
            if secret and isinstance(settings.get(secret), str) and not REFERENCE.search(settings[secret]):
                file.refuse((*where, "settings", secret), "(hidden); accepted: ${secret:name}")
            uid = file.text(receiver, "uid", where, default="") or slug(f"{name}-{kind}-{where[-1]}")
            if uid in taken or not _UID.fullmatch(uid):
                file.refuse((*where, "uid"), f"'{uid}'; accepted: a UID of its own, up to 40 letters, digits, - and _")
            taken[uid] = file.name
            off = bool(receiver.get("disableResolveMessage"))
            found.append(ContactPoint(uid, name, kind, _unescaped(settings), off))
    return tuple(found)


def mute_timings(files: Iterable[File]) -> tuple[MuteTiming, ...]:
    """Return every mute timing in files of alerting."""
    found: dict[str, MuteTiming] = {}
    for file, path, item in _of_alerting(files, "muteTimes"):
        name = file.text(item, "name", path)
        if name in found or name in _TIMINGS:
            file.refuse((*path, "name"), f"'{name}'; accepted: a name that no other mute timing has")
        intervals = []
        for where, interval in file.items(item.get("time_intervals"), (*path, "time_intervals")):
            check_interval(file, interval, where)
            intervals.append(interval)
        found[name] = MuteTiming(name, tuple(intervals))
    return tuple(found.values())


def templates(files: Iterable[File]) -> tuple[Template, ...]:
    """Return every group of notification templates in files of alerting."""
    return tuple(
        Template(file.text(item, "name", path), file.text(item, "template", path))
        for file, path, item in _of_alerting(files, "templates")
    )


def routes(files: Iterable[File], contacts: Iterable[ContactPoint]) -> tuple[Json, ...]:
    """Return the routes of the notification policies in files of alerting, which go before the program's own."""
    known = {*(contact.name for contact in contacts), *_CONTACTS}
    found: list[Json] = []
    for file, path, item in _of_alerting(files, "policies"):
        for where, route in file.items(item.get("routes"), (*path, "routes")):
            _check_route(file, route, where, known)
            found.append(route)
        if not item.get("routes"):
            file.warn(path, "left out: a policy without routes; who gets the rest is the program's")
    return tuple(found)


def _check_route(file: File, route: Json, path: ValuePath, known: set[str]) -> None:
    receiver = route.get("receiver")
    if receiver is not None and receiver not in known:
        file.refuse((*path, "receiver"), f"'{receiver}'; accepted: a contact point: {', '.join(sorted(known))}")
    if not any(route.get(key) for key in ("matchers", "object_matchers", "match", "match_re")):
        file.refuse(path, "object_matchers is missing; accepted: which alerts it is about, like [[owner, =, shop]]")
    if route.get("match") or route.get("match_re"):
        file.refuse(path, "match and match_re are Alertmanager's old fields; accepted: object_matchers or matchers")
    for where, inner in file.items(route.get("routes"), (*path, "routes")):
        _check_route(file, inner, where, known)


def rule_groups(files: Iterable[File], folders: dict[str, Folder]) -> tuple[GrafanaRuleGroup, ...]:
    """Return Grafana's own alert rules in files of alerting; their folders are added to `folders`."""
    found: dict[tuple[str, str], GrafanaRuleGroup] = {}
    for file, path, item in _of_alerting(files, "groups"):
        title = file.text(item, "folder", path, default=FOLDER_TITLE)
        uid = slug(title)
        folders.setdefault(uid, Folder(uid, title))
        name = file.text(item, "name", path)
        rules = tuple(rule for _, rule in file.items(item.get("rules"), (*path, "rules")))
        for index, rule in enumerate(rules):
            _check_rule(file, rule, (*path, "rules", index))
        if (uid, name) in found:
            file.refuse((*path, "name"), f"'{name}'; accepted: a name that no other group in '{title}' has")
        try:
            interval = int(milliseconds(str(item.get("interval") or "1m")) // 1000)
        except ValueError:
            file.refuse((*path, "interval"), "accepted: a duration like 1m")
            interval = 60
        found[uid, name] = GrafanaRuleGroup(name, uid, interval, rules)
    return tuple(found.values())


def _check_rule(file: File, rule: Json, path: ValuePath) -> None:
    file.text(rule, "title", path)
    if "record" not in rule:
        file.text(rule, "condition", path)
    for where, query in file.items(rule.get("data"), (*path, "data")):
        file.text(query, "refId", where)
        file.text(query, "datasourceUid", where)


def _of_alerting(files: Iterable[File], key: str) -> Iterator[tuple[File, ValuePath, Json]]:
    for file in files:
        if isinstance(file.value, dict):
            for path, item in file.items(file.value.get(key), (key,)):
                yield file, path, item


def check_alerting(files: Iterable[File]) -> None:
    """Refuse what nothing reads in files of alerting."""
    read = {"apiVersion", "contactPoints", "muteTimes", "templates", "policies", "groups"}
    for file in files:
        for key in file.mapping(file.value, ()):
            if key.startswith(("delete", "reset")):
                file.warn((key,), "left out: what is no longer in a file is deleted anyway")
            elif key not in read:
                file.refuse((key,), f"nothing reads this; accepted: {', '.join(sorted(read))}")


def ini(found: Iterable[Found], report: Report, *, production: bool = False) -> dict[str, dict[str, str]]:
    """Return the sections of grafana.ini; one for a single stack has the last word."""
    merged: dict[str, dict[str, str]] = {}
    for file in found:
        parser = configparser.RawConfigParser(strict=True, interpolation=None)
        try:
            parser.read_string(file.path.read_text(encoding="utf-8"), file.name)
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            report.problems.append(f"{file.name}: no ini file: {' '.join(str(error).split())[:200]}")
            continue
        lines = _ini_lines(file.path.read_text(encoding="utf-8"))
        for section in parser.sections():
            for key, value in parser.items(section):
                at = f"{file.name}:{lines.get((section, key), 1)}:1"
                merged.setdefault(section, {})[key] = value
                problems = [*_ini_problems(section, key, value)]
                problems += _ini_problems_in_production(section, key, value) if production else ()
                report.problems += [f"{at}: [{section}] {key}: {problem}" for problem in problems]
                report.secrets |= {match[1] for match in REFERENCE.finditer(value)}
    return merged


def _ini_problems_in_production(section: str, key: str, value: str) -> Iterator[str]:
    why = _NOT_IN_PRODUCTION.get(f"{section}.{key}")
    if why and value.strip().lower() not in _OFF:
        yield f"'{value[:40]}'; accepted: in production, nothing, because {why}"
    if section.startswith("auth.") and value.strip().lower().startswith("http://"):
        yield _HTTPS_IN_PRODUCTION


def _ini_problems(section: str, key: str, value: str) -> Iterator[str]:
    if section in _REFUSED_SECTIONS and f"{section}.{key}" not in _ALLOWED_KEYS:
        yield f"not read here: {_REFUSED_SECTIONS[section]}"
    elif EXPANDED.search(REFERENCE.sub("", value)):
        yield "(hidden); accepted: text without ${…} and $__file{…}, which Grafana would replace; ${secret:name}"
    elif kind := looks_secret((key,), value, by_field=True):
        yield f"(hidden) looks like {kind}; accepted: ${{secret:name}}, with the secret in the setting ownSecrets"
    elif section == "plugins" and key in {"preinstall", "preinstall_sync"}:
        unpinned = [p for p in re.split(r"[\s,]+", value) if p and not _PINNED_PLUGIN.fullmatch(p)]
        if unpinned:
            yield f"'{unpinned[0]}'; accepted: plugins with their version, like grafana-clock-panel@3.0.1"


def _ini_lines(text: str) -> Mapping[tuple[str, str], int]:
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*\[([^\]]+)\]", line):
            section = match[1]
        elif match := re.match(r"([^=:#;]+?)\s*[=:]", line):
            lines[section, match[1].strip().lower()] = number
    return lines


__all__ = [
    "OURS",
    "check_alerting",
    "contact_points",
    "correlations",
    "dotted",
    "ini",
    "mute_timings",
    "routes",
    "rule_groups",
    "sources",
    "templates",
]
