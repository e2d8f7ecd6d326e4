"""Fair admission: quotas, capacity, and the queue of launches for which there is no room."""
