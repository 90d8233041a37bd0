"""What all tests share."""

pytest_plugins = ["tests.fakes.fixtures"]
