"""Types of the JSON that lint prints: numbers with their bounds in the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any


class Keywords(dict[str, Any]):
    """Keywords that a type adds to the JSON Schema."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Adds them; pydantic calls this."""
        return {**handler(core_schema), **self}


Count = Annotated[int, Keywords(minimum=0)]
Place = Annotated[int, Keywords(minimum=1)]
