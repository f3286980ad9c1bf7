"""The alerts about probes that are not about SLOs: probes do not run, and a certificate expires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from observability import topology
from observability.alerts import template_helpers as helpers
from observability.alerts.model import Alert, AlertGroup, PanelRef
from observability.names import uids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from observability.settings import Settings

INTERVAL_SECONDS: Final = 60
PROBES_PANEL: Final = PanelRef(uids.PROBES, "probes")
_DAY: Final = 86_400


def group(settings: Settings) -> AlertGroup:
    """Return every alert about probes; none without probes."""
    return AlertGroup("probes", uids.FOLDER_INFRASTRUCTURE, INTERVAL_SECONDS, tuple(_alerts(settings)))


def _alerts(settings: Settings) -> Iterator[Alert]:
    if not settings.probes:
        return
    jobs = "|".join(probe.name for probe in settings.probes)
    yield Alert(
        kind="target-down",
        title="Probes are not made",
        severity="ticket",
        service=topology.BLACKBOX.name,
        owner=settings.owner,
        queries={"made": f'sum(up{{job=~"{jobs}"}}) or vector(0)'},
        condition=f"$made < {len(settings.probes)}",
        summary=(
            f"The blackbox exporter makes {helpers.count('made')} of {len(settings.probes)} probes: it does not run, or"
            " does not answer. Of the others it is unknown whether their targets can be reached."
        ),
        panel=PROBES_PANEL,
        pending="2m",
    )
    for probe in settings.probes:
        if probe.uses_tls and probe.certificate_days is not None:
            expiry = f'min(probe_ssl_earliest_cert_expiry{{service="{probe.name}"}})'
            yield Alert(
                kind="certificate-expiring",
                title=f"{probe.name}: a certificate expires soon",
                severity="ticket",
                service=probe.name,
                owner=probe.owner or settings.owner,
                queries={"days": f"({expiry} - time()) / {_DAY}"},
                condition=f"$days < {probe.certificate_days}",
                summary=(
                    f"A certificate that {probe.name}'s target shows expires in {helpers.times('days')} days"
                    f" (limit {probe.certificate_days}). From then on clients refuse it."
                ),
                panel=PROBES_PANEL,
                pending="10m",
            )
