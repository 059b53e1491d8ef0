"""gunicorn's main process and workers, changed where this service needs more than the stock ones.

gunicorn's main process imports this package before its workers patch the standard library, so it may import only
modules that need nothing else.
"""
