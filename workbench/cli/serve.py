"""``workbench serve``: the dashboard, and pictures for annotators' browsers."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from workbench.cli.options import DEFAULT_CONFIG, say
from workbench.domain.roles import Role

if TYPE_CHECKING:
    from socket import socket
    from types import FrameType

    from workbench.web.site import Site

DEFAULT_PORT = 8090
#: Of so many projects the panels are read before the first visitor comes.
MOST_READ_AHEAD = 4


def serve(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Configurations, or folders with projects below them.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The same as naming it without an option.")
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen; this machine alone if left out.")] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help=f"The port of [labeler] serve_url if left out, else {DEFAULT_PORT}."
        ),
    ] = None,
    local_role: Annotated[
        Role, typer.Option(help="What anybody on this machine may do while there is no token.")
    ] = Role.OPERATOR,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Believe the X-Forwarded-… headers of the proxy at this address."
        ),
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Serve the dashboard, and the pool's pictures to annotators' browsers, under names nobody can guess.

    On this machine alone nobody has to sign in while the database holds no token; anywhere else it starts
    only with one.

    Example: `workbench serve /srv/projects --port 8090`
    """
    from workbench.domain.errors import ConfigProblem
    from workbench.scheduler.places import find_projects
    from workbench.web.site import open_site

    named = [*(paths or []), *([config] if config else [])] or [DEFAULT_CONFIG]
    configs = find_projects(named)
    if not configs:
        raise ConfigProblem(
            f"There is no workbench.toml below {', '.join(map(str, named))}. "
            "Type `workbench init` to make a project, or name another folder."
        )
    _check_proxy(proxy)
    with open_site(configs, lambda: find_projects(named)) as site:
        _check(site, host)
        with _listen(host, _port(site) if port is None else port) as where:
            _serve(site, host, where, local_role=local_role, proxy=proxy, open_browser=open_browser)


def _check(site: "Site", host: str) -> None:
    """Refuse to show nothing, and to show anything to anybody."""
    from workbench.domain.errors import ConfigProblem
    from workbench.web.security.visitors import is_loopback

    good, faults = site.configured()
    if not good:
        raise ConfigProblem("\n".join(fault.words for fault in faults))
    for fault in faults:
        say(f"Not shown: {fault.config}: {fault.words}")
    if not is_loopback(host) and not site.can_be_entered():
        raise ConfigProblem(
            f"{host} can be reached by other machines, and there is no token that opens anything. "
            "Type `workbench token create NAME --role viewer`, then start again; or leave out --host."
        )


def _check_proxy(proxy: str | None) -> None:
    """Refuse to believe everybody who says where they come from, and names that nobody would be known by."""
    import ipaddress

    from workbench.domain.errors import ConfigProblem

    for each in [] if proxy is None else proxy.split(","):
        try:
            good = ipaddress.ip_network(each.strip()).prefixlen > 0
        except ValueError:
            good = False
        if not good:
            raise ConfigProblem(
                f"--proxy is {each.strip()!r}; expected the address of the proxy, such as 127.0.0.1 or "
                "10.0.0.0/8: whoever connects from there is believed to say for whom."
            )


def _listen(host: str, port: int) -> "socket":
    """Take the port before anybody is told of it."""
    import socket

    from workbench.domain.errors import ConfigProblem
    from workbench.web.connections import BACKLOG

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise ConfigProblem(
            f"Nothing can listen at {host}, port {port}: {reason}. Another dashboard may be there already: "
            "name another port with --port (0: one that is free), or an address of this machine with --host."
        ) from error


def _serve(
    site: "Site", host: str, where: "socket", *, local_role: Role, proxy: str | None, open_browser: bool
) -> None:
    import threading

    import uvicorn

    from workbench.web.app import create_app
    from workbench.web.connections import BACKLOG, Impatient, most_connections
    from workbench.web.desk import Desk
    from workbench.web.readings import read_ahead, warm_up
    from workbench.web.security.visitors import is_loopback
    from workbench.web.served import routes_of

    chosen = where.getsockname()[1]
    desk = Desk(site=site, open_here=is_loopback(host), local_role=local_role)
    app = create_app(desk, more=routes_of(site))
    shown = f"[{host}]" if ":" in host else host
    say(f"The dashboard is at http://{shown}:{chosen}; Ctrl-C ends it.")
    if not is_loopback(host):
        say("Tokens travel as they are: put it behind TLS where others can listen on the network.")

    def get_ready() -> None:
        warm_up()
        read_ahead(desk.readings, site.places()[:MOST_READ_AHEAD], hidden=site.has_tokens())

    threading.Thread(target=get_ready, name="warm-up", daemon=True).start()
    if open_browser:
        import webbrowser

        webbrowser.open(f"http://{shown}:{chosen}")

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
            # Pages that watch hold their streams open for minutes.
            desk.live.leaving.set()
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        app,
        http=type("Bounded", (Impatient,), {"most": most_connections()}),
        ws="none",
        backlog=BACKLOG,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy,
        timeout_graceful_shutdown=3,
    )
    with suppress(KeyboardInterrupt):
        Server(config).run([where])
    desk.readings.close()


def _port(site: "Site") -> int:
    """The port at which annotators' browsers expect pictures, where one is named."""
    for found in site.configured()[0]:
        named = urlsplit(found.settings.config.labeler.serve_url or "").port
        if named is not None:
            return named
    return DEFAULT_PORT
