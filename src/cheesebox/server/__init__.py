"""The application on uvicorn: sockets, lifespan, signals, log."""
