"""Lines on the web: DIDs, topics, hours, queues and prices; for operators, and for clients."""
