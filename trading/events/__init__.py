"""Read, announce and delete the events that the database's triggers write, and detect lost ones."""
