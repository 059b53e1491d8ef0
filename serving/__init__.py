"""gunicorn as this service needs it: what its main process and its workers do otherwise than the stock ones.

gunicorn's main process imports this package before its workers patch the standard library, so it may import only
what needs nothing but that.
"""
