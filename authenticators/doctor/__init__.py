"""What `daas-hub doctor` asks about logins."""
