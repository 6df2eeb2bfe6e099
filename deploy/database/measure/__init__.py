"""What a migration did while it ran: seconds, locks, rows."""
