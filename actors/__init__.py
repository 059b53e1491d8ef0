"""The message door: what a worker process is told to do, by whom, and how it is kept safe."""
