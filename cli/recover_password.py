"""`recover-password`: sets the administrator's password in Grafana to the configured one, when it is lost."""

from __future__ import annotations

import docker.errors

from cli.context import Context
from cli.errors import NotUpError, UserError
from observability import topology
from observability.configs import grafana
from observability.settings import PROJECT

# The password goes from the mounted file to Grafana's own command, inside the container: no argument, no environment.
_COMMAND = (
    'grafana cli --homepath "$GF_PATHS_HOME" --config "$GF_PATHS_CONFIG" admin reset-admin-password'
    f" --password-from-stdin < {grafana.ADMIN_PASSWORD_FILE}"
)


def run(context: Context) -> int:
    """Set the password of Grafana's first administrator to the running stack's configured one."""
    name = f"{PROJECT}-{context.stack}-{topology.GRAFANA.name}"
    try:
        container = context.engine.client.containers.get(name)
    except docker.errors.NotFound:
        msg = (
            f"container {name} does not run: `make up` first; if that fails because of the password, this command then"
        )
        raise NotUpError(msg) from None
    done = container.exec_run(["sh", "-c", _COMMAND])
    if done.exit_code:
        output = done.output if isinstance(done.output, bytes) else b"".join(done.output)
        msg = f"Grafana's own command failed: {output.decode(errors='replace').strip()[-500:]}"
        raise UserError(msg)
    context.console.say(
        "Grafana's administrator has the configured password again: `make password` shows it. Then `make up`. After"
        " five wrong passwords within five minutes, Grafana refuses this one too until the five minutes are over."
    )
    return 0
