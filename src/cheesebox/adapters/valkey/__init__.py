"""The parts of `cheesebox.adapters.valkey_register`.

Keys of a namespace all begin with ``{cheesebox:<namespace>}:``

- ``o:<key>`` hash: a record; ``l:<key>`` its lease; ``absent:<key>`` exists while a 404 is remembered
- ``used:<hour>`` set of keys last used in that hour; ``hours`` sorted set of the hours that have one
- ``totals`` hash; ``tokens`` the last fencing token; ``garbage`` sorted set of object names by due time
- ``changes`` stream; ``head`` hash: its epoch and the number of the last change
- ``lead:<role>`` the node that has a role; ``secret``; ``facts`` hash

Each compound step is one script in ``lua/``.
"""
