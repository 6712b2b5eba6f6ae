"""The catalog: data sets by name, their cards, and where their files are."""
