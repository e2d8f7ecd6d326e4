"""One module per revision, in order. Only forwards: a backup goes back."""
