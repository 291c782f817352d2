"""Turning objects into bytes and back: for the wire, and in a durable form for files.

The only place that calls a pickle. Pure: no threads, no sockets, no clock. Thread-safe.

- ``packer``: objects to body and buffers and back, for one border with its settings.
- ``storage``: the durable form; ``durable_format``: its bytes; ``replacing`` and ``part_files``: the file.
- ``codecs``: the tags of the codecs, and which reader takes which. ``data``: the codec that runs no code.
- ``unpickler``: the one look-up of names, where trust is checked and Names are bound.
- ``picklers``, ``dill_pickler``, ``durable_pickler``: three ways to write; ``plain``: what needs none.
- ``by_value``: what nobody else can import; ``functions``, ``classes``, ``enum_members`` and
  ``standard_kinds`` take it apart.
- ``identities``: which classes and code are the same in several processes; ``class_versions``: what is new.
- ``code_sent``: what a peer has.
- ``references``, ``exceptions``: rules that all three share: by reference or by value, and errors.
- ``refusals``: what is never packed, and why. ``blame``: where inside an object it sits.

Nothing outside imports cloudpickle or dill. Nothing in here knows about Envs or links.
"""
