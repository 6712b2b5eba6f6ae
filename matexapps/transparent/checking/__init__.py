"""Whether a program gives on several ranks what it gives on one."""
