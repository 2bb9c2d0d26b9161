"""Many processes as one: what each says to the others over a broker, and what it knows of them."""
