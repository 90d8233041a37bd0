"""The cache over HTTP: an ASGI application with nothing of the server in it."""
