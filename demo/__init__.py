"""The demo: a loopback identity provider with four people, a facility of two proposals, and real applications."""
