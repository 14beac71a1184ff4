"""Which version this is: what --version, /openapi.json and pyproject.toml say."""

VERSION = "0.1.0"
