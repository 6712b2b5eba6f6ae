"""CSV and TSV: plain, gzip, in byte ranges, through a columnar copy."""
