"""The database: how it is reached, migrated, judged, backed up and given back."""
