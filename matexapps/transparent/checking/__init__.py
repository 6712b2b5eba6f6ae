"""Whether a program gives the same results on several ranks as on one."""
