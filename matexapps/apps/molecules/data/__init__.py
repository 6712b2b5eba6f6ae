"""Molecules from files: records, standard forms, and one row for each molecule."""
