"""The service's side of the wire, pure: what stands behind the emulator.

``settings`` are its switches, ``inquiry`` reads and checks a request, ``replies`` makes up an
answer, ``limits`` counts, ``service`` puts them together. It shares the shapes of chunks with the
client, and neither its protocol nor its I/O.
"""
