"""What went wrong in a test's own code, where the test couldn't see it."""

from __future__ import annotations

__all__ = ["Faults"]


class Faults:
    """What a codec, a ``when`` or an emulator raised, until its server is left."""

    def __init__(self) -> None:
        self._met: list[BaseException] = []

    def add(self, fault: BaseException) -> None:
        """Note one; from any thread."""
        self._met.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        self._met.clear()

    def come_out(self, exc: BaseException | None) -> None:
        """Tell of the first, if there is one: as a note of ``exc``, if that is being raised.

        Raises:
            BaseException: the first, if nothing is being raised.
        """
        if self._met and exc is None:
            raise self._met[0]
        if self._met and exc is not None:
            exc.add_note(f"there was a fault as well: {self._met[0]!r}")
