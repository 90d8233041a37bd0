"""The world behind the ports: HTTP upstream, disk store, SQLite catalogue."""
