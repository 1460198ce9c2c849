"""Many rows at once: files of accounts, top-ups and catalogs, looked at first, then applied."""
