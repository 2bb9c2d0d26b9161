"""What carries messages between processes: one broker a module, each with its own library."""
