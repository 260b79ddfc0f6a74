"""What Syncline remembers: the store's protocols, the SQL store and its migrations."""
