"""``workbench serve``: pictures for annotators' browsers."""

from typing import Annotated
from urllib.parse import urlsplit

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, say


def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    host: Annotated[str, typer.Option(help="Where to listen; this machine alone if left out.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="The port of [labeler] serve_url if left out.")] = None,
) -> None:
    """Serve the pool's pictures to annotators' browsers, under names that nobody can guess.

    Example: `workbench serve --port 8090`
    """
    import uvicorn

    from workbench.cli.reading import open_reading
    from workbench.domain.errors import ConfigProblem
    from workbench.steps.present import picture_secret
    from workbench.web.pictures import picture_app

    with open_reading(config) as (store, project, settings):
        configured = urlsplit(settings.config.labeler.serve_url or "").port
        chosen = port or configured
        if chosen is None:
            raise ConfigProblem(
                "No port is named. Give --port, or set [labeler] serve_url in workbench.toml to the address "
                "at which annotators' browsers reach this machine."
            )
        app = picture_app(store, project, picture_secret(settings.directory))
        say(f"Serving pictures at http://{host}:{chosen}; Ctrl-C ends it.")
        uvicorn.run(app, host=host, port=chosen, log_level="warning", access_log=False)
