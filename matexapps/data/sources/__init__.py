"""From a path or a name to rows: finding, checking and opening files of any format."""
