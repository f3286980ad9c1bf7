"""What a dashboard refuses to be built from."""

from typing import NoReturn


class DashboardError(ValueError):
    """A dashboard, or a panel of it, has a setting that cannot be built.

    Attributes:
        dashboard: UID of the dashboard.
        panel: title of the panel or row, "" when the dashboard itself is at fault.
        setting: name of the argument.
        value: what it was.
        accepted: what it may be, in words.

    """

    def __init__(self, *, dashboard: str, panel: str, setting: str, value: object, accepted: str) -> None:
        self.dashboard = dashboard
        self.panel = panel
        self.setting = setting
        self.value = value
        self.accepted = accepted
        place = f"dashboard {dashboard!r}" + (f", panel {panel!r}" if panel else "")
        super().__init__(f"{place}: {setting} is {value!r}; accepted: {accepted}")


class SettingError(ValueError):
    """A bad setting, seen where the dashboard is not known; the builder turns it into a `DashboardError`."""

    def __init__(self, setting: str, value: object, accepted: str) -> None:
        self.setting = setting
        self.value = value
        self.accepted = accepted
        super().__init__(f"{setting} is {value!r}; accepted: {accepted}")


def refuse(setting: str, value: object, accepted: str) -> NoReturn:
    """Raise the `SettingError` that says so."""
    raise SettingError(setting, value, accepted)
