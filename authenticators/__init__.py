"""Door 1: a login becomes an identity and an account."""
