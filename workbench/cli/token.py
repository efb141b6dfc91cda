"""``workbench token``: keys to the dashboard."""

from datetime import timedelta
from typing import Annotated

import typer

from workbench.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, print_json, say, show_table
from workbench.domain.roles import Role

app = typer.Typer(help="Keys to the dashboard: make, list and revoke them.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is; the audit trail says it.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    role: Annotated[Role, typer.Option(help="What it opens.")] = Role.VIEWER,
    expires: Annotated[
        int | None, typer.Option(min=1, max=36_500, metavar="DAYS", help="When it ends; never if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once: the database keeps its digest.

    A viewer sees everything but who people are; an operator sees names too, and acts on rounds; an admin
    changes the budget, and hands out tokens. A token opens all projects of its database.

    Example: `workbench token create ada --role operator --expires 90`
    """
    from workbench.cli.reading import open_database
    from workbench.web.pages.tokens import checked_name
    from workbench.web.security.secrets import digest, new_secret

    secret, clean = new_secret(), checked_name(name)
    with open_database(config) as store, store.begin() as tx:
        ends = tx.now + timedelta(days=expires) if expires else None
        tx.tokens.create(clean, role, digest(secret), ends)
    if as_json:
        print_json({"name": clean, "role": role, "expires_at": ends, "token": secret})
        return
    print(secret)
    say("Keep it now: it can not be shown again. Programs send it as 'Authorization: Bearer TOKEN'.")


@app.command("list")
def list_(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show every token: whose it is, what it opens, when it was used last. The keys themselves are not kept.

    Example: `workbench token list`
    """
    from workbench.cli.reading import open_database

    with open_database(config) as store, store.read() as tx:
        now, found = tx.now, tx.tokens.all()
    rows = [
        {
            "name": token.name,
            "role": str(token.role),
            "good": token.opens(now),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "revoked_at": token.revoked_at,
            "used_at": token.used_at,
        }
        for token in found
    ]
    if as_json:
        print_json({"tokens": rows})
    elif rows:
        show_table([key.replace("_", " ") for key in rows[0]], [list(row.values()) for row in rows])
    else:
        say("There is no token. Type `workbench token create NAME --role viewer` to make one.")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Whose it is.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Let a token open nothing any more, and end every session that was begun with it.

    Example: `workbench token revoke ada`
    """
    from workbench.cli.reading import open_database

    with open_database(config) as store, store.begin() as tx:
        tx.tokens.revoke(name)
    say(f"The token '{name}' opens nothing any more.")
