"""Read, announce, check and delete the events that the database's triggers write."""
