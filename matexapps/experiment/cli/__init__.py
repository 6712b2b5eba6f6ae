"""The command line of a domain, made from the dataclass of its settings."""
