"""Who is asking, and what they may do."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from workbench.domain.pseudonyms import Names
from workbench.domain.records import Project
from workbench.domain.roles import Role
from workbench.storage.names import names_for
from workbench.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody at the dashboard.

    Attributes:
        name: As events say it.
        store: The database that knows their token: they see its projects. None for all, on this machine.
        csrf: What their forms carry; None for a program, whose key no browser sends by itself.
        session: The digest of their session, where they have signed in.
    """

    name: str
    role: Role
    store: Store | None = None
    csrf: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return self.role.allows(role)

    @property
    def sees_names(self) -> bool:
        """Whether people are shown by their names."""
        return self.may(Role.OPERATOR)

    def names(self, store: Store, project: Project) -> Names:
        """What people of a project are called to this visitor. Not inside a transaction."""
        return names_for(store, project, seen=self.sees_names)


def is_loopback(host: str) -> bool:
    """Whether an address or name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header.partition("]")[0][1:]
    return header.partition(":")[0].lower()


def port_of(header: str) -> int | None:
    """The port in a Host header; None where there is none, or nothing that can be one."""
    try:
        return urlsplit(f"//{header}").port
    except ValueError:
        return None
