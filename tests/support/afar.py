"""Somebody at the command line of another machine than the server's."""

from __future__ import annotations

from contextlib import closing

from click.testing import CliRunner, Result

from controller.entrypoints.cli.main import main
from controller.entrypoints.cli.session import CliSession
from controller.settings import load_settings
from tests.support.page import Office


class Afar:
    """One person with a token of the office, and only the server's address."""

    def __init__(
        self,
        office: Office,
        url: str,
        actor: str = "person:ana",
        role: str = "admin",
        owners: tuple[str, ...] = (),
    ) -> None:
        self._office = office
        token = office.token(actor, role, *owners)
        self._settings = load_settings(url=url, token=token, actor="somebody")

    def run(self, *words: str, code: int = 0) -> Result:
        """`incumbent words...`; fails the test if it ends with another exit code."""
        session = CliSession(clock=self._office.house.clock)
        session.settings = self._settings
        with closing(session):
            result = CliRunner().invoke(main, list(words), obj=session)
        assert result.exit_code == code, f"exit code {result.exit_code}: {result.output}"
        return result
