"""Pictures with known content: each is composed from random choices first, then drawn."""
