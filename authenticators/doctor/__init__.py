"""What `daas-hub doctor` checks about logins."""
