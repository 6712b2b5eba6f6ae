"""Campaigns: many independent tasks over ranks, each in a child process that may crash or hang."""
