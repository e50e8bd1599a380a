"""A contract type for import-linter: a package imports the standard library and what it is granted.

A list of forbidden libraries would let each new dependency in unseen; this one is closed.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from importlinter import Contract, ContractCheck, fields, output

if TYPE_CHECKING:
    from grimp import ImportGraph


class PureContract(Contract):
    """`packages` import only the standard library without `denied`, themselves and `granted`."""

    type_name = "pure"

    # import-linter puts the values of the contract in the place of these descriptions.
    packages: Any = fields.ListField(subfield=fields.StringField())
    granted: Any = fields.ListField(subfield=fields.StringField(), required=False)
    denied: Any = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001, ARG002 - the signature of the base class
        """Collects each direct import that is neither pure nor granted."""
        granted = [*self.packages, *(self.granted or [])]
        denied = set(self.denied or [])
        found = [
            (importer, imported, graph.get_import_details(importer=importer, imported=imported))
            for importer in sorted(m for m in graph.modules if _inside(m, self.packages))
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not _inside(imported, granted)
            and (imported not in sys.stdlib_module_names or imported in denied)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line an import: who, what, where."""
        for importer, imported, details in check.metadata["found"]:
            lines = ", ".join(f"l.{detail['line_number']}" for detail in details)
            output.print_error(f"{importer} is not allowed to import {imported} ({lines})")


def _inside(module: str, packages: list[str]) -> bool:
    return any(module == p or module.startswith(f"{p}.") for p in packages)
