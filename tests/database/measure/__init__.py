"""What a migration did, measured."""
