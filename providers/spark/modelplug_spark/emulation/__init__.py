"""The service's side of Spark, for local use: no I/O, no clock; ``emulator.py`` puts it on a wire.

A message goes through ``service``: ``gateway`` lets its sender in, ``validation`` and ``limits``
find what is wrong with it, ``engine`` answers it, ``payloads`` makes frames of the answer. It
shares with the client ``frames``, ``models`` and ``sparkmodel``, ``signing``, ``sources``,
``images`` and ``tokens``, and neither ``protocol`` nor ``client``.
"""
