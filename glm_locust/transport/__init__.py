"""The socket edge: where time is read and bytes move."""
